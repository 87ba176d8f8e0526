/** What one overlay lists now against the builds: ebuilds, cache entries, Manifest lines, and the masks of what is withdrawn or held. */
import { parseManifest } from '../gentoo/manifest.ts'
import type { Distfile } from '../gentoo/manifest.ts'
import type { Oid } from '../git/objects.ts'
import { lookup, treeFromFiles } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import { HELD_MASK, WITHDRAWN_MASK, ebuildPath, planHeldMask, planMask } from '../overlays/plan-overlay.ts'
import type { ListedBuild } from '../records/releases.ts'
import type { Records } from '../records/records.ts'
import { objectId } from '../git/objects.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { Texts } from './verify-texts.ts'

interface Needs {
  readonly records: Records
  readonly texts: Texts
  readonly environment: string
}

const MEND = 'promote any build of the app there: its package is rendered again from the records'

export async function* verifyPackages(needs: Needs, onProgress: OnProgress): AsyncGenerator<Finding> {
  const { records, environment } = needs
  const files = await records.overlays.files(environment)
  const tree = treeFromFiles(files.map(({ path, oid }) => [path, oid as Oid] as const))
  const apps = await records.releases.appsOf([environment])
  for (const [done, app] of apps.entries()) {
    onProgress(`packages of ${environment}`, done, apps.length)
    yield* verifyPackage(needs, tree, await records.releases.buildsOf(environment, app))
  }
  yield* verifyMasks(needs, tree)
}

async function* verifyMasks({ records, environment }: Needs, tree: Tree): AsyncGenerator<Finding> {
  const planned = new Map([
    ...planMask(tree, await records.releases.withdrawn(environment), new Map()),
    ...planHeldMask(tree, await records.holds.masksIn(environment), new Map()),
  ])
  for (const [path, what] of [
    [WITHDRAWN_MASK, 'the mask is not that of the withdrawn releases'],
    [HELD_MASK, 'the mask is not that of the holds'],
  ] as const) {
    const mask = planned.get(path)
    const wanted = mask && 'content' in mask ? objectId('blob', mask.content) : null
    if (wanted !== (lookup(tree, path)?.oid ?? null))
      yield { what, where: placeOf(environment, path), mend: MEND }
  }
}

async function* verifyPackage(
  needs: Needs,
  tree: Tree,
  builds: readonly ListedBuild[],
): AsyncGenerator<Finding> {
  const { environment } = needs
  const byPath = new Map(builds.map((build) => [ebuildPath(build), build]))
  const folder = [...byPath.keys()][0]?.split('/').slice(0, 2).join('/') ?? ''
  const entries = lookup(tree, folder)?.tree?.entries ?? []
  const ebuilds = entries.map(({ name }) => `${folder}/${name}`).filter((path) => path.endsWith('.ebuild'))
  const listed: ListedBuild[] = []
  for (const path of ebuilds) {
    const build = byPath.get(path)
    if (build) listed.push(build)
    const fault = build ? faultOfEbuild(tree, path, build) : 'no release of this environment has this ebuild'
    if (fault !== null) yield { what: fault, where: placeOf(environment, path), mend: MEND }
  }
  yield* verifyManifest(needs, tree, folder, listed)
}

function faultOfEbuild(tree: Tree, path: string, build: ListedBuild): string | null {
  if (lookup(tree, path)?.oid !== build.ebuildOid) return 'it is not the ebuild of its build'
  const cache = lookup(tree, `metadata/md5-cache/${build.category}/${build.pn}-${build.pv}`)?.oid ?? null
  return cache === build.cacheOid ? null : 'its md5-cache entry is not that of its build'
}

async function* verifyManifest(
  { texts, environment }: Needs,
  tree: Tree,
  folder: string,
  listed: readonly ListedBuild[],
): AsyncGenerator<Finding> {
  const path = `${folder}/Manifest`
  const where = placeOf(environment, path)
  const oid = lookup(tree, path)?.oid
  if (oid === undefined) {
    if (listed.length > 0) yield { what: 'the Manifest is missing', where, mend: MEND }
    return
  }
  const { content, finding } = await texts.read(oid, where)
  if (finding) yield finding
  if (!content) return
  for (const fault of faultsOfManifest(content.toString('utf8'), listed))
    yield { what: fault, where, mend: MEND }
}

function* faultsOfManifest(text: string, listed: readonly ListedBuild[]): Generator<string> {
  let distfiles: readonly Distfile[]
  try {
    distfiles = parseManifest(text)
  } catch (error) {
    yield (error as Error).message
    return
  }
  const lines = new Map(distfiles.map((distfile) => [distfile.name, distfile]))
  for (const build of listed) {
    const line = lines.get(build.distfileName)
    lines.delete(build.distfileName)
    const isRight = (['sizeBytes', 'blake2b', 'sha512'] as const).every(
      (name) => line?.[name] === build[name],
    )
    if (!isRight) yield `its line of ${build.distfileName} is ${line ? 'not that of the tarball' : 'missing'}`
  }
  for (const name of lines.keys()) yield `it has a line of ${name}, which no ebuild beside it names`
}

function placeOf(environment: string, path: string): string {
  return `${path} in the overlay of ${environment}`
}
