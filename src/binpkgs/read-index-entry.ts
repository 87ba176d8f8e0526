/** What an index says of a package file, of either format. */
import { digestFileBy } from '../builds/digest-file.ts'
import type { BinpkgFile } from '../gentoo/binpkg.ts'
import { indexEntry } from '../gentoo/binpkg.ts'
import type { IndexFields } from '../gentoo/packages-index.ts'
import { openBinpkg, readMetadata } from './open-binpkg.ts'

/** What the file itself does not say: where it is served, when it was put there, which build it is given out as. */
export type IndexPlace = Pick<BinpkgFile, 'path' | 'mtimeSec' | 'binpkgBuildId'>

/**
 * Reads the metadata and digests the file. The index knows no better digests than MD5 and SHA1; what protects a gpkg are
 * its signatures.
 * @throws {HubError} as `openBinpkg`, `readMetadata` and `indexEntry`.
 */
export async function readIndexEntry(file: string, place: IndexPlace): Promise<IndexFields> {
  const binpkg = await openBinpkg(file)
  const metadata = await readMetadata(binpkg)
  const digests = await digestFileBy(file, ['md5', 'sha1'])
  return indexEntry(metadata, { ...place, ...digests, sizeBytes: binpkg.sizeBytes })
}
