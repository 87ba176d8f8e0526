/**
 * Whether a package that a node packed is one that the hub may sign and give out: whole, of one of its own builds, with the
 * very ebuild that it published, and with files only where that build installs any. What it cannot judge is
 * `environment.bz2`, code that the node saved: so the package goes back to that node and to no other.
 */
import type { ArchiveLimits } from '../builds/archive-limits.ts'
import { findBuildOfCpv } from '../builds/find-build-of-cpv.ts'
import { installedRoots } from '../builds/installed-roots.ts'
import { HubError } from '../errors.ts'
import { binpkgCpv, metadataText } from '../gentoo/binpkg.ts'
import { parseCpv, pf } from '../gentoo/cpv.ts'
import type { Cpv } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import { readMetadata } from './open-binpkg.ts'
import { readImage } from './read-image.ts'
import type { ImageEntry } from './read-image.ts'
import { verifyGpkg } from './verify-binpkg.ts'
import type { VerifiedGpkg } from './verify-binpkg.ts'

export interface JudgedBinpkg {
  readonly gpkg: VerifiedGpkg
  readonly cpv: string
  readonly build: BuildRow
}

export interface BinpkgClaim {
  /** The file that came. */
  readonly path: string
  /** By which the node announced it: `app-acme/shop/shop-1.0.0_p1-1.gpkg.tar`. */
  readonly name: string
  /** Names of the overlays whose packages may come: `hub-staging`. */
  readonly overlays: readonly string[]
}

/**
 * Reads the package to its end. @throws {HubError} as `verifyGpkg`, `readMetadata` and `readImage`; `binpkg.refused`
 * naming what makes it another package than it says.
 */
export async function judgeBinpkg(
  hub: Pick<Hub, 'records'> & { readonly limits: ArchiveLimits },
  { path, name, overlays }: BinpkgClaim,
): Promise<JudgedBinpkg> {
  const gpkg = await verifyGpkg(path)
  const metadata = await readMetadata(gpkg)
  const cpv = binpkgCpv(metadata)
  const parsed = parseCpv(cpv)
  if (!isNameOf(name, parsed)) throw refused(cpv, `it was announced as ${name}`)
  const repository = metadataText(metadata, 'repository')
  if (!overlays.includes(repository))
    throw refused(
      cpv,
      `it was installed from ${JSON.stringify(repository.slice(0, 100))}, which is no overlay of this hub`,
    )
  const build = await findBuildOfCpv(hub.records, parsed)
  if (!build) throw refused(cpv, 'the hub has no such build')
  const published = await hub.records.overlays.findBlob(build.ebuildOid)
  if (!published || metadata.get(`${pf(parsed)}.ebuild`)?.equals(published) !== true)
    throw refused(cpv, 'its ebuild is not the one that the hub published')
  refuseForeignPaths(cpv, await readImage(gpkg, hub.limits), installedRoots(build))
  return { gpkg, cpv, build }
}

/** As quickpkg names it, with a build id of the node's own, or without. */
function isNameOf(name: string, { category, pn, pvr }: Cpv): boolean {
  const file = pf({ pn, pvr })
  if (name === `${category}/${file}.gpkg.tar`) return true
  const start = `${category}/${pn}/${file}-`
  return name.startsWith(start) && /^[0-9]+\.gpkg\.tar$/.test(name.slice(start.length))
}

function refuseForeignPaths(
  cpv: string,
  entries: readonly ImageEntry[],
  roots: readonly string[] | null,
): void {
  if (roots === null) return
  const foreign = entries.find(({ path, type }) => !isExpected(`/${path}`, type, roots))
  if (foreign)
    throw refused(cpv, `it has ${JSON.stringify(`/${foreign.path}`)}, where that build installs nothing`)
}

function isExpected(path: string, type: ImageEntry['type'], roots: readonly string[]): boolean {
  if (roots.some((root) => path === root || path.startsWith(`${root}/`))) return true
  return type === 'directory' && (path === '/' || roots.some((root) => root.startsWith(`${path}/`)))
}

function refused(cpv: string, why: string): HubError {
  return new HubError('binpkg.refused', `${cpv} is not given out: ${why}`)
}
