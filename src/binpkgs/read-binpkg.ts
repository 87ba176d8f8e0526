/** What can be said of an uploaded package by its bytes alone. `binpkg-worker.ts` asks this on a thread. */
import type { ArchiveLimits } from '../builds/archive-limits.ts'
import { binpkgCpv, indexEntry, metadataText } from '../gentoo/binpkg.ts'
import { parseCpv, pf } from '../gentoo/cpv.ts'
import type { IndexFields } from '../gentoo/packages-index.ts'
import { changedFiles } from './changed-files.ts'
import type { ChangedFiles } from './changed-files.ts'
import { imageDigest } from './image-digest.ts'
import { readMetadata } from './open-binpkg.ts'
import { digestImageEntries } from './read-image.ts'
import type { ImageEntry } from './read-image.ts'
import { verifyGpkg } from './verify-binpkg.ts'
import type { VerifiedGpkg } from './verify-binpkg.ts'

/** What the package says of itself. */
export interface BinpkgFacts {
  readonly gpkg: VerifiedGpkg
  readonly cpv: string
  /** The overlay that it was installed from. */
  readonly repository: string
  /** The ebuild that it was made from; null: it carries none of its own name. */
  readonly ebuild: Uint8Array | null
  /** Its entry in an index, but for the facts of its file, which stand for none. */
  readonly entry: IndexFields
}

export interface ImageClaim {
  readonly gpkg: VerifiedGpkg
  readonly limits: ArchiveLimits
  /** As `installedRoots` says. */
  readonly roots: readonly string[] | null
}

export interface ImageFacts {
  /** The first entry, as an absolute path, that is neither at a root or below, nor a folder on the way; null: none is. */
  readonly foreign: string | null
  /** As `imageDigest` says. */
  readonly digest: string | null
  /** As `changedFiles` says. */
  readonly changed: ChangedFiles | null
}

const NO_FILE = { path: '', sizeBytes: 0, mtimeSec: 0, md5: '', sha1: '', binpkgBuildId: null }

/**
 * Digests every member and reads the metadata. @throws {HubError} as `verifyGpkg`, `readMetadata`, `binpkgCpv` and
 * `indexEntry`.
 */
export async function readBinpkg(path: string): Promise<BinpkgFacts> {
  const gpkg = await verifyGpkg(path)
  const metadata = await readMetadata(gpkg)
  const cpv = binpkgCpv(metadata)
  const ebuild = metadata.get(`${pf(parseCpv(cpv))}.ebuild`) ?? null
  const repository = metadataText(metadata, 'repository')
  return { gpkg, cpv, repository, ebuild, entry: indexEntry(metadata, NO_FILE) }
}

/**
 * Reads the image to its end, once: whatever else is to be learnt of its content is learnt on this way, in
 * `digestImageEntries`, and told here. @throws {HubError} as `readImage`; the signal's reason if that fires.
 */
export async function judgeImage(
  { gpkg, limits, roots }: ImageClaim,
  signal?: AbortSignal,
): Promise<ImageFacts> {
  const entries = await digestImageEntries(gpkg, limits, signal)
  const contents = (await readMetadata(gpkg)).get('CONTENTS')
  return {
    foreign: roots === null ? null : foreignPath(entries, roots),
    digest: imageDigest(entries),
    changed: changedFiles(entries, contents),
  }
}

function foreignPath(entries: readonly ImageEntry[], roots: readonly string[]): string | null {
  const foreign = entries.find(({ path, type }) => !isExpected(`/${path}`, type, roots))
  return foreign ? `/${foreign.path}` : null
}

function isExpected(path: string, type: ImageEntry['type'], roots: readonly string[]): boolean {
  if (roots.some((root) => path === root || path.startsWith(`${root}/`))) return true
  return type === 'directory' && (path === '/' || roots.some((root) => root.startsWith(`${path}/`)))
}
