import { z } from 'zod'
import { uploadFieldsSchema } from '../upload.ts'
import { CHUNK_TYPE, TUS_VERSION } from '../resumable-headers.ts'
import { build } from './builds.ts'
import { dryRunMark, json, plus } from './operation.ts'
import type { Noun } from './operation.ts'
import { OF_ENTRIES } from './problem.ts'
import { promotion } from './promotions.ts'
import * as values from './values.ts'

const archived = plus(build, {
  promotions: z.array(promotion).describe('What the upload asked for, by policy or by hand.'),
  warnings: z
    .array(z.strictObject({ code: z.string(), detail: z.string() }))
    .describe('What was taken although it looks like a mistake.'),
}).meta({ id: 'ArchivedBuild' })

const wouldArchive = plus(build, {
  dryRun: dryRunMark,
  wouldArchive: z.boolean().describe('false: it is archived already.'),
  ebuild: z.string().nullable().describe('The ebuild that it would have; null: it is archived already.'),
}).meta({ id: 'BuildDryRun' })

const ARCHIVED = {
  201: json('It is archived.', archived, { Location: z.string() }),
  200: json(
    'This build with these bytes was archived before; or it was a dry run.',
    z.union([archived, wouldArchive]),
  ),
}

/** What both ways of sending a tarball may be refused with. */
const REFUSALS = [
  'app.invalid_name',
  'app.category_fixed',
  'app.name_taken',
  'build.invalid_number',
  'build.duplicate',
  'version.invalid',
  'version.no_lossless_form',
  'upload.digest_mismatch',
  'upload.too_large',
  'archive.unsupported_format',
  'archive.no_program',
  'archive.corrupt',
  'archive.empty',
  ...OF_ENTRIES,
  'recipe.invalid',
  'recipe.not_in_tarball',
  'recipe.forbidden',
  'ebuild.unsafe',
  'ebuild.template_invalid',
  'environment.unknown',
  'request.truncated',
] as const

const upload = z
  .strictObject({
    id: values.named('Its id.', 'upl_01m83m0379dty7wehpe6zh'),
    sizeBytes: values.sizeBytes,
    offset: z.int().min(0).describe('So many bytes are on disk.'),
    app: z.string().nullable().describe('What it became; null while it is nothing.'),
    build: z.int().nullable(),
    createdAt: values.time,
    expiresAt: values.time,
  })
  .meta({ id: 'Upload' })

const SPEAKS = { 'Tus-Resumable': z.literal(TUS_VERSION) }
const STANDING = { 'Upload-Offset': z.int().min(0), 'Upload-Expires': z.string() }
const DESCRIBED = { ...STANDING, 'Upload-Length': z.int(), 'Upload-Metadata': z.string().optional() }
const CHECKSUM = z
  .string()
  .optional()
  .meta({ description: '`sha512`, `sha256` or `sha1`, a space, and the digest in base64.' })
const CHUNK = { content: { [CHUNK_TYPE]: { schema: values.bytes } } }

const TUS = ['upload.unsupported_version', 'upload.unsupported_type', 'request.truncated'] as const

const SPOKEN = {
  'Tus-Version': z.literal(TUS_VERSION),
  'Tus-Extension': z.string(),
  'Tus-Max-Size': z.int(),
  'Tus-Checksum-Algorithm': z.string(),
}

const DIGEST = z
  .string()
  .optional()
  .meta({ description: 'RFC 9530, `sha-512` or `sha-256`: checked before anything is kept.' })
const DECLARED = { 'Content-Digest': DIGEST, 'Repr-Digest': DIGEST }

/** The fields of a build whose bytes came before: numbers and truth values may be that. */
const UPLOADED = uploadFieldsSchema.extend({
  upload: z.string().describe('The id or address of a finished resumable upload.'),
  build: z.union([z.int().min(1), z.string()]).optional(),
  dryRun: z.union([z.boolean(), z.enum(['true', 'false'])]).optional(),
  promote: z.union([z.boolean(), z.string().max(64)]).optional(),
})

export const uploads: Noun = {
  name: 'Uploads',
  description: `How builds come into the archive: as a form, as a raw body, or in pieces by [tus 1.0.0](https://tus.io/protocols/resumable-upload).`,
  operations: {
    'builds.upload': {
      call: 'POST /apps/{app}/builds',
      summary: 'Archive a tarball',
      description:
        'Archives it and publishes it as asked. It is answered when the bytes are digested, on disk and recorded. `tarball` is a file; in its place `upload` may name a finished resumable upload, and then the fields may come as JSON too. An `Idempotency-Key` is of use where no `build` is sent.',
      who: 'uploads',
      body: {
        content: {
          'multipart/form-data': {
            schema: uploadFieldsSchema.extend({
              tarball: values.bytes.optional(),
              upload: z.string().optional(),
            }),
          },
          'application/json': {
            schema: UPLOADED,
            example: { upload: 'upl_01m83m0379dty7wehpe6zh', build: 45 },
          },
        },
      },
      headers: DECLARED,
      change: true,
      answers: ARCHIVED,
      refusals: [
        ...REFUSALS,
        'upload.missing_tarball',
        'upload.unknown',
        'upload.incomplete',
        'request.too_large',
      ],
    },
    'builds.put': {
      call: 'PUT /apps/{app}/builds/{build}/tarball',
      summary: 'Archive a tarball that is the body',
      description: 'As `curl -T` sends it. The fields of the form are in the query.',
      who: 'uploads',
      query: uploadFieldsSchema.omit({ build: true, dryRun: true }).shape,
      headers: DECLARED,
      body: { content: { 'application/octet-stream': { schema: values.bytes } } },
      change: { key: false },
      answers: ARCHIVED,
      refusals: REFUSALS,
    },
    'uploads.options': {
      call: 'OPTIONS /uploads',
      summary: 'Ask what of tus the hub speaks',
      who: 'anyone',
      answers: { 204: { description: 'It is in the header.', headers: SPOKEN } },
    },
    'uploads.optionsOfOne': {
      call: 'OPTIONS /uploads/{upload}',
      summary: 'Ask what of tus the hub speaks, at an upload’s address',
      who: 'anyone',
      answers: { 204: { description: 'It is in the header.', headers: SPOKEN } },
    },
    'uploads.begin': {
      call: 'POST /uploads',
      summary: 'Begin a resumable upload',
      description: 'The body may bring the first bytes, or all.',
      who: 'sends bytes',
      headers: {
        ...SPEAKS,
        'Upload-Length': z.int().min(0).describe('So many bytes it will have.'),
        'Upload-Metadata': z
          .string()
          .optional()
          .describe('Kept and told: `<key> <base64>,<key>`, up to 4096 characters.'),
        'Upload-Checksum': CHECKSUM,
      },
      body: { ...CHUNK, optional: true },
      change: { key: false },
      answers: {
        201: json('It is begun.', upload, { ...STANDING, Location: z.string() }),
        200: json('Of a dry run.', plus(upload, { dryRun: dryRunMark })),
      },
      refusals: [
        ...TUS,
        'upload.too_large',
        'upload.too_many',
        'upload.checksum_mismatch',
        'upload.too_long',
      ],
    },
    'uploads.get': {
      call: 'GET /uploads/{upload}',
      summary: 'Ask how a resumable upload stands',
      who: 'began it',
      answers: { 200: json('The upload.', upload, DESCRIBED) },
      refusals: ['upload.unknown'],
    },
    'uploads.offset': {
      call: 'HEAD /uploads/{upload}',
      summary: 'Ask where a resumable upload goes on',
      who: 'began it',
      headers: SPEAKS,
      answers: { 200: { description: 'It is in the header.', headers: DESCRIBED } },
      refusals: ['upload.unsupported_version', 'upload.unknown'],
    },
    'uploads.append': {
      call: 'PATCH /uploads/{upload}',
      summary: 'Append bytes to a resumable upload',
      description:
        'What `Upload-Offset` says is on disk for good. When the request breaks off, what came counts, unless it had a checksum. One request writes at a time.',
      who: 'began it',
      headers: {
        ...SPEAKS,
        'Upload-Offset': z.int().min(0).describe('Where the body begins: where the upload stands.'),
        'Upload-Checksum': CHECKSUM,
      },
      body: CHUNK,
      change: { dryRun: false, key: false },
      answers: { 204: { description: 'They are on disk.', headers: STANDING } },
      refusals: [
        ...TUS,
        'upload.unknown',
        'upload.offset_mismatch',
        'upload.too_long',
        'upload.checksum_mismatch',
        'upload.busy',
      ],
    },
    'uploads.end': {
      call: 'DELETE /uploads/{upload}',
      summary: 'End a resumable upload',
      description: 'Nothing is left of it.',
      who: 'began it',
      headers: SPEAKS,
      change: { key: false },
      answers: { 204: { description: 'It is gone.' } },
      refusals: ['upload.unsupported_version', 'upload.unknown'],
    },
  },
}
