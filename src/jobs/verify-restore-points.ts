/** Restore points against the records: every file that came, and every package of a binhost, is there and whole. */
import { digestFile } from '../builds/digest-file.ts'
import { verifyGpkg } from '../binpkgs/verify-binpkg.ts'
import type { BinpkgRow } from '../records/binpkgs.ts'
import type { RestorePointFileRow } from '../records/restore-points.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { DataFolder } from './open-data-folder.ts'

type Needs = Pick<DataFolder, 'binpkgBlobs' | 'records' | 'paths' | 'shown'>

const MEND =
  'put the file with this SHA512 back, from a backup of the hub or from the node that has the restore point'

/** Reads every byte of what is kept, one file after the other. */
export async function* verifyRestorePoints(folder: Needs, onProgress: OnProgress): AsyncGenerator<Finding> {
  let [done, total] = [0, 0]
  for await (const _sha512 of folder.binpkgBlobs.list()) total++
  for await (const sha512 of folder.binpkgBlobs.list()) {
    onProgress('restore points', done++, total)
    yield* verifyBlob(folder, sha512)
  }
  for await (const needed of folder.records.restorePoints.neededBlobs()) {
    if ((await folder.binpkgBlobs.sizeBytes(needed.sha512)) !== null) continue
    const where = folder.shown(folder.paths.binpkgs.blob(needed.sha512))
    yield { what: `${nameOf(needed)} is missing`, where, mend: MEND }
  }
}

async function* verifyBlob(folder: Needs, sha512: string): AsyncGenerator<Finding> {
  const path = folder.paths.binpkgs.blob(sha512)
  const where = folder.shown(path)
  try {
    if ((await digestFile(path)).sha512 !== sha512) {
      yield { what: 'its bytes have changed: they no longer have its SHA512', where, mend: MEND }
    } else if (await folder.records.binpkgs.isShown(sha512)) await verifyGpkg(path)
  } catch (error) {
    yield { what: `it cannot be read: ${(error as Error).message}`, where, mend: MEND }
  }
}

function nameOf(
  needed: Pick<RestorePointFileRow | BinpkgRow, 'node' | 'point'> & { readonly name: string },
): string {
  return `${needed.name} of ${needed.node}'s restore point ${needed.point}`
}
