import { z } from 'zod'
import { policySchema } from '../../environments/policy.ts'
import { withdrawalSchema } from '../environment-routes.ts'
import { policyBodySchema } from '../policy-routes.ts'
import { content, json, orDryRun, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

export const environment = z
  .strictObject({
    id: values.environmentName,
    name: values.environmentName,
    policy: z.strictObject({ promote: z.enum(['automatic', 'request']), version: z.int().min(0) }),
    anonymousRead: z.boolean().describe('Its overlay and distfiles need no token.'),
    overlay: z.strictObject({
      name: z.string().meta({ examples: ['hub-staging'] }),
      gitUrl: z.string(),
      zipUrl: z.string(),
      revision: z.int().min(0).describe('The newest; 0: none was published yet.'),
      commit: values.oid.nullable(),
    }),
    distfilesUrl: z.string(),
    signingKey: z.strictObject({ url: z.string(), fingerprint: z.string() }),
  })
  .meta({ id: 'Environment' })
export type Environment = Answering<typeof environment>

const policy = z
  .strictObject({
    environment: values.environmentName,
    version: z.int().min(0).describe('0: nobody set one, and the settings hold.'),
    setBy: z.string().nullable(),
    setAt: values.time.nullable(),
    ...policySchema.shape,
  })
  .meta({ id: 'Policy' })
export type PolicyAnswer = Answering<typeof policy>

export const release = z
  .strictObject({
    id: values.named('Its id.', 'rel_01m83m3xnnpm5ygmp4gm6j'),
    environment: values.environmentName,
    app: values.appName,
    build: values.buildNumber,
    version: z.string().nullable(),
    cpv: values.cpv,
    state: z.enum(['released', 'withdrawn']),
    releasedBy: values.who,
    releasedAt: values.time,
    revision: z.int(),
    withdrawnBy: z.string().nullable(),
    withdrawnAt: values.time.nullable(),
    withdrawnRevision: z.int().nullable(),
    reason: z.string().nullable().describe('Why it was withdrawn.'),
  })
  .meta({ id: 'Release' })
export type Release = Answering<typeof release>

export const revision = z
  .strictObject({
    id: values.named('Environment and number.', 'production@4'),
    environment: values.environmentName,
    revision: z.int().min(1),
    commit: values.oid,
    parent: values.oid.nullable(),
    tree: values.oid,
    author: values.who,
    publishedAt: values.time,
    message: z.string(),
  })
  .meta({ id: 'Revision' })
export type Revision = Answering<typeof revision>

const fileDiff = z.strictObject({
  path: z.string(),
  action: z.enum(['add', 'change', 'remove']),
  before: z.string().nullable().describe('null: not there, or not text.'),
  after: z.string().nullable(),
})

const keptFile = z.strictObject({ path: z.string() })
const putFile = z.strictObject({ path: z.string(), published: values.published })

const UNKNOWN = ['environment.unknown'] as const

export const environments: Noun = {
  name: 'Environments',
  description: 'What stands where: policies, releases, and each overlay’s history and hand-kept files.',
  operations: {
    'environments.list': {
      call: 'GET /environments',
      summary: 'List environments',
      description: 'Those that one reads, in the order of promotion, all at once.',
      who: 'any token',
      answers: { 200: json('The environments.', values.wholeListOf(environment)) },
    },
    'environments.get': {
      call: 'GET /environments/{environment}',
      summary: 'Get an environment',
      who: 'sees there',
      answers: { 200: json('The environment.', environment) },
      refusals: UNKNOWN,
    },
    'environments.getPolicy': {
      call: 'GET /environments/{environment}/policy',
      summary: 'Get the policy of an environment',
      description: 'What a build must have before it is released there.',
      who: 'sees there',
      query: { version: z.int().min(0).optional().describe('An earlier one; all are kept.') },
      answers: { 200: json('The policy.', policy) },
      refusals: [...UNKNOWN, 'policy.unknown'],
    },
    'environments.setPolicy': {
      call: 'PUT /environments/{environment}/policy',
      summary: 'Set the policy of an environment',
      description:
        'Keys that are left out get their defaults. What GET answered may be sent back: with its `version` it changes that one and no other.',
      who: 'administers',
      body: {
        schema: policyBodySchema,
        example: { promote: 'request', checks: { commit: ['unit'], acceptance: [], manual: [] }, soak: null },
      },
      change: true,
      answers: { 200: json('The policy as it is now.', orDryRun(policy)) },
      refusals: [...UNKNOWN, 'policy.changed', 'policy.unmeetable'],
    },
    'releases.list': {
      call: 'GET /environments/{environment}/releases',
      summary: 'List the releases of an environment',
      description: 'Newest first.',
      who: 'sees there',
      query: { app: z.string().optional(), state: z.enum(['released', 'withdrawn']).optional() },
      page: { of: release },
      refusals: UNKNOWN,
    },
    'releases.withdraw': {
      call: 'POST /environments/{environment}/releases/{release}/withdraw',
      summary: 'Withdraw a release',
      description: 'Masks the version in this overlay.',
      who: 'promotes',
      body: { schema: withdrawalSchema, example: { reason: 'orders are charged twice' } },
      change: true,
      answers: {
        200: json('The release as it is now.', orDryRun(release, { published: values.published })),
      },
      refusals: [...UNKNOWN, 'release.unknown', 'release.already_withdrawn'],
    },
    'environments.feed': {
      call: 'GET /environments/{environment}/feed.atom',
      summary: 'Read the feed of an environment',
      description: 'The newest 50 releases, withdrawals, holds and lifted holds, as Atom.',
      who: 'reads',
      answers: {
        200: content('The feed.', 'application/atom+xml', { ETag: z.string() }),
        304: { description: 'It is the one of `If-None-Match`.' },
      },
      refusals: UNKNOWN,
    },
    'revisions.list': {
      call: 'GET /environments/{environment}/revisions',
      summary: 'List the revisions of an overlay',
      description: 'Newest first. With `at` the first one is that which stood at the time.',
      who: 'reads',
      query: {
        at: z
          .string()
          .optional()
          .describe(
            'Only those that were published by this time: `2026-11-20T12:00:00Z`, or `2026-11-20 12:00` in UTC.',
          ),
      },
      page: { of: revision },
      refusals: UNKNOWN,
    },
    'revisions.get': {
      call: 'GET /environments/{environment}/revisions/{revision}',
      summary: 'Get a revision with the paths that it changed',
      who: 'reads',
      answers: { 200: json('The revision.', plus(revision, { changes: values.pathChanges })) },
      refusals: [...UNKNOWN, 'overlay.unknown_revision'],
    },
    'revisions.diff': {
      call: 'GET /environments/{environment}/revisions/{revision}/diff',
      summary: 'Get a revision with the texts that it changed',
      who: 'reads',
      answers: { 200: json('The revision.', plus(revision, { files: z.array(fileDiff) })) },
      refusals: [...UNKNOWN, 'overlay.unknown_revision'],
    },
    'revisions.files': {
      call: 'GET /environments/{environment}/revisions/{revision}/files',
      summary: 'List the files of an overlay as of a revision',
      description: 'Of all of them, whichever revision put them there, in the order of git.',
      who: 'reads',
      query: { prefix: z.string().optional().describe('Only paths that begin so.') },
      page: { of: z.strictObject({ path: z.string(), oid: values.oid }), limit: [1000, 10_000] },
      refusals: [...UNKNOWN, 'overlay.unknown_revision'],
    },
    'revisions.file': {
      call: 'GET /environments/{environment}/revisions/{revision}/files/{path}',
      summary: 'Get a file of an overlay as of a revision',
      who: 'reads',
      answers: { 200: content('Its bytes.', 'text/plain') },
      refusals: [...UNKNOWN, 'overlay.unknown_revision', 'overlay.no_such_path'],
    },
    'overlayFiles.list': {
      call: 'GET /environments/{environment}/files',
      summary: 'List the hand-kept files of an overlay',
      description: 'All at once.',
      who: 'reads',
      answers: { 200: json('The files.', values.wholeListOf(keptFile)) },
      refusals: UNKNOWN,
    },
    'overlayFiles.put': {
      call: 'PUT /environments/{environment}/files/{path}',
      summary: 'Write a hand-kept file',
      description: 'The body is its bytes, up to 1 MiB. One revision; the same bytes again make none.',
      who: 'administers',
      body: { content: { 'application/octet-stream': { schema: values.bytes } } },
      change: { key: false },
      answers: { 200: json('What it did.', putFile) },
      refusals: [...UNKNOWN, 'overlay.path_refused', 'request.too_large'],
    },
    'overlayFiles.remove': {
      call: 'DELETE /environments/{environment}/files/{path}',
      summary: 'Take a hand-kept file away',
      who: 'administers',
      change: { key: false },
      answers: { 200: json('What it did.', putFile) },
      refusals: [...UNKNOWN, 'overlay.path_refused', 'overlay.no_such_path'],
    },
  },
}
