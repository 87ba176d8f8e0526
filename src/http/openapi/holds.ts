import { z } from 'zod'
import { holdSchema, liftSchema } from '../hold-routes.ts'
import { dryRunOf, json, orDryRun, plus } from './operation.ts'
import type { Answering, Noun, Operation } from './operation.ts'
import * as values from './values.ts'

export const hold = z
  .strictObject({
    id: values.named('Its id.', 'hld_01m83m3xnnpm5ygmp4gm6j'),
    app: values.appName,
    build: values.buildNumber.nullable().describe('null: every build of the app.'),
    environment: values.environmentName.nullable().describe('null: in all environments.'),
    rollback: z
      .string()
      .nullable()
      .describe('The rollback of an environment that set it; null: a person did.'),
    reason: z.string(),
    heldBy: values.who,
    heldAt: values.time,
    heldRevision: z.int().nullable().describe('The revision of the overlay that has the mask.'),
    liftedBy: z.string().nullable(),
    liftedRevision: z.int().nullable(),
    liftReason: z.string().nullable(),
    newer: z.boolean().describe('Builds whose version is newer are held too.'),
    mask: z.boolean().describe('What it holds is masked in the overlay too.'),
    yank: z.boolean().describe('It was set by a yank of the build.'),
    state: z.enum(['held', 'lifted']),
    cpv: values.cpv.nullable(),
    liftedAt: values.time.nullable(),
  })
  .meta({ id: 'Hold' })
export type Hold = Answering<typeof hold>

const PUBLISHED = { published: values.published }
/** The hold of a yank is of all overlays. */
const LIFTED = { published: z.union([values.published, values.publishedTogether]) }

const SETTING = {
  body: { schema: holdSchema, example: { app: 'shop', build: 45, reason: 'orders are charged twice' } },
  change: true,
  answers: {
    201: json('The hold.', plus(hold, PUBLISHED), { Location: z.string() }),
    200: json('Of a dry run.', dryRunOf(hold, PUBLISHED)),
  },
  refusals: ['hold.impossible', 'app.unknown', 'build.unknown', 'environment.unknown'],
} as const satisfies Partial<Operation>

const FILTER = {
  app: z.string().optional(),
  state: z.enum(['held', 'lifted', 'all']).optional().describe('`held` unless it is said.'),
}

export const holds: Noun = {
  name: 'Holds',
  description:
    'Apps and builds that nobody promotes, neither by policy nor by hand, until the hold is lifted.',
  operations: {
    'holds.create': {
      call: 'POST /holds',
      summary: 'Hold an app or a build everywhere',
      description: 'Asks for the right to promote in every environment.',
      who: 'promotes everywhere',
      ...SETTING,
    },
    'holds.createIn': {
      call: 'POST /environments/{environment}/holds',
      summary: 'Hold an app or a build in an environment',
      who: 'promotes',
      ...SETTING,
    },
    'holds.list': {
      call: 'GET /holds',
      summary: 'List holds',
      description: 'Those that bind where the asker sees the app, newest first.',
      who: 'any token',
      query: { ...FILTER, environment: z.string().optional() },
      page: { of: hold },
      refusals: ['environment.unknown'],
    },
    'holds.listIn': {
      call: 'GET /environments/{environment}/holds',
      summary: 'List the holds that bind in an environment',
      who: 'sees there',
      query: FILTER,
      page: { of: hold },
      refusals: ['environment.unknown'],
    },
    'holds.get': {
      call: 'GET /holds/{hold}',
      summary: 'Get a hold',
      who: 'sees holds',
      answers: { 200: json('The hold.', hold) },
      refusals: ['hold.unknown'],
    },
    'holds.lift': {
      call: 'POST /holds/{hold}/lift',
      summary: 'Lift a hold',
      description:
        'What it masked is to be had again from the next revision on; what it refused is not promoted by itself.',
      who: 'promotes',
      body: { schema: liftSchema, example: { reason: 'mended by build 46' } },
      change: true,
      answers: { 200: json('The hold, lifted.', orDryRun(hold, LIFTED)) },
      refusals: ['hold.unknown', 'hold.lifted'],
    },
  },
}
