import { z } from 'zod'
import { json } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import { sizeBytes, time } from './values.ts'

const state = z.enum(['ok', 'warn', 'fail'])

const check = z.strictObject({
  check: z.string(),
  state,
  detail: z.string().describe('What was found.'),
  toDo: z.string().nullable().describe('What to do about it; null when it is ok.'),
})

const job = z.strictObject({
  name: z.string(),
  schedule: z.string().describe('As cron writes it, in UTC.'),
  nextAt: time.nullable(),
  startedAt: time.nullable().describe('null: not since the hub started.'),
  endedAt: time.nullable().describe('null: it has not run, or runs now.'),
  error: z.string().nullable().describe('Why the last run failed; null: it did not.'),
  runs: z.int(),
  failures: z.int(),
})

const health = z
  .strictObject({
    state: state.describe('That of the worst check.'),
    version: z.string(),
    node: z.string().describe('The version of Node that it runs on.'),
    startedAt: time,
    memoryBytes: sizeBytes.describe('Of the process, resident.'),
    disk: z.strictObject({ freeBytes: sizeBytes, totalBytes: sizeBytes }).describe('That holds the data.'),
    checkedAt: time.describe(
      'When host and addresses were looked at: a minute ago at most, unless nobody asked.',
    ),
    checks: z.array(check),
    queues: z.strictObject({
      deliveries: z
        .strictObject({ waiting: z.int(), dead: z.int() })
        .describe('To webhooks; `dead`: given up.'),
      promotions: z.int().describe('That are open.'),
      uploads: z.int().describe('That are being sent in pieces.'),
    }),
    jobs: z.array(job).describe('Since the hub started.'),
    settings: z.array(
      z.strictObject({
        name: z.string(),
        variable: z.string(),
        value: z.unknown().describe('A secret is masked.'),
        meaning: z.string(),
      }),
    ),
  })
  .meta({ id: 'Health' })
export type Health = Answering<typeof health>

export const healthOfHub: Noun = {
  name: 'Health',
  description: 'Whether the hub is well. `/healthz` and `/readyz` tell programs that it runs.',
  operations: {
    'health.get': {
      call: 'GET /health',
      summary: 'Tell whether the hub is well',
      description:
        'The checks of `portage-hub doctor` that make sense in a running hub, its queues, jobs and settings.',
      who: 'administers',
      answers: { 200: json('How it is.', health) },
    },
  },
}
