import { z } from 'zod'
import { ROLES } from '../../access/rights.ts'
import { tokenSchema } from '../token-routes.ts'
import { dryRunMark, json, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

export const grant = z
  .strictObject({
    role: z.enum(ROLES),
    apps: z.array(z.string()).nullable().describe('null: all.'),
    environments: z.array(z.string()).nullable().describe('null: all.'),
  })
  .meta({ id: 'Grant', description: 'A role, and where it holds.' })

const node = z.string().nullable().describe('The node that it is, or the only one that it may enrol.')

export const token = z
  .strictObject({
    id: values.named('Its id.', 'tok_01m83m0379dty7wehpe6zh'),
    name: values.named('What records and commits say.', 'ci shop'),
    ...grant.shape,
    node,
    commands: z.boolean().describe('Its uploads may bring commands and ebuilds of their own.'),
    createdBy: values.who,
    owner: z.string().describe('Who is behind it: the id of a person, or of the token that stands for one.'),
    createdAt: values.time,
    expiresAt: values.time.nullable(),
    revokedAt: values.time.nullable(),
  })
  .meta({ id: 'Token' })
export type Token = Answering<typeof token>

const draft = z.strictObject({
  ...grant.shape,
  name: z.string(),
  node,
  commands: z.boolean(),
  expiresIn: z.string().nullable(),
  person: z.string().nullable(),
  dryRun: dryRunMark,
})

const asker = z
  .strictObject({
    kind: z.enum(['token', 'person']),
    id: z.string(),
    name: z.string(),
    role: grant.shape.role
      .nullable()
      .describe('This and the next two are those of the grant; null where it has several.'),
    apps: grant.shape.apps,
    environments: grant.shape.environments,
    node,
    grants: z.array(grant),
  })
  .meta({ id: 'Principal' })
export type Asker = Answering<typeof asker>

export const tokens: Noun = {
  name: 'Tokens',
  description: 'Made by administrators, shown once, kept as digests.',
  operations: {
    'tokens.create': {
      call: 'POST /tokens',
      summary: 'Make a token',
      who: 'administers',
      body: { schema: tokenSchema, example: { name: 'dashboard', role: 'reader', expiresIn: '90d' } },
      change: true,
      answers: {
        201: json(
          'The token.',
          plus(token, {
            token: z
              .string()
              .nullable()
              .describe('The secret, shown this once; null: an Idempotency-Key was repeated.'),
          }),
        ),
        200: json('Of a dry run.', draft),
      },
      refusals: ['environment.unknown', 'app.invalid_name', 'node.invalid_name', 'person.unknown'],
    },
    'tokens.list': {
      call: 'GET /tokens',
      summary: 'List tokens',
      description: 'Oldest first, revoked and expired ones too, unless the query says otherwise.',
      who: 'administers',
      query: {
        role: z.enum(ROLES).optional(),
        person: z.string().optional().describe('Who is behind them, by name or id.'),
        state: z.enum(['good', 'ended']).optional().describe('`ended`: revoked or expired.'),
        order: z.enum(['oldest', 'newest']).optional().describe('What comes first.'),
      },
      page: { of: token },
      refusals: ['person.unknown'],
    },
    'tokens.revoke': {
      call: 'DELETE /tokens/{token}',
      summary: 'Revoke a token',
      description: 'From now on. Again, it changes nothing.',
      who: 'administers',
      change: true,
      answers: {
        200: json(
          'The token, revoked; of a dry run its id.',
          z.union([token, z.strictObject({ id: z.string(), dryRun: dryRunMark })]),
        ),
      },
      refusals: ['token.unknown'],
    },
    'tokens.whoami': {
      call: 'GET /whoami',
      summary: 'Tell whose token this is',
      who: 'any token at all',
      answers: { 200: json('Who asks.', asker) },
    },
  },
}
