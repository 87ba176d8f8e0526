/** A package that was judged becomes one of a binhost: signed, in the store, with its entry for the index. */
import { unixSeconds } from '../clock.ts'
import { digestFile } from '../builds/digest-file.ts'
import { cp, parseCpv, pf } from '../gentoo/cpv.ts'
import type { IndexFields } from '../gentoo/packages-index.ts'
import type { Hub } from '../hub.ts'
import type { Adoption } from '../storage/blob-store.ts'
import type { JudgedBinpkg } from './judge-binpkg.ts'
import { readIndexEntry } from './read-index-entry.ts'
import { signGpkg } from './sign-binpkg.ts'

export interface AcceptedBinpkg {
  readonly path: string
  readonly binpkgBuildId: number
  readonly sha512: string
  readonly sha256: string
  readonly sizeBytes: number
  readonly indexFields: IndexFields
  /** Waits for its row. */
  readonly adoption: Adoption
}

/**
 * Signs the package into the store. The caller writes its row, then settles; or undoes.
 * @param binpkgBuildId one that no package of this version has in its binhost; quickpkg gives none.
 */
export async function acceptBinpkg(
  hub: Pick<Hub, 'binpkgBlobs' | 'binhostKey' | 'clock'>,
  { gpkg, cpv }: Pick<JudgedBinpkg, 'gpkg' | 'cpv'>,
  binpkgBuildId: number,
): Promise<AcceptedBinpkg> {
  const parsed = parseCpv(cpv)
  const path = `${cp(parsed)}/${pf(parsed)}-${binpkgBuildId}.gpkg.tar`
  // A clock that went back behind the key's time cannot sign.
  const now = new Date(Math.max(hub.clock.now().getTime(), hub.binhostKey.createdSec * 1000))
  const upload = await hub.binpkgBlobs.createUpload()
  try {
    const signer = {
      detached: async (pieces: AsyncIterable<Uint8Array>) => await hub.binhostKey.signStream(pieces, now),
      clearSign: async (text: string) => await hub.binhostKey.clearSign(text, now),
    }
    try {
      await signGpkg(gpkg, upload.handle, signer, unixSeconds(now))
      await upload.handle.sync()
    } finally {
      await upload.handle.close()
    }
    const { sha512, sha256, sizeBytes } = await digestFile(upload.path)
    // The time that nodes stamp on their copy and compare with the index later: it goes with the bytes.
    const place = { path, binpkgBuildId, mtimeSec: unixSeconds(now) }
    const indexFields = await readIndexEntry(upload.path, place)
    const adoption = await hub.binpkgBlobs.adopt(upload.path, sha512)
    return { path, binpkgBuildId, sha512, sha256, sizeBytes, indexFields, adoption }
  } catch (error) {
    await hub.binpkgBlobs.discard(upload.path)
    throw error
  }
}
