/**
 * Whether the hub has the image of an announced package already. Only images that it digested itself count, of the same
 * version, of a build that was released where the node is: who names a digest need not have the bytes.
 */
import { isNameOf } from '../binpkgs/judge-binpkg.ts'
import { findBuildOfCpv } from '../builds/find-build-of-cpv.ts'
import { parseCpv } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import type { BinpkgRow } from '../records/binpkgs.ts'
import type { RestorePointFileRow, RestorePointRow } from '../records/restore-points.ts'

/** The package to take the image of; null if the whole file must come. */
export async function findHeldImage(
  { records }: Pick<Hub, 'records'>,
  { node, cpv, encrypted }: Pick<RestorePointRow, 'node' | 'cpv' | 'encrypted'>,
  { name, imageDigest, metadata }: RestorePointFileRow,
): Promise<BinpkgRow | null> {
  if (encrypted === 1 || imageDigest === null || metadata === null) return null
  const parsed = parseCpv(cpv)
  if (!isNameOf(name, parsed)) return null
  const held = await records.binpkgs.findImage(node, cpv, imageDigest)
  if (!held) return null
  const [build, found] = await Promise.all([findBuildOfCpv(records, parsed), records.nodes.find(node)])
  if (!build || !found) return null
  const releases = await records.releases.ofBuild(build.app, build.build)
  return releases.some(({ environment }) => environment === found.environment) ? held : null
}
