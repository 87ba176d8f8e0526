import { z } from 'zod'
import { CHANGES } from '../../audit/changes.ts'
import type { ChangeType } from '../../audit/changes.ts'
import { content, json } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

export const changeType = z
  .enum(Object.keys(CHANGES) as [ChangeType, ...ChangeType[]])
  .meta({ id: 'ChangeType' })
export const facts = z.record(z.string(), z.unknown()).nullable()

/** What an event has of a record of the audit too. */
export const told = {
  seq: z.int().min(1).describe('1, 2, 3, …'),
  id: values.named('Its id.', 'aud_01kdyak348ds83dqjsap7r'),
  at: values.time,
  type: changeType,
  subject: values.named('The id of what was changed.', 'shop/45'),
  app: values.appName.nullable(),
  build: values.buildNumber.nullable(),
  environment: values.environmentName.nullable(),
  node: values.nodeName.nullable(),
  actor: values.who.describe('Who did it; `hub` for what the hub does by itself.'),
  reason: z.string().nullable(),
  before: facts.describe('What it was, as far as it changed.'),
  after: facts,
}

const record = z
  .strictObject({
    ...told,
    actorRole: z.string(),
    actorId: z.string().nullable().describe('Of the token or person.'),
    address: z.string().nullable(),
    requestId: z.string().nullable(),
    previousHash: values.sha256,
    hash: values.sha256,
  })
  .meta({ id: 'AuditRecord' })
export type AuditRecord = Answering<typeof record>

const FILTER = {
  type: changeType.optional(),
  app: z.string().optional(),
  build: z.int().min(1).optional(),
  environment: z.string().optional(),
  node: z.string().optional(),
  actor: z.string().optional(),
  subject: z.string().optional(),
  since: z.string().optional().describe('A day or a time of RFC 3339.'),
  until: z.string().optional().describe('Before this day or time.'),
}

export const audit: Noun = {
  name: 'Audit',
  description: 'Every change: who, what, when, from where, and why, in a chain of hashes.',
  operations: {
    'audit.list': {
      call: 'GET /audit',
      summary: 'List changes',
      description: 'Newest first.',
      who: 'administers',
      query: FILTER,
      page: { of: record },
      refusals: ['build.invalid_number'],
    },
    'audit.export': {
      call: 'GET /audit/export',
      summary: 'Export changes',
      description:
        'Oldest first, one JSON object a line, `before` and `after` as the texts that were hashed: what a chain is checked by.',
      who: 'administers',
      query: {
        ...FILTER,
        after: z.int().min(0).optional().describe('Begin behind this `seq`.'),
        limit: z.int().min(0).optional(),
      },
      answers: { 200: content('The records.', 'application/x-ndjson') },
      refusals: ['build.invalid_number'],
    },
    'audit.verify': {
      call: 'GET /audit/verify',
      summary: 'Follow the whole chain',
      who: 'administers',
      query: { head: z.string().optional().describe('`<seq>:<hash>` of a head that was kept elsewhere.') },
      answers: {
        200: json(
          'What was found.',
          z.strictObject({
            ok: z.boolean(),
            head: z.strictObject({ seq: z.int(), hash: z.string() }),
            faults: z.array(z.strictObject({ seq: z.int(), what: z.string() })),
          }),
        ),
      },
    },
  },
}
