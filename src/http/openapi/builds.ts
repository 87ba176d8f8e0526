import { z } from 'zod'
import { content, json, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'
import { verdict } from './verdict.ts'

const releaseOfBuild = z.strictObject({
  id: z.string(),
  environment: values.environmentName,
  state: z.enum(['released', 'withdrawn']),
  revision: z.int().describe('The revision of the overlay that published it.'),
  releasedAt: values.time.describe('When that revision was published.'),
})

export const build = z
  .strictObject({
    id: values.named('App and number.', 'shop/45'),
    app: values.appName,
    build: values.buildNumber,
    version: z.string().nullable().describe('The semantic version that was sent; null: none was.'),
    cpv: values.cpv,
    category: z.string(),
    pn: z.string(),
    pv: values.named('The version, as Portage writes it.', '1.4.0_rc2_p45'),
    tarball: z.strictObject({
      name: values.named('As it is called in the mirror of distfiles.', 'hub-shop-1.4.0_rc2_p45.tar.gz'),
      format: z.enum(['tar', 'tar.gz', 'tar.bz2', 'tar.xz', 'tar.zst']),
      sizeBytes: values.sizeBytes,
      blake2b: values.blake2b,
      sha512: values.sha512,
      sha256: values.sha256,
    }),
    contents: z.strictObject({
      topDirectory: z
        .string()
        .nullable()
        .describe('The one folder that everything is in; null: there is none.'),
      entryCount: z.int(),
      unpackedBytes: values.sizeBytes,
    }),
    recipe: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('The recipe that it is packaged by; null: an ebuild was sent complete.'),
    recipeSource: z
      .string()
      .describe('Where the recipe came from: `upload`, `tarball`, `app`, `default` or `template`.'),
    commit: z.string().nullable(),
    branch: z.string().nullable(),
    ciUrl: z.string().nullable(),
    uploadedBy: values.who,
    receivedAt: values.time,
    yanked: z
      .strictObject({ hold: z.string(), reason: z.string(), by: values.who, at: values.time })
      .nullable()
      .describe('By whom and why it is masked everywhere; null: it is not.'),
    pinned: z
      .strictObject({ reason: z.string(), by: values.who, at: values.time })
      .nullable()
      .describe('By whom and why it is kept from retention; null: it is not.'),
    releases: z.array(releaseOfBuild).describe('Where it is or was published, as far as the asker may know.'),
  })
  .meta({ id: 'Build' })
export type Build = Answering<typeof build>

export const archiveEntry = z
  .strictObject({
    path: z.string(),
    type: z.enum(['file', 'directory', 'symlink', 'hardlink']),
    mode: values.named('Permission bits, octal.', '0644'),
    sizeBytes: values.sizeBytes,
    target: z.string().optional().describe('Where a link leads.'),
  })
  .meta({ id: 'ArchiveEntry' })
export type ArchiveEntryAnswer = Answering<typeof archiveEntry>

const SEARCH = z
  .string()
  .optional()
  .describe('Part of the app’s name, the version, the commit or the branch; from three characters on.')

const DIGESTED = { ETag: z.string(), 'Repr-Digest': z.string().optional() }

const UNKNOWN = ['build.unknown', 'build.invalid_number'] as const

export const builds: Noun = {
  name: 'Builds',
  description: 'What is in the archive. A build never changes, and its number is never used again.',
  operations: {
    'builds.listAll': {
      call: 'GET /builds',
      summary: 'List builds of all apps',
      description: 'Newest first, by arrival.',
      who: 'any token',
      query: { q: SEARCH },
      page: { of: build },
    },
    'builds.list': {
      call: 'GET /apps/{app}/builds',
      summary: 'List builds of an app',
      description: 'Newest first, by number.',
      who: 'sees',
      query: { q: SEARCH },
      page: { of: build },
      refusals: ['app.unknown'],
    },
    'builds.get': {
      call: 'GET /apps/{app}/builds/{build}',
      summary: 'Get a build',
      who: 'sees',
      answers: { 200: json('The build.', build) },
      refusals: UNKNOWN,
    },
    'builds.download': {
      call: 'GET /apps/{app}/builds/{build}/tarball',
      summary: 'Download the tarball',
      description:
        'As an attachment by its distfile’s name. HEAD, Range, If-Range and If-None-Match do as they should.',
      who: 'sees',
      headers: { Range: z.string().optional() },
      answers: {
        200: content('The bytes.', 'application/octet-stream', DIGESTED),
        206: content('The bytes asked for.', 'application/octet-stream', DIGESTED),
        304: { description: 'It is the one of `If-None-Match`.' },
      },
      refusals: [...UNKNOWN, 'request.range_not_satisfiable'],
    },
    'builds.listFiles': {
      call: 'GET /apps/{app}/builds/{build}/files',
      summary: 'List what is in the tarball',
      description: 'In its order.',
      who: 'sees',
      query: {
        prefix: z.string().optional().describe('Only paths that begin so.'),
        q: z.string().optional().describe('Only paths with this part, whatever the case.'),
      },
      page: { of: archiveEntry, limit: [1000, 10_000] },
      refusals: UNKNOWN,
    },
    'builds.readFile': {
      call: 'GET /apps/{app}/builds/{build}/files/{path}',
      summary: 'Read a file of the tarball',
      description: 'As text, its first MiB; `X-Truncated` when there is more.',
      who: 'sees',
      answers: { 200: content('The text.', 'text/plain', { 'X-Truncated': z.literal('true').optional() }) },
      refusals: [...UNKNOWN, 'archive.no_such_file', 'archive.not_text'],
    },
    'builds.downloadFile': {
      call: 'GET /apps/{app}/builds/{build}/raw/{path}',
      summary: 'Download a file of the tarball',
      description:
        'All its bytes, as an attachment of type `application/octet-stream`. An image (PNG, JPEG, GIF, WebP, SVG) has its own type and may be shown; `Content-Security-Policy` keeps a browser from running any of it. Of a hard link the bytes of its file. There are no ranges.',
      who: 'sees',
      answers: { 200: content('The bytes.', 'application/octet-stream') },
      refusals: [...UNKNOWN, 'archive.no_such_file'],
    },
    'builds.ebuild': {
      call: 'GET /apps/{app}/builds/{build}/ebuild',
      summary: 'Read the ebuild',
      description: 'The one that every environment publishes for it.',
      who: 'sees',
      answers: { 200: content('The ebuild.', 'text/plain') },
      refusals: UNKNOWN,
    },
    'builds.eligibility': {
      call: 'GET /apps/{app}/builds/{build}/eligibility/{environment}',
      summary: 'Tell whether it may be promoted, and why not',
      description: 'Every rule of the environment with its state: the one answer to "why not".',
      who: 'sees',
      answers: { 200: json('The verdict.', verdict) },
      refusals: [...UNKNOWN, 'environment.unknown'],
    },
    'digests.get': {
      call: 'GET /digests/{hex}',
      summary: 'Find builds by a digest',
      description: 'Whose bytes have this SHA512, BLAKE2B or SHA256.',
      who: 'sees',
      answers: {
        200: json(
          'What has it.',
          z.strictObject({ items: z.array(plus(build, { kind: z.literal('build') })) }),
        ),
      },
      refusals: ['digest.unknown'],
    },
  },
}
