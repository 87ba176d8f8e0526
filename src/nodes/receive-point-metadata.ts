/** The small part of a package comes: with an image that is here, it becomes the package that its node has. */
import { assembleGpkg } from '../binpkgs/assemble-binpkg.ts'
import { checkDeclaredDigests } from '../builds/declared-digests.ts'
import type { DeclaredDigest } from '../builds/declared-digests.ts'
import { digestFile } from '../builds/digest-file.ts'
import type { ReceivedFile } from '../builds/receive-bytes.ts'
import { timestamp, unixSeconds } from '../clock.ts'
import { HubError } from '../errors.ts'
import { parseCpv, pf } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import type { PointKey, RestorePointFileRow } from '../records/restore-points.ts'
import { findHeldImage } from './held-image.ts'
import { BLOB_TURN, findPoint, pointTurn } from './restore-point.ts'
import type { MetadataFile } from './restore-point.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'binpkgBlobs' | 'turns'>

export interface ReceivedMetadata {
  readonly file: RestorePointFileRow
  readonly received: ReceivedFile
  readonly declared: readonly DeclaredDigest[]
}

/**
 * Puts the package together and keeps it in place of the announced bytes. It is judged when the point is completed.
 * @throws {HubError} `restore_point.ended`; `upload.digest_mismatch`; `restore_point.image_missing` when the image is not
 *   here, or no more: the whole file is wanted then.
 */
export async function receivePointMetadata(
  hub: Needs,
  key: PointKey,
  { file, received, declared }: ReceivedMetadata,
): Promise<void> {
  checkDeclaredDigests(received.digests, declared)
  await hub.turns.run(pointTurn(key.node), async () => {
    const point = await findPoint(hub, key)
    if (point.state !== 'announced')
      throw new HubError('restore_point.ended', `${key.id} is ${point.state}: it takes no more files`)
    const held = await findHeldImage(hub, point, file)
    if (!held || file.metadata === null) throw imageMissing(file)
    const metadata = JSON.parse(file.metadata) as MetadataFile
    const { sha512, sizeBytes } = received.digests
    if (sha512 !== metadata.sha512 || sizeBytes !== metadata.sizeBytes) throw otherBytes(file)
    const prefix = pf(parseCpv(point.cpv))
    const parts = { name: metadata.name, path: received.path, digests: received.digests }
    const imageOf = hub.binpkgBlobs.path(held.sha512)
    await keepAssembled(hub, key, file, { prefix, metadata: parts, imageOf })
  })
}

async function keepAssembled(
  hub: Needs,
  key: PointKey,
  { sha512 }: RestorePointFileRow,
  parts: Omit<Parameters<typeof assembleGpkg>[0], 'mtimeSec'>,
): Promise<void> {
  const { path, handle } = await hub.binpkgBlobs.createUpload()
  try {
    try {
      await assembleGpkg({ ...parts, mtimeSec: unixSeconds(hub.clock.now()) }, handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    const assembled = await digestFile(path)
    await hub.turns.run(BLOB_TURN, async () => {
      const adoption = await hub.binpkgBlobs.adopt(path, assembled.sha512)
      try {
        const bytes = { sha512, sha256: assembled.sha256, assembledSha512: assembled.sha512 }
        await hub.records.restorePoints.received(key, bytes, timestamp(hub.clock.now()))
        await adoption.settle()
      } catch (error) {
        await adoption.undo()
        throw error
      }
    })
  } finally {
    await hub.binpkgBlobs.discard(path)
  }
}

function imageMissing({ name }: RestorePointFileRow): HubError {
  return new HubError(
    'restore_point.image_missing',
    `the image of ${name} is not here, so that its metadata alone is no package: send the whole file`,
  )
}

function otherBytes({ name }: RestorePointFileRow): HubError {
  return new HubError(
    'upload.digest_mismatch',
    `the metadata of ${name} was announced with another size or SHA512; send it again, or send the whole file`,
  )
}
