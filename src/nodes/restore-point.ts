/**
 * A restore point as its node announces it: what it ran, and the files that it keeps, by their digests. Every text and
 * list is bounded, since whoever has a node's token may send anything. No name becomes a path of the hub's.
 */
import { z } from 'zod'
import type { Change, ChangeType } from '../audit/changes.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { FileKind, PointKey, RestorePointFileRow, RestorePointRow } from '../records/restore-points.ts'
import { RESTORE_POINT_ID, line } from './report.ts'

const fileName = line(500).refine(
  (name) => name.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
  'must be a relative path without . and ..',
)

/** `app-acme/shop/shop-1.0.0_p1-1.gpkg.tar`, and encrypted with `.age` behind it. */
const BINPKG_NAME =
  /^[A-Za-z0-9_][\w+.-]*\/(?:[A-Za-z0-9_][\w+-]*\/)?[A-Za-z0-9_][\w+.-]*\.gpkg\.tar(?:\.age)?$/

const MOST_FILES = 2000
const MOST_METADATA_BYTES = 64 << 20

const sha512 = z.string().regex(/^[0-9a-f]{128}$/, 'must be 128 lower-case hex digits')

/** What a package is without its image: that may be here already. */
const imageSchema = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
  metadata: z.strictObject({
    name: z
      .string()
      .regex(/^metadata\.tar(?:\.(?:gz|bz2|xz|zst|lz4|lz))$/, 'must be metadata.tar.<compression>'),
    sizeBytes: z.int().min(1).max(MOST_METADATA_BYTES),
    sha512,
  }),
})

export type MetadataFile = z.infer<typeof imageSchema>['metadata']

const fileSchema = z
  .strictObject({
    kind: z.enum(['binpkg', 'dump', 'info']),
    name: fileName,
    sizeBytes: z.int().min(0),
    sha512,
    image: imageSchema.optional(),
  })
  .refine(({ kind, name }) => kind !== 'binpkg' || BINPKG_NAME.test(name), {
    path: ['name'],
    message: 'must be <category>/<pn>/<pf>-<n>.gpkg.tar',
  })
  .refine(({ kind, image }) => kind === 'binpkg' || image === undefined, {
    path: ['image'],
    message: 'only a binpkg has one',
  })

export const announcementSchema = z
  .strictObject({
    id: z.string().regex(RESTORE_POINT_ID, 'must be rp_<UTC stamp>_<6 of a-z and 0-9>'),
    app: line(100),
    cpv: line(255).regex(
      /^[A-Za-z0-9_][\w+.-]*\/[A-Za-z0-9_][\w+.-]*$/,
      'must be a package with its version',
    ),
    reason: z.enum(['upgrade', 'rollback', 'manual', 'portage']),
    takenAt: z.iso.datetime({ offset: true }).max(40),
    hubNode: line(100),
    encrypted: z.boolean(),
    schemaVersion: z.int().min(0).nullable().default(null),
    files: z
      .array(fileSchema)
      .max(MOST_FILES)
      .refine(
        (files) => new Set(files.map(({ kind, name }) => `${kind} ${name}`)).size === files.length,
        'a file is named twice',
      ),
  })
  .refine(({ encrypted, files }) => !encrypted || files.every(({ image }) => image === undefined), {
    path: ['files'],
    message: 'what is encrypted tells nothing of its image',
  })

export type Announcement = z.infer<typeof announcementSchema>

/** The kinds of files by their places in addresses. */
export const FILE_PLACES: Readonly<Record<string, FileKind>> = {
  binpkgs: 'binpkg',
  dumps: 'dump',
  infos: 'info',
}

/** @throws {HubError} `restore_point.unknown`. */
export async function findPoint(hub: Pick<Hub, 'records'>, key: PointKey): Promise<RestorePointRow> {
  const point = await hub.records.restorePoints.find(key)
  if (point) return point
  throw new HubError(
    'restore_point.unknown',
    `${key.node} has no restore point ${JSON.stringify(key.id.slice(0, 100))} here`,
  )
}

/** What the audit says of a change of the point. */
export function pointChange(
  type: Extract<ChangeType, `restore_point.${string}`>,
  { node, id, app, cpv, reason, encrypted }: RestorePointRow,
): Change {
  return { type, subject: id, node, app, after: { cpv, takenFor: reason, encrypted: encrypted === 1 } }
}

/** Which blob has the file's bytes, or stands for them. */
export function blobOf({ sha512, assembledSha512 }: RestorePointFileRow): string {
  return assembledSha512 ?? sha512
}

/** One at a time for a node: what an announcement counts on, an acceptance may not take away meanwhile. */
export function pointTurn(node: string): string {
  return `restore-points:${node}`
}

/** One at a time for an app on a node: a wish to go back, and the removal of what one would go back to. */
export function rollbackTurn(node: string, app: string): string {
  return `rollback:${node}:${app}`
}

/** From a blob to its row: who collects blobs without one must not come between. */
export const BLOB_TURN = 'binpkg-blobs'
