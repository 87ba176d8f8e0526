/** Whether a gpkg is what its Manifest says, to the last byte. Source: Portage lib/portage/gpkg.py `_verify_binpkg`. */
import { digestFile } from '../builds/digest-file.ts'
import { HubError } from '../errors.ts'
import type { GpkgManifest } from '../gentoo/gpkg.ts'
import { baseName, checkAgainstManifest, listedMembers, mismatch, parseGpkgManifest } from '../gentoo/gpkg.ts'
import type { Gpkg } from './open-binpkg.ts'
import { openBinpkg, rangeOf, readManifestText } from './open-binpkg.ts'

/** Made by `verifyGpkg` only. */
export interface VerifiedGpkg extends Gpkg {
  readonly manifest: GpkgManifest
}

/**
 * Digests every member, as the file is read once, and compares.
 * @param isSigned says whether the hub itself signed the Manifest's text; without it no signature is looked at: a node's
 *   own is nothing that the hub trusts.
 * @throws {HubError} as `openBinpkg`; `binpkg.invalid` if it is an older package, which nothing vouches for;
 *   `binpkg.digest_mismatch`; `binpkg.bad_signature` if `isSigned` says no, or a signature is missing.
 */
export async function verifyGpkg(
  path: string,
  isSigned?: (manifestText: string) => Promise<boolean>,
): Promise<VerifiedGpkg> {
  const binpkg = await openBinpkg(path)
  if (binpkg.format === 'xpak')
    throw new HubError('binpkg.invalid', 'this is an xpak package; pack it again with BINPKG_FORMAT=gpkg')
  const text = await readManifestText(binpkg)
  if (isSigned && !(hasSignatures(binpkg) && (await isSigned(text)))) throw badSignature()
  const manifest = parseGpkgManifest(text)
  checkAgainstManifest(binpkg.layout, manifest)
  for (const member of listedMembers(binpkg.layout)) {
    const { blake2b, sha512 } = await digestFile(path, rangeOf(member))
    const listed = manifest.get(baseName(member))
    if (blake2b !== listed?.blake2b || sha512 !== listed.sha512)
      throw mismatch(baseName(member), 'has other bytes than its Manifest says')
  }
  return { ...binpkg, manifest }
}

function hasSignatures({ layout }: Gpkg): boolean {
  return layout.metadataSignature !== null && layout.imageSignature !== null
}

function badSignature(): HubError {
  return new HubError(
    'binpkg.bad_signature',
    "this binary package is not signed by the hub's key, or was changed since; fetch it again",
  )
}
