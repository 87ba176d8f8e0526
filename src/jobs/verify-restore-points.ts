/** Restore points against the records: every file that came, and every package of a binhost, is there and whole. */
import { readManifestText } from '../binpkgs/open-binpkg.ts'
import { digestFile } from '../builds/digest-file.ts'
import { verifyGpkg } from '../binpkgs/verify-binpkg.ts'
import type { VerifiedGpkg } from '../binpkgs/verify-binpkg.ts'
import { systemClock } from '../clock.ts'
import type { BinpkgRow } from '../records/binpkgs.ts'
import type { RestorePointFileRow } from '../records/restore-points.ts'
import { HubKeys } from '../storage/hub-keys.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { DataFolder } from './open-data-folder.ts'

type Needs = Pick<DataFolder, 'binpkgBlobs' | 'records' | 'paths' | 'shown'>

const MEND =
  'put the file with this SHA512 back, from a backup of the hub or from the node that has the restore point'

const MEND_SIGNATURE =
  'let the hub run: it signs such packages again within minutes, or says in its log why it cannot; see "portage-hub key list"'
/** Of a clock that went back a signature may seem to be of tomorrow. */
const FAR = new Date('2100-01-01T00:00:00Z')

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
    } else if (await folder.records.binpkgs.isShown(sha512)) {
      const what = await faultOfSignature(folder, await verifyGpkg(path))
      if (what !== null) yield { what, where, mend: MEND_SIGNATURE }
    }
  } catch (error) {
    yield { what: `it cannot be read: ${(error as Error).message}`, where, mend: MEND }
  }
}

/** The keys are read for each: a hub that runs may have a new one since the last. */
async function faultOfSignature({ paths }: Needs, gpkg: VerifiedGpkg): Promise<string | null> {
  const keys = await HubKeys.read(paths.keys, systemClock)
  if (keys === null) throw new Error(`${paths.keys} has no keys: restore them from a backup`)
  const text = await readManifestText(gpkg)
  if (await keys.binhost.hasClearSigned(text, FAR)) return null
  const signer = await keys.binhost.signerOfText(text)
  if (signer === undefined) return 'it is signed by no key of this hub'
  const state = keys.binhost.stateOf(signer)
  const { fingerprint } = signer.key
  if (state === 'revoked' || state === 'retired') return `it is signed by the ${state} key ${fingerprint}`
  return `its Manifest has other bytes than the key ${fingerprint} signed`
}

function nameOf(
  needed: Pick<RestorePointFileRow | BinpkgRow, 'node' | 'point'> & { readonly name: string },
): string {
  return `${needed.name} of ${needed.node}'s restore point ${needed.point}`
}
