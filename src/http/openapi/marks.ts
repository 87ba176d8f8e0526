import { z } from 'zod'
import { perhapsReasonSchema, reasonSchema } from '../mark-routes.ts'
import { hold } from './holds.ts'
import { dryRunOf, json, orDryRun, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import { appName, buildNumber, publishedTogether, time, who } from './values.ts'

export const pin = z
  .strictObject({
    app: appName,
    build: buildNumber,
    reason: z.string(),
    pinnedBy: who,
    pinnedAt: time,
  })
  .meta({ id: 'Pin' })
export type Pin = Answering<typeof pin>

const PUBLISHED = { published: publishedTogether }

const SEES = ['build.unknown', 'build.invalid_number'] as const
const WHY = { reason: 'loses orders, see #812' }

export const marks: Noun = {
  name: 'Yanks and pins',
  description: 'What is said of a build in every environment at once: it was bad, or it is to be kept.',
  operations: {
    'builds.yank': {
      call: 'POST /apps/{app}/builds/{build}/yank',
      summary: 'Yank a build',
      description:
        'Masks it in every overlay that lists it, with the reason, and holds it in all environments: in all of them or in none.',
      who: 'promotes everywhere',
      body: { schema: reasonSchema, example: WHY },
      change: true,
      answers: {
        200: json('Of a dry run.', dryRunOf(hold, PUBLISHED)),
        201: json('The hold.', plus(hold, PUBLISHED), { Location: z.string().describe('Of the hold.') }),
      },
      refusals: [...SEES, 'yank.exists'],
    },
    'builds.unyank': {
      call: 'POST /apps/{app}/builds/{build}/unyank',
      summary: 'Take a yank back',
      description: 'Lifts the hold of the yank. What it refused is not promoted by itself.',
      who: 'promotes everywhere',
      body: { schema: reasonSchema, example: { reason: 'it was the database' } },
      change: true,
      answers: { 200: json('The hold, lifted.', orDryRun(hold, PUBLISHED)) },
      refusals: [...SEES, 'yank.unknown', 'hold.lifted'],
    },
    'builds.pin': {
      call: 'POST /apps/{app}/builds/{build}/pin',
      summary: 'Pin a build',
      description:
        'No retention takes it away. Overlays that have released it go on listing it, and list it again where it had left.',
      who: 'promotes everywhere',
      body: { schema: reasonSchema, example: { reason: 'what the auditors saw' } },
      change: true,
      answers: {
        200: json('Of a dry run.', orDryRun(pin, PUBLISHED)),
        201: json('The pin.', plus(pin, PUBLISHED)),
      },
      refusals: [...SEES, 'pin.exists'],
    },
    'builds.unpin': {
      call: 'POST /apps/{app}/builds/{build}/unpin',
      summary: 'Let retention have a build again',
      who: 'promotes everywhere',
      body: { schema: perhapsReasonSchema, example: { reason: 'the audit is over' }, optional: true },
      change: true,
      answers: { 200: json('The pin that there was.', orDryRun(pin, PUBLISHED)) },
      refusals: [...SEES, 'pin.unknown'],
    },
  },
}
