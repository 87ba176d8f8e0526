import { z } from 'zod'
import { KEEP_REASONS } from '../../environments/retention.ts'
import type { KeepReason } from '../../environments/retention.ts'
import { retentionSchema } from '../storage-routes.ts'
import { json, orDryRun } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

const { sizeBytes, time } = values

const storage = z
  .strictObject({
    measuredAt: time.describe('Sums are kept for some minutes.'),
    disk: z.strictObject({ freeBytes: sizeBytes, totalBytes: sizeBytes }).describe('That holds the data.'),
    archive: z.strictObject({
      bytes: sizeBytes,
      apps: z.array(z.strictObject({ app: values.appName, builds: z.int(), bytes: sizeBytes })),
    }),
    nodes: z.strictObject({
      bytes: sizeBytes,
      environments: z.array(z.strictObject({ environment: values.environmentName, bytes: sizeBytes })),
      largest: z
        .array(
          z.strictObject({
            ...{ node: values.nodeName, environment: values.environmentName },
            ...{ packageBytes: sizeBytes, dumpBytes: sizeBytes },
          }),
        )
        .describe('Those that keep the most at the hub, 50 at most.'),
    }),
    overlays: z.array(z.strictObject({ environment: values.environmentName, bytes: sizeBytes })),
    databaseBytes: sizeBytes,
    listingBytes: sizeBytes.describe('Within the database, about: what is inside each tarball.'),
    uploadBytes: sizeBytes.describe('Of uploads that are under way.'),
  })
  .meta({ id: 'Storage' })
export type Storage = Answering<typeof storage>

const rules = z
  .strictObject({
    ...retentionSchema.shape,
    setBy: values.who.nullable().describe('null: nobody has set any.'),
    setAt: time.nullable(),
  })
  .meta({ id: 'RetentionRules' })
export type RetentionRulesAnswer = Answering<typeof rules>

const ofApp = z.strictObject({
  app: values.appName,
  own: rules.nullable().describe('null: the app has none of its own, and those of the hub hold.'),
  hub: rules,
})

const reason = z.enum(Object.keys(KEEP_REASONS) as [KeepReason, ...KeepReason[]])
const planned = z
  .strictObject({
    app: values.appName,
    build: values.buildNumber,
    cpv: values.cpv,
    receivedAt: time,
    sizeBytes,
    reasons: z.array(reason).describe('Why it stays although the rules let it go; empty: it would go.'),
  })
  .meta({ id: 'PlannedRetention' })
export type PlannedRetention = Answering<typeof planned>

const plan = z
  .strictObject({
    at: time,
    wouldGo: z.strictObject({ builds: z.int(), bytes: sizeBytes.describe('That would be free then.') }),
    keptByRules: z.int(),
    keptAgainstRules: z.int(),
    items: z.array(planned),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'RetentionPlan' })
export type RetentionPlanAnswer = Answering<typeof plan>

const EXAMPLE = { keepNewest: 50, keepDays: 90, keepRevisions: 20 }
const UNKNOWN = ['app.unknown'] as const

export const storageAndRetention: Noun = {
  name: 'Storage',
  description:
    'What takes how much space, and the rules of retention. Nothing is removed yet: the plan is for looking.',
  operations: {
    'storage.get': {
      call: 'GET /storage',
      summary: 'Tell what takes how much space',
      who: 'administers',
      answers: { 200: json('The figures.', storage) },
    },
    'retention.get': {
      call: 'GET /retention',
      summary: 'Get the rules of the hub',
      who: 'administers',
      answers: { 200: json('The rules.', rules) },
    },
    'retention.set': {
      call: 'PUT /retention',
      summary: 'Set the rules of the hub',
      description:
        'A build stays if it is among the newest of its app, or young; with neither rule every build stays. What stands, is pinned, held, asked for, run or kept by a node stays whatever the rules say.',
      who: 'administers',
      body: { schema: retentionSchema, example: EXAMPLE },
      change: true,
      answers: { 200: json('The rules.', orDryRun(rules)) },
    },
    'retention.plan': {
      call: 'GET /retention/plan',
      summary: 'Tell which builds the rules would let go of',
      description: 'And those that stay against the rules, with why. Ordered by app, newest build first.',
      who: 'administers',
      query: {
        app: z.string().optional(),
        what: z.enum(['goes', 'stays']).optional().describe('Only these.'),
        limit: z.int().min(1).max(500).optional(),
        cursor: z.string().optional(),
      },
      answers: { 200: json('The plan.', plan) },
      refusals: UNKNOWN,
    },
    'retention.getOfApp': {
      call: 'GET /apps/{app}/retention',
      summary: 'Get the rules that hold for an app',
      who: 'administers',
      answers: { 200: json('The rules.', ofApp) },
      refusals: UNKNOWN,
    },
    'retention.setOfApp': {
      call: 'PUT /apps/{app}/retention',
      summary: 'Give an app rules of its own',
      who: 'administers',
      body: { schema: retentionSchema, example: EXAMPLE },
      change: true,
      answers: { 200: json('The rules.', orDryRun(rules)) },
      refusals: UNKNOWN,
    },
    'retention.removeOfApp': {
      call: 'DELETE /apps/{app}/retention',
      summary: 'Take the own rules of an app away',
      description: 'Those of the hub hold then. Again, it changes nothing.',
      who: 'administers',
      change: true,
      answers: { 200: json('The rules that hold then.', orDryRun(rules)) },
      refusals: UNKNOWN,
    },
  },
}
