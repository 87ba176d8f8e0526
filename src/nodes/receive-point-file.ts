/** A file of a restore point comes: its bytes must be those that were announced. */
import { timestamp } from '../clock.ts'
import { checkDeclaredDigests } from '../builds/declared-digests.ts'
import type { DeclaredDigest } from '../builds/declared-digests.ts'
import type { ReceivedFile } from '../builds/receive-bytes.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { FileKey, PointKey, RestorePointFileRow } from '../records/restore-points.ts'
import { BLOB_TURN, findPoint, pointTurn } from './restore-point.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'binpkgBlobs' | 'steps' | 'turns'>

/**
 * The file as it was announced.
 * @throws {HubError} `restore_point.unknown`; `restore_point.unknown_file`.
 */
export async function findPointFile(
  hub: Pick<Hub, 'records'>,
  key: PointKey,
  fileKey: FileKey,
): Promise<RestorePointFileRow> {
  await findPoint(hub, key)
  const file = await hub.records.restorePoints.findFile(key, fileKey)
  if (file) return file
  throw new HubError(
    'restore_point.unknown_file',
    `${key.id} was announced without the ${fileKey.kind} ${JSON.stringify(fileKey.name.slice(0, 200))}`,
  )
}

/**
 * Keeps the bytes for good. Bytes that are here already change nothing.
 * @throws {HubError} `restore_point.ended`; `upload.digest_mismatch`.
 */
export async function receivePointFile(
  hub: Needs,
  key: PointKey,
  {
    file,
    received,
    declared,
  }: {
    readonly file: RestorePointFileRow
    readonly received: ReceivedFile
    readonly declared: readonly DeclaredDigest[]
  },
): Promise<void> {
  const { sha512, sha256, sizeBytes } = received.digests
  checkDeclaredDigests(received.digests, declared)
  if (sha512 !== file.sha512 || sizeBytes !== file.sizeBytes) throw otherBytes(file, sizeBytes)
  await hub.turns.run(pointTurn(key.node), async () => {
    const { state } = await findPoint(hub, key)
    if (state !== 'announced')
      throw new HubError('restore_point.ended', `${key.id} is ${state}: it takes no more files`)
    await hub.turns.run(BLOB_TURN, async () => {
      const adoption = await hub.binpkgBlobs.adopt(received.path, sha512)
      try {
        await hub.records.restorePoints.received(key, { sha512, sha256 }, timestamp(hub.clock.now()))
        await adoption.settle()
      } catch (error) {
        await adoption.undo()
        throw error
      }
      hub.steps.reached('point.received')
    })
  })
}

function otherBytes(file: RestorePointFileRow, sizeBytes: number): HubError {
  return new HubError(
    'upload.digest_mismatch',
    `${file.name} was announced with ${String(file.sizeBytes)} bytes and another SHA512 than the ${String(sizeBytes)} ` +
      'bytes that came; send it again, or announce a new restore point',
  )
}
