/** The question before an upload: a node names the files of a restore point, and hears which of them the hub lacks. */
import { createHash } from 'node:crypto'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { FileKey, RestorePointFileRow, RestorePointRow } from '../records/restore-points.ts'
import { findEnrolledNode } from './find-node.ts'
import { findHeldImage } from './held-image.ts'
import { pointChange, pointTurn } from './restore-point.ts'
import type { Announcement } from './restore-point.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'config' | 'steps' | 'turns'>

export interface AnnouncedPoint {
  readonly point: RestorePointRow
  readonly files: readonly RestorePointFileRow[]
  /** False for one that was announced before. */
  readonly isNew: boolean
}

/**
 * Keeps the announcement. Bytes that this very node brought before are not wanted again; those of other nodes do not count:
 * who names a digest need not have the bytes.
 * @throws {HubError} `node.unknown`; `node.left`; `upload.too_large`; `restore_point.changed` when the id is another's.
 */
export async function announcePoint(
  hub: Needs,
  {
    node,
    announcement,
    dryRun,
  }: {
    readonly node: string
    readonly announcement: Announcement
    readonly dryRun: boolean
  },
): Promise<AnnouncedPoint> {
  await findEnrolledNode(hub, node)
  refuseTooLarge(announcement, hub.config.maxUploadBytes)
  const announcementSha256 = createHash('sha256').update(sameness(announcement)).digest('hex')
  const key = { node, id: announcement.id }
  return await hub.turns.run(pointTurn(node), async () => {
    const before = await hub.records.restorePoints.find(key)
    if (before) {
      if (before.announcementSha256 !== announcementSha256) throw changed(before)
      if (!dryRun) await hub.records.restorePoints.heardOf(key, timestamp(hub.clock.now()))
      return { point: before, files: await hub.records.restorePoints.filesOf(key), isNew: false }
    }
    const announcedAt = timestamp(hub.clock.now())
    const point = pointRow(node, announcement, { announcementSha256, announcedAt })
    const files = await fileRows(hub, node, announcement, announcedAt)
    if (!dryRun) {
      await hub.records.transaction(async (records) => {
        await records.restorePoints.add(point, files)
        await recordChange(records, hub.clock, pointChange('restore_point.announced', point))
      })
      hub.steps.reached('point.announced')
    }
    return { point, files, isNew: true }
  })
}

export interface WantedFile extends FileKey {
  /** Given if this part of the file is enough: its image is here. The whole is taken too. */
  readonly only?: 'metadata'
}

/** The files that are to be sent. */
export async function wantedFiles(
  hub: Pick<Hub, 'records'>,
  { point, files }: Pick<AnnouncedPoint, 'point' | 'files'>,
): Promise<readonly WantedFile[]> {
  if (point.state !== 'announced') return []
  const missing = files.filter(({ receivedAt }) => receivedAt === null)
  return await Promise.all(
    missing.map(async (file) => {
      const { kind, name } = file
      return (await findHeldImage(hub, point, file))
        ? { kind, name, only: 'metadata' as const }
        : { kind, name }
    }),
  )
}

/** What may not change between two announcements of a point; how a file may be sent is no part of it. */
function sameness(announcement: Announcement): string {
  return JSON.stringify({
    ...announcement,
    files: announcement.files.map(({ image: _image, ...file }) => file),
  })
}

function pointRow(
  node: string,
  announcement: Announcement,
  known: Pick<RestorePointRow, 'announcementSha256' | 'announcedAt'>,
): RestorePointRow {
  const { id, app, cpv, reason, takenAt, hubNode, encrypted, schemaVersion } = announcement
  return {
    ...{ node, id, app, cpv, reason, hubNode, schemaVersion, encrypted: encrypted ? 1 : 0 },
    takenAt: timestamp(new Date(takenAt)),
    ...{ rehearsedAt: null, rehearsalOk: null, rehearsalDetail: null },
    ...{ state: 'announced', refusal: null, completedAt: null, keptAt: null },
    ...known,
    activeAt: known.announcedAt,
  }
}

async function fileRows(
  { records }: Needs,
  node: string,
  { id, files }: Announcement,
  now: string,
): Promise<readonly RestorePointFileRow[]> {
  const here = await records.restorePoints.bytesOf(
    node,
    files.map(({ sha512 }) => sha512),
  )
  return files.map(({ image, ...file }) => {
    const { sha256, assembledSha512 } = here.get(file.sha512) ?? NOT_HERE
    const claim = {
      imageDigest: image?.sha256 ?? null,
      metadata: image ? JSON.stringify(image.metadata) : null,
    }
    return {
      ...{ node, point: id, ...file, ...claim, assembledSha512 },
      ...{ sha256, receivedAt: sha256 === null ? null : now },
    }
  })
}

const NOT_HERE = { sha256: null, assembledSha512: null }

function refuseTooLarge({ files }: Announcement, limitBytes: number): void {
  const tooLarge = files.find(({ sizeBytes }) => sizeBytes > limitBytes)
  if (!tooLarge) return
  throw new HubError(
    'upload.too_large',
    `${tooLarge.name} has ${String(tooLarge.sizeBytes)} bytes, and a file may have ${String(limitBytes)} here (HUB_MAX_UPLOAD)`,
    { limitBytes },
  )
}

function changed({ id, announcedAt }: RestorePointRow): HubError {
  return new HubError(
    'restore_point.changed',
    `${id} was announced at ${announcedAt} with other files; a restore point never changes: give another one a new id`,
  )
}
