import type { Hub } from '../hub.ts'
import type { RestorePointFileRow } from '../records/restore-points.ts'

/** The bytes that the hub has of a file of a restore point. */
export interface StoredFile {
  readonly sizeBytes: number
  readonly sha512: string
  readonly sha256: string
  readonly receivedAt: string
}

/** Of an accepted package the file that the hub signed; null for bytes that are not here. */
export async function findStoredFile(
  hub: Pick<Hub, 'records'>,
  file: RestorePointFileRow,
): Promise<StoredFile | null> {
  const binpkg =
    file.kind === 'binpkg' ? await hub.records.binpkgs.findByUpload(file.node, file.sha512) : undefined
  if (binpkg) return { ...binpkg, receivedAt: binpkg.acceptedAt }
  const { sizeBytes, sha512, sha256, receivedAt, assembledSha512 } = file
  // A package that was put together is not the file that the node named.
  if (sha256 === null || receivedAt === null || assembledSha512 !== null) return null
  return { sizeBytes, sha512, sha256, receivedAt }
}
