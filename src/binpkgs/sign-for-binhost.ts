/** A package that was judged becomes one that a binhost may show: signed, and described for its index. */
import type { FileHandle } from 'node:fs/promises'
import { unixSeconds } from '../clock.ts'
import { digestFileBy } from '../builds/digest-file.ts'
import { entryOfFile } from '../gentoo/binpkg.ts'
import { cp, parseCpv, pf } from '../gentoo/cpv.ts'
import type { IndexFields } from '../gentoo/packages-index.ts'
import type { Hub } from '../hub.ts'
import type { JudgedBinpkg } from './judge-binpkg.ts'
import { signGpkg } from './sign-binpkg.ts'
import type { BinpkgSigner } from './sign-binpkg.ts'
import type { VerifiedGpkg } from './verify-binpkg.ts'

/** A file that waits to be adopted by the store. Disposing it removes it, unless it was. */
export interface SignedBinpkg extends AsyncDisposable {
  readonly uploadPath: string
  /** In its binhost. */
  readonly path: string
  readonly cpv: string
  readonly binpkgBuildId: number
  readonly sha512: string
  readonly sha256: string
  readonly sizeBytes: number
  readonly indexFields: IndexFields
  /** Fingerprint. */
  readonly signedBy: string
}

/** Its name in the store and for those who compare, and what the index knows: no better ones, so nothing rests on them. */
const ALGORITHMS = ['sha512', 'sha256', 'md5', 'sha1'] as const

/**
 * @param binpkgBuildId one that no package of this version has in its binhost; quickpkg gives none.
 * @param afterSec of a package that is signed again, the time in its index entry: nodes tell the new bytes from those that
 *   they have by another time or size.
 */
export async function signForBinhost(
  hub: Pick<Hub, 'binpkgBlobs' | 'binhostKeys' | 'clock'>,
  { gpkg, cpv, entry }: Pick<JudgedBinpkg, 'gpkg' | 'cpv' | 'entry'>,
  binpkgBuildId: number,
  afterSec = 0,
): Promise<SignedBinpkg> {
  const parsed = parseCpv(cpv)
  const path = `${cp(parsed)}/${pf(parsed)}-${binpkgBuildId}.gpkg.tar`
  // One key for all of it, also when another takes over meanwhile.
  const key = hub.binhostKeys.current
  // A clock that went back behind the key's time cannot sign.
  const now = new Date(Math.max(hub.clock.now().getTime(), key.createdSec * 1000, (afterSec + 1) * 1000))
  const signer = {
    detached: async (pieces: AsyncIterable<Uint8Array>) => await key.signStream(pieces, now),
    clearSign: async (text: string) => await key.clearSign(text, now),
  }
  const { path: uploadPath, handle } = await hub.binpkgBlobs.createUpload()
  const discard = async (): Promise<void> => await hub.binpkgBlobs.discard(uploadPath)
  try {
    const sizeBytes = await writeSigned(handle, gpkg, signer, unixSeconds(now))
    const { sha512, sha256, ...digests } = await digestFileBy(uploadPath, ALGORITHMS)
    // The time that nodes stamp on their copy and compare with the index later: it goes with the bytes.
    const place = { path, sizeBytes, mtimeSec: unixSeconds(now), binpkgBuildId }
    const indexFields = entryOfFile(entry, { ...place, ...digests })
    const file = { uploadPath, path, cpv, binpkgBuildId, sha512, sha256, sizeBytes, indexFields }
    return { ...file, signedBy: key.fingerprint, [Symbol.asyncDispose]: discard }
  } catch (error) {
    await discard()
    throw error
  }
}

/** To the disk, for good; `handle` is closed. Returns the size in bytes. */
async function writeSigned(
  handle: FileHandle,
  gpkg: VerifiedGpkg,
  signer: BinpkgSigner,
  mtimeSec: number,
): Promise<number> {
  await using file = handle
  const sizeBytes = await signGpkg(gpkg, file, signer, mtimeSec)
  await file.sync()
  return sizeBytes
}
