/**
 * Packages whose signature is not to be believed any more get another one: metadata and image stay as they are, to the
 * byte, and so do path and build id. Each package is one change of records and index, and whatever a process that died
 * left is found by its row.
 */
import { nextTimestampSec } from '../binpkgs/binhost-index.ts'
import { FIRST_TIMESTAMP_SEC } from '../binpkgs/binhosts.ts'
import { openBinpkg, readManifestText } from '../binpkgs/open-binpkg.ts'
import { readBinpkgInWorker } from '../binpkgs/read-in-worker.ts'
import { signForBinhost } from '../binpkgs/sign-for-binhost.ts'
import type { SignedBinpkg } from '../binpkgs/sign-for-binhost.ts'
import { digestFile } from '../builds/digest-file.ts'
import { unixSeconds } from '../clock.ts'
import type { IndexFields } from '../gentoo/packages-index.ts'
import type { Hub } from '../hub.ts'
import type { BinpkgKey, BinpkgRow } from '../records/binpkgs.ts'
import { removeUnneededBlob } from './remove-unneeded-blob.ts'
import { BLOB_TURN, pointTurn } from './restore-point.ts'

type Needs = Pick<
  Hub,
  'records' | 'clock' | 'steps' | 'turns' | 'binpkgBlobs' | 'binhostKeys' | 'binhosts' | 'log'
>

/**
 * Signs what needs it, one after the other; true when all is done. One that cannot be signed again, since its bytes are
 * damaged, is left and told: `verify` names it.
 * @param isTime whether there is time for another.
 */
export async function signPackagesAgain(hub: Needs, isTime: () => boolean = () => true): Promise<boolean> {
  const keys = await hub.records.binpkgs.notSignedBy(hub.binhostKeys.fingerprints)
  for (const key of keys) {
    if (!isTime()) return false
    await hub.turns.run(pointTurn(key.node), async () => {
      await signAgain(hub, key)
    })
  }
  return true
}

async function signAgain(hub: Needs, key: BinpkgKey): Promise<void> {
  // It may have gone, or been signed, since it was listed.
  const row = await hub.records.binpkgs.find(key)
  if (!row || isBelieved(hub, row.signedBy)) return
  try {
    const signer = row.signedBy ?? (await signerOf(hub, row))
    if (row.signedBy === null && isBelieved(hub, signer))
      await hub.records.binpkgs.replace(key, { ...row, signedBy: signer })
    else await replace(hub, row)
  } catch (error) {
    hub.log.error({ err: error, ...key }, 'a package could not be signed again')
  }
}

function isBelieved({ binhostKeys }: Needs, fingerprint: string | null): boolean {
  return fingerprint !== null && binhostKeys.fingerprints.includes(fingerprint)
}

/** Of a package from before that was kept: as its Manifest says. */
async function signerOf({ binpkgBlobs, binhostKeys }: Needs, { sha512 }: BinpkgRow): Promise<string | null> {
  const binpkg = await openBinpkg(binpkgBlobs.path(sha512))
  if (binpkg.format === 'xpak') return null
  const signer = await binhostKeys.signerOfText(await readManifestText(binpkg))
  return signer?.key.fingerprint ?? null
}

async function replace(hub: Needs, row: BinpkgRow): Promise<void> {
  const path = hub.binpkgBlobs.path(row.sha512)
  // Nothing but what was judged once gets a signature: the one that it has vouches for nothing now.
  if ((await digestFile(path)).sha512 !== row.sha512) throw new Error('its bytes have changed')
  const mtimeSec = Number((JSON.parse(row.indexFields) as IndexFields)['MTIME'] ?? 0)
  const facts = await readBinpkgInWorker(path)
  await using signed = await signForBinhost(hub, facts, row.binpkgBuildId, mtimeSec)
  hub.steps.reached('point.signed')
  const timestampSec = await keep(hub, row, signed)
  hub.steps.reached('point.recorded')
  await hub.binhosts.show(row.node, [signed.indexFields], timestampSec)
  hub.steps.reached('point.shown')
  await removeUnneededBlob(hub, row.sha512)
  const { node, cpv, binpkgBuildId } = row
  hub.log.info({ node, cpv, binpkgBuildId, signedBy: signed.signedBy }, 'a package was signed again')
}

/** The file, and in one change its row and the index's new TIMESTAMP, which is given. */
async function keep(hub: Needs, row: BinpkgRow, signed: SignedBinpkg): Promise<number> {
  return await hub.turns.run(BLOB_TURN, async () => {
    const adoption = await hub.binpkgBlobs.adopt(signed.uploadPath, signed.sha512)
    try {
      hub.steps.reached('point.recording')
      const timestampSec = await record(hub, row, signed)
      await adoption.settle()
      return timestampSec
    } catch (error) {
      await adoption.undo()
      throw error
    }
  })
}

async function record(
  hub: Needs,
  row: BinpkgRow,
  { sha512, sha256, sizeBytes, indexFields, signedBy }: SignedBinpkg,
): Promise<number> {
  return await hub.records.transaction(async ({ binpkgs }) => {
    const before = (await binpkgs.timestampSec(row.node)) ?? FIRST_TIMESTAMP_SEC
    const timestampSec = nextTimestampSec(before, unixSeconds(hub.clock.now()))
    const bytes = { sha512, sha256, sizeBytes, signedBy, indexFields: JSON.stringify(indexFields) }
    await binpkgs.replace(row, bytes)
    await binpkgs.setTimestamp(row.node, timestampSec)
    return timestampSec
  })
}
