import { z } from 'zod'
import { revocationSchema, rotationSchema } from '../key-routes.ts'
import { dryRunMark, json, orDryRun } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

const purpose = z.enum(['overlay', 'binhost']).describe('Commits of overlays, or binary packages of nodes.')

export const key = z
  .strictObject({
    id: z.string(),
    fingerprint: values.named('In hex.', 'E881B0CF67E8FEE158A8F1E1D3723BF03ECAF133'),
    purpose,
    state: z
      .enum(['next', 'active', 'retiring', 'retired', 'revoked'])
      .describe(
        '`next`: published, does not sign yet; `active`: signs; `retiring`: signs no more, is still believed; `retired`: believed no more.',
      ),
    createdAt: values.time,
    signsFrom: values.time,
    expiresAt: values.time.nullable(),
    retiredAt: values.time.nullable(),
    revokedAt: values.time.nullable(),
    reason: z.enum(['compromised', 'superseded', 'retired']).nullable(),
    note: z.string().nullable(),
    signed: z
      .strictObject({ overlays: z.array(values.environmentName), packages: z.int().min(0) })
      .describe('What nodes still get of it.'),
    url: z.string(),
  })
  .meta({ id: 'Key' })
export type Key = Answering<typeof key>

export const keys: Noun = {
  name: 'Keys',
  description: 'The OpenPGP keys that sign for the hub.',
  operations: {
    'keys.list': {
      call: 'GET /keys',
      summary: 'List keys',
      description: 'Those of overlays first, oldest first, all at once.',
      who: 'administers',
      answers: { 200: json('The keys.', values.wholeListOf(key)) },
    },
    'keys.rotate': {
      call: 'POST /keys',
      summary: 'Make a key that takes over',
      description: 'It is published at once and signs after `overlap`, so that nodes have it before.',
      who: 'administers',
      body: { schema: rotationSchema, example: { purpose: 'overlay', overlap: '7d' } },
      change: true,
      answers: {
        201: json('The new key.', key),
        200: json('Of a dry run.', z.strictObject({ purpose, overlapSec: z.int(), dryRun: dryRunMark })),
      },
      refusals: ['key.waiting'],
    },
    'keys.revoke': {
      call: 'POST /keys/{fingerprint}/revoke',
      summary: 'Revoke a key for good',
      description:
        'Reason and note are published with it. When it answers, the key signs nothing any more; packages that it signed are signed again one after the other.',
      who: 'administers',
      body: { schema: revocationSchema, example: { reason: 'retired' } },
      change: true,
      answers: { 200: json('The key, revoked.', orDryRun(key)) },
      refusals: ['key.unknown', 'key.in_use'],
    },
  },
}
