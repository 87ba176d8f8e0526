/** The verdict whether a build may be published in an environment: eligibility, promotions and refusals show the same. */
import { z } from 'zod'
import type { Answering } from './operation.ts'
import { time, who } from './values.ts'

export const rule = z
  .strictObject({
    code: z.string().meta({ examples: ['environment.previous'] }),
    state: z.enum(['met', 'unmet', 'waived']),
    detail: z.string(),
    since: time.nullable().describe('Since when it is so; null where that is no matter of time.'),
    by: who.nullable().describe('Who made it so; null: nobody in particular.'),
    toMeet: z.string().nullable().describe('What makes it met; null when it is.'),
    app: z.string().optional().describe('Of a release set: the app that it is about.'),
    build: z.int().min(1).optional().describe('Of a release set: the build of that app.'),
  })
  .meta({ id: 'Rule' })

export const verdict = z
  .strictObject({
    eligible: z.boolean(),
    policyVersion: z.int().min(0).describe('The version of the environment’s policy that judged.'),
    rules: z.array(rule),
  })
  .meta({ id: 'Verdict' })
export type VerdictAnswer = Answering<typeof verdict>
