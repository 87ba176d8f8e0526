/**
 * Whether a package that a node packed is one that the hub may sign and give out: whole, of one of its own builds, with the
 * very ebuild that it published, and with files only where that build installs any. What it cannot judge is
 * `environment.bz2`, code that the node saved: so the package goes back to that node and to no other.
 */
import type { ArchiveLimits } from '../builds/archive-limits.ts'
import { findBuildOfCpv } from '../builds/find-build-of-cpv.ts'
import { installedRoots } from '../builds/installed-roots.ts'
import { HubError } from '../errors.ts'
import { parseCpv, pf } from '../gentoo/cpv.ts'
import type { Cpv } from '../gentoo/cpv.ts'
import type { IndexFields } from '../gentoo/packages-index.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { ImageFacts } from './read-binpkg.ts'
import { judgeImageInWorker, readBinpkgInWorker } from './read-in-worker.ts'
import type { VerifiedGpkg } from './verify-binpkg.ts'

export interface JudgedBinpkg {
  readonly gpkg: VerifiedGpkg
  readonly cpv: string
  readonly build: BuildRow
  /** Its entry in an index, but for the facts of its file. */
  readonly entry: IndexFields
  readonly image: ImageFacts
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
 * Has the package read to its end, by threads, and decides by the records. @throws {HubError} as `readBinpkg` and
 * `judgeImage`; `binpkg.refused` naming what makes it another package than it says.
 */
export async function judgeBinpkg(
  hub: Pick<Hub, 'records'> & { readonly limits: ArchiveLimits },
  { path, name, overlays }: BinpkgClaim,
): Promise<JudgedBinpkg> {
  const { gpkg, cpv, repository, ebuild, entry } = await readBinpkgInWorker(path)
  const parsed = parseCpv(cpv)
  if (!isNameOf(name, parsed)) throw refused(cpv, `it was announced as ${name}`)
  if (!overlays.includes(repository))
    throw refused(
      cpv,
      `it was installed from ${JSON.stringify(repository.slice(0, 100))}, which is no overlay of this hub`,
    )
  const build = await findBuildOfCpv(hub.records, parsed)
  if (!build) throw refused(cpv, 'the hub has no such build')
  const published = await hub.records.overlays.findBlob(build.ebuildOid)
  if (!published || !ebuild || !published.equals(ebuild))
    throw refused(cpv, 'its ebuild is not the one that the hub published')
  // What costs most comes last: only of a package that all else speaks for.
  const image = await judgeImageInWorker({ gpkg, limits: hub.limits, roots: installedRoots(build) })
  if (image.foreign !== null)
    throw refused(cpv, `it has ${JSON.stringify(image.foreign)}, where that build installs nothing`)
  return { gpkg, cpv, build, entry, image }
}

/** As quickpkg names it, with a build id of the node's own, or without. */
export function isNameOf(name: string, { category, pn, pvr }: Cpv): boolean {
  const file = pf({ pn, pvr })
  if (name === `${category}/${file}.gpkg.tar`) return true
  const start = `${category}/${pn}/${file}-`
  return name.startsWith(start) && /^[0-9]+\.gpkg\.tar$/.test(name.slice(start.length))
}

function refused(cpv: string, why: string): HubError {
  return new HubError('binpkg.refused', `${cpv} is not given out: ${why}`)
}
