import { z } from 'zod'
import { announcementSchema } from '../../nodes/restore-point.ts'
import { content, json, orDryRun, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import { OF_ENTRIES } from './problem.ts'
import * as values from './values.ts'

const kind = z.enum(['binpkg', 'dump', 'info'])

export const pointFile = z
  .strictObject({
    kind,
    name: z.string().meta({ examples: ['shop.dump'] }),
    sizeBytes: values.sizeBytes,
    sha512: values.sha512,
    receivedAt: values.time.nullable().describe('null: its bytes are not here.'),
  })
  .meta({ id: 'RestorePointFile' })
export type PointFile = Answering<typeof pointFile>

export const point = z
  .strictObject({
    id: values.named('Given by the node.', 'rp_20261123T071500Z_k3j9x2'),
    node: values.nodeName,
    app: values.appName,
    cpv: values.cpv.describe('What the node ran.'),
    reason: z.enum(['upgrade', 'rollback', 'manual', 'portage']),
    state: z.enum(['announced', 'complete', 'refused']),
    refusal: z.string().nullable(),
    encrypted: z.boolean().describe('Its files can be read by the node and its operators alone.'),
    schemaVersion: z.int().nullable(),
    hubNode: z.string(),
    takenAt: values.nodeTime,
    announcedAt: values.time,
    completedAt: values.time.nullable(),
    rehearsed: z
      .strictObject({ at: values.nodeTime, ok: z.boolean(), detail: z.string() })
      .nullable()
      .describe('When its node last restored the dump for a trial; null: never.'),
    keptAt: values.time.nullable().describe('Since when somebody wants it kept; null: nobody does.'),
  })
  .meta({ id: 'RestorePoint' })
export type Point = Answering<typeof point>

export const storedPoint = plus(point, {
  changedFiles: z
    .strictObject({ count: z.int(), names: z.array(z.string()) })
    .nullable()
    .describe('Files that are not as they were installed, the first 20 by name; null: nobody knows.'),
})
export type StoredPoint = Answering<typeof storedPoint>

const wholePoint = plus(storedPoint, {
  files: z.array(
    plus(pointFile, {
      stored: z
        .strictObject({ sizeBytes: values.sizeBytes, sha512: values.sha512 })
        .nullable()
        .describe('What a GET of it gives; null: its bytes are not here.'),
    }),
  ),
})

const ANNOUNCED = {
  files: z.array(pointFile),
  wants: z.array(
    z.strictObject({
      kind,
      name: z.string(),
      only: z.literal('metadata').optional().describe('The hub has the image: the metadata will do.'),
    }),
  ),
}

const completed = z.strictObject({
  id: z.string(),
  state: z.literal('complete'),
  binpkgs: z.array(
    z.strictObject({
      cpv: values.cpv,
      binpkgBuildId: z.int(),
      path: z.string(),
      sizeBytes: values.sizeBytes,
      sha512: values.sha512,
    }),
  ),
})

const OCTETS = { content: { 'application/octet-stream': { schema: values.bytes } } }
const DIGEST = z.string().optional().describe('RFC 9530: checked before anything is kept.')
const SENT = {
  201: json('It is here.', pointFile),
  200: json('It was here already.', pointFile),
}
const RECEIVING = [
  'restore_point.unknown',
  'restore_point.unknown_file',
  'restore_point.ended',
  'upload.digest_mismatch',
  'upload.too_large',
  'request.truncated',
] as const
const UNKNOWN = ['restore_point.unknown'] as const

const ANNOUNCEMENT = {
  id: 'rp_20261123T071500Z_k3j9x2',
  app: 'shop',
  cpv: 'app-acme/shop-1.4.0_p45',
  reason: 'upgrade',
  takenAt: '2026-11-23T07:15:00Z',
  hubNode: '0.1.0',
  encrypted: true,
  files: [{ kind: 'dump', name: 'shop.dump', sizeBytes: 5, sha512: 'ab'.repeat(64) }],
}

export const restorePoints: Noun = {
  name: 'Restore points',
  description:
    'What a node keeps before it changes something, sent in three steps: a question, the files that the hub lacks, and its verdict.',
  operations: {
    'restorePoints.announce': {
      call: 'POST /nodes/{node}/restore-points',
      summary: 'Announce a restore point',
      description: '`wants` are the files to send. The same again is the same point.',
      who: 'is the node',
      body: { schema: announcementSchema, example: ANNOUNCEMENT },
      change: true,
      answers: {
        201: json('It is announced.', plus(point, ANNOUNCED)),
        200: json('It was announced before; or it was a dry run.', orDryRun(point, ANNOUNCED)),
      },
      refusals: ['restore_point.changed', 'upload.too_large', 'node.unknown', 'node.left'],
    },
    'restorePoints.sendFile': {
      call: 'PUT /nodes/{node}/restore-points/{point}/{place}/{name}',
      summary: 'Send a file of a restore point',
      description: 'The body is the file; or `upload` names a finished resumable upload.',
      who: 'is the node',
      query: { upload: z.string().optional() },
      headers: { 'Content-Digest': DIGEST, 'Repr-Digest': DIGEST },
      body: { ...OCTETS, optional: true },
      change: { dryRun: false, key: false },
      answers: SENT,
      refusals: [...RECEIVING, 'archive.unsupported_format', 'upload.unknown', 'upload.incomplete'],
    },
    'restorePoints.sendMetadata': {
      call: 'PUT /nodes/{node}/restore-points/{point}/metadata/{name}',
      summary: 'Send the metadata of a package whose image the hub has',
      description: 'The body is the member `metadata.tar.<c>` of the package. The hub puts the two together.',
      who: 'is the node',
      headers: { 'Content-Digest': DIGEST, 'Repr-Digest': DIGEST },
      body: OCTETS,
      change: { dryRun: false, key: false },
      answers: SENT,
      refusals: [...RECEIVING, 'archive.unsupported_format', 'restore_point.image_missing'],
    },
    'restorePoints.complete': {
      call: 'POST /nodes/{node}/restore-points/{point}/complete',
      summary: 'Ask for the verdict on a restore point',
      description:
        'Every package is judged, then signed and put into the node’s binhost. A point with one that does not hold is refused as a whole.',
      who: 'is the node',
      change: { dryRun: false },
      answers: { 200: json('It is complete.', completed) },
      refusals: [
        ...UNKNOWN,
        'restore_point.incomplete',
        'restore_point.ended',
        'binpkg.invalid',
        'binpkg.refused',
        'binpkg.digest_mismatch',
        'binpkg.bad_signature',
        'archive.corrupt',
        ...OF_ENTRIES,
      ],
    },
    'restorePoints.list': {
      call: 'GET /nodes/{node}/restore-points',
      summary: 'List the restore points of a node',
      description: 'Newest first.',
      who: 'is the node',
      query: {
        app: z.string().optional(),
        rehearsed: z
          .enum(['never', 'passed', 'failed'])
          .optional()
          .describe('`never`: complete, with a dump, and never tried out.'),
      },
      page: { of: storedPoint },
      refusals: ['node.unknown'],
    },
    'restorePoints.get': {
      call: 'GET /nodes/{node}/restore-points/{point}',
      summary: 'Get a restore point with its files',
      who: 'is the node',
      answers: { 200: json('The restore point.', wholePoint) },
      refusals: UNKNOWN,
    },
    'restorePoints.getFile': {
      call: 'GET /nodes/{node}/restore-points/{point}/{place}/{name}',
      summary: 'Download a file of a restore point',
      description: 'Of an accepted package it is the one that the hub signed.',
      who: 'is the node',
      headers: { Range: z.string().optional() },
      answers: {
        200: content('The bytes.', 'application/octet-stream'),
        206: content('The bytes asked for.', 'application/octet-stream'),
        304: { description: 'It is the one of `If-None-Match`.' },
      },
      refusals: [...UNKNOWN, 'restore_point.unknown_file', 'request.range_not_satisfiable'],
    },
    'restorePoints.remove': {
      call: 'DELETE /nodes/{node}/restore-points/{point}',
      summary: 'Remove a restore point from the hub',
      description: 'The node’s own copy stays.',
      who: 'administers',
      query: {
        newest: z
          .enum(['true', 'false'])
          .optional()
          .describe('true: even the newest complete one of its app.'),
      },
      change: true,
      answers: { 200: json('What was removed.', orDryRun(point)) },
      refusals: [...UNKNOWN, 'restore_point.needed'],
    },
    'restorePoints.pin': {
      call: 'PUT /nodes/{node}/restore-points/{point}/pin',
      summary: 'Keep a restore point however many newer ones there are',
      who: 'is the node',
      change: true,
      answers: { 200: json('The restore point.', orDryRun(point)) },
      refusals: UNKNOWN,
    },
    'restorePoints.unpin': {
      call: 'DELETE /nodes/{node}/restore-points/{point}/pin',
      summary: 'Let a restore point go again',
      who: 'is the node',
      change: true,
      answers: { 200: json('The restore point.', orDryRun(point)) },
      refusals: UNKNOWN,
    },
  },
}
