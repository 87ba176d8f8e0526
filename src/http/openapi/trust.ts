import { z } from 'zod'
import { trustShape } from '../../access/trust-shape.ts'
import { exchangeSchema } from '../trust-routes.ts'
import { dryRunMark, dryRunOf, json, orDryRun } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import { appName, time, who } from './values.ts'

const publisher = z
  .strictObject({
    id: z.string().meta({ examples: ['tru_01m83m0379dty7wehpe6zh'] }),
    app: appName,
    provider: z.enum(['github', 'gitlab', 'jenkins', 'other']),
    issuer: z.string().describe('Exactly the `iss` of its tokens.'),
    claims: z
      .record(z.string(), z.string())
      .meta({ description: 'What each claim must be.', examples: [{ repository: 'acme/shop' }] }),
    commands: z.boolean().describe('Whether its uploads may bring commands or an ebuild of their own.'),
    createdBy: who,
    createdAt: time,
  })
  .meta({ id: 'TrustedPublisher' })
export type TrustedPublisher = Answering<typeof publisher>

const exchanged = z.strictObject({
  id: z.string().nullable().describe('Of the token; null in a dry run.'),
  name: z.string().describe('Which job it is of.'),
  role: z.literal('developer'),
  apps: z.array(appName).describe('The one app that it is for.'),
  environments: z.null(),
  node: z.null(),
  commands: z.boolean(),
  createdBy: z.string().describe('The trusted publisher.'),
  owner: z.string(),
  createdAt: time,
  expiresAt: time,
  revokedAt: z.null(),
  token: z.string().optional().describe('Shown this once; absent in a dry run.'),
  dryRun: dryRunMark.optional(),
})

export const trust: Noun = {
  name: 'Trusted publishing',
  description: 'CI without stored secrets: an app trusts the identity that a CI gives its jobs.',
  operations: {
    'trustedPublishers.add': {
      call: 'POST /apps/{app}/trusted-publishers',
      summary: 'Trust an identity of a CI',
      description:
        'For an app that may not be there yet. In patterns `*` stands for a part of one segment between `/` and `:`.',
      who: 'administers',
      body: {
        schema: trustShape,
        example: { provider: 'github', repository: 'acme/shop', workflow: 'ci.yml' },
      },
      change: true,
      answers: {
        200: json('Of a dry run.', dryRunOf(publisher)),
        201: json('The trusted publisher.', publisher),
      },
      refusals: ['app.invalid_name', 'trust.exists', 'trust.too_wide', 'trust.forbidden_issuer'],
    },
    'trustedPublishers.list': {
      call: 'GET /apps/{app}/trusted-publishers',
      summary: 'List whom an app trusts',
      description: 'Oldest first.',
      who: 'administers',
      page: { of: publisher },
    },
    'trustedPublishers.remove': {
      call: 'DELETE /apps/{app}/trusted-publishers/{trust}',
      summary: 'Trust an identity no more',
      description: 'The tokens that were given for it end.',
      who: 'administers',
      change: true,
      answers: { 200: json('What was trusted.', orDryRun(publisher)) },
      refusals: ['trust.unknown'],
    },
    'trustedPublishing.exchange': {
      call: 'POST /trusted-publishing/token',
      summary: 'Exchange an identity for a token',
      description:
        'An identity token, whose audience is the public URL of the hub, is good for one token of one app: for uploads and checks, for 15 minutes.',
      who: 'anyone',
      body: { schema: exchangeSchema, example: { app: 'shop', identity: 'eyJhbGciOiJSUzI1NiIs…' } },
      change: { key: false },
      answers: { 200: json('Of a dry run.', exchanged), 201: json('The token.', exchanged) },
      refusals: [
        ...(['app.invalid_name', 'identity.invalid', 'identity.expired', 'identity.wrong_audience'] as const),
        ...(['identity.untrusted', 'identity.used', 'identity.issuer_unreachable'] as const),
      ],
    },
  },
}
