import { z } from 'zod'
import { perhapsReasonSchema, reasonSchema } from '../mark-routes.ts'
import { dryRunMark, json } from './operation.ts'
import type { Noun } from './operation.ts'
import { appName, buildNumber, cpv, environmentName, oid, time, who } from './values.ts'

const published = z
  .array(
    z.strictObject({
      environment: environmentName,
      revision: z.int(),
      commit: oid.nullable().describe('null in a dry run.'),
      changes: z.array(z.strictObject({ path: z.string(), action: z.enum(['write', 'remove']) })),
    }),
  )
  .describe('The overlays that changed, each by one revision.')

const yank = z.strictObject({
  id: z.string().nullable().describe('Of the hold; null in a dry run.'),
  app: appName,
  build: buildNumber,
  environment: z.null(),
  newer: z.literal(false),
  mask: z.literal(true),
  yank: z.literal(true),
  state: z.enum(['held', 'lifted']),
  cpv,
  rollback: z.null(),
  reason: z.string(),
  heldBy: who,
  heldAt: time,
  heldRevision: z.null(),
  liftedBy: who.nullable(),
  liftedAt: time.nullable(),
  liftedRevision: z.null(),
  liftReason: z.string().nullable(),
  published,
  dryRun: dryRunMark.optional(),
})

const pin = z.strictObject({
  app: appName,
  build: buildNumber,
  reason: z.string(),
  pinnedBy: who,
  pinnedAt: time,
  published,
  dryRun: dryRunMark.optional(),
})

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
        200: json('What it would do.', yank),
        201: json('The hold.', yank, { Location: z.string().describe('Of the hold.') }),
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
      answers: { 200: json('The hold, lifted.', yank) },
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
      answers: { 200: json('What it would do.', pin), 201: json('The pin.', pin) },
      refusals: [...SEES, 'pin.exists'],
    },
    'builds.unpin': {
      call: 'POST /apps/{app}/builds/{build}/unpin',
      summary: 'Let retention have a build again',
      who: 'promotes everywhere',
      body: { schema: perhapsReasonSchema, example: { reason: 'the audit is over' }, optional: true },
      change: true,
      answers: { 200: json('The pin that there was.', pin) },
      refusals: [...SEES, 'pin.unknown'],
    },
  },
}
