/** What must hold of a data folder whose hub has come back, however the one before it ended. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '../../src/config.ts'
import { parseManifest } from '../../src/gentoo/manifest.ts'
import { openDataFolder } from '../../src/jobs/open-data-folder.ts'
import type { DataFolder } from '../../src/jobs/open-data-folder.ts'
import { ebuildPath } from '../../src/overlays/plan-overlay.ts'
import type { BuildRow } from '../../src/records/builds.ts'
import type { ReleaseRow } from '../../src/records/releases.ts'
import { send } from '../support/raw-http.ts'
import { findingsIn } from '../support/verify.ts'
import { checkFleet } from './check-fleet.ts'
import { checkPipeline } from './check-pipeline.ts'
import { settingsOf } from './hub-process.ts'
import type { Ledger } from './ledger.ts'

const ENVIRONMENTS = ['staging', 'production', 'gated'] as const
/** SQLite may have a journal beside the lock while it is held. */
const LOCK = 'var/hub.lock-'

/** What was checked before on this folder, so that each check costs what is new. */
export class Checked {
  readonly distfiles = new Set<string>()
  readonly revisions = new Map<string, number>()
  /** Of restore points and binhosts. */
  readonly fleetFiles = new Set<string>()
}

interface Scene {
  readonly directory: string
  readonly url: string
  readonly ledger: Ledger
  readonly checked: Checked
  /** Faults of the disk end promotions; a process that dies does not. */
  readonly mayHaveFailed?: boolean
  /** Builds of the one app before this one have left the overlay, which lists the newest. */
  readonly listedFrom?: number
}

/** Everything that is wrong, a line each; what the ledger did not know is known afterwards. */
export async function checkFolder(scene: Scene): Promise<readonly string[]> {
  await using folder = await openDataFolder(loadConfig(settingsOf(scene.directory)).config)
  const builds: BuildRow[] = []
  for await (const build of folder.records.builds.all()) builds.push(build)
  const findings = [
    ...scene.ledger.findings.splice(0),
    ...checkBuilds(scene.ledger, builds),
    ...(await checkPromotions(folder, scene.mayHaveFailed === true ? [] : ['failed'])),
    ...(await checkReleases(scene.ledger, folder, builds, scene.listedFrom ?? 1)),
    ...(await checkHandKept(scene.ledger, folder)),
    ...(await checkRevisions(scene, folder)),
    ...(await checkViews(scene.ledger, folder)),
    ...(await checkFleet({ ...scene, folder, fleet: scene.ledger.fleet, seen: scene.checked.fleetFiles })),
    ...(await checkPipeline(folder, scene.ledger.pipeline)),
    ...(await checkFiles(folder, builds)),
  ]
  findings.push(...(await findingsIn(folder)).map((finding) => `verify: ${finding}`))
  return findings
}

/** Acknowledged ones are there with their bytes; what else is there was sent at least. */
function checkBuilds(ledger: Ledger, rows: readonly BuildRow[]): readonly string[] {
  const findings: string[] = []
  const keyed = new Map([...ledger.keyed.values()].map((upload) => [upload.sha512, upload]))
  const byName = new Map(rows.map((row) => [`${row.app}/${String(row.build)}`, row]))
  for (const [name, build] of ledger.builds) {
    const row = byName.get(name)
    if (build.acknowledged !== null && row?.sha512 !== build.acknowledged)
      findings.push(`build ${name} was acknowledged and is ${row ? 'another one' : 'gone'}`)
    if (row && !build.sent.has(row.sha512)) findings.push(`build ${name} has bytes that nobody sent`)
    if (row) build.acknowledged = row.sha512
  }
  for (const { key, app, sha512, acknowledged } of keyed.values()) {
    const made = rows.filter((row) => row.app === app && row.sha512 === sha512).map(({ build }) => build)
    if (made.length > 1) findings.push(`the upload ${key} became the builds ${made.join(', ')}`)
    if (acknowledged !== null && made[0] !== acknowledged)
      findings.push(
        `the upload ${key} was acknowledged as build ${String(acknowledged)} and is ${String(made[0])}`,
      )
  }
  for (const row of rows) {
    if (!ledger.builds.has(`${row.app}/${String(row.build)}`) && !keyed.has(row.sha512))
      findings.push(`build ${row.app}/${String(row.build)} was never sent`)
  }
  return findings
}

async function checkPromotions(
  { records }: DataFolder,
  alsoNot: readonly string[],
): Promise<readonly string[]> {
  const findings: string[] = []
  for (const state of ['requested', 'publishing', ...alsoNot])
    for (const { id } of await records.promotions.inState(state)) findings.push(`promotion ${id} is ${state}`)
  return findings
}

/** Every build is in staging, by its policy; production is as clients were told. */
async function checkReleases(
  ledger: Ledger,
  folder: DataFolder,
  builds: readonly BuildRow[],
  listedFrom: number,
): Promise<readonly string[]> {
  const { records } = folder
  const findings: string[] = []
  const files = new Map<string, ReadonlySet<string>>()
  for (const environment of ENVIRONMENTS)
    files.set(environment, new Set((await records.overlays.files(environment)).map(({ path }) => path)))
  for (const build of builds) {
    const name = `${build.app}/${String(build.build)}`
    const releases = await records.releases.ofBuild(build.app, build.build)
    const states = releases.map(({ environment, state }) => `${environment} ${state}`)
    if (states.filter((text) => text === 'staging released').length !== 1)
      findings.push(`build ${name} stands in: ${states.join(', ') || 'nothing'}`)
    if (build.build >= listedFrom)
      for (const release of releases) findings.push(...missingFiles(files, build, release))
    const last = releases.filter(({ environment }) => environment === 'production').at(-1)
    const standing = ledger.standing(build.app, build.build)
    const actual = last?.state ?? 'absent'
    if (!standing.possible.has(actual))
      findings.push(
        `build ${name} is ${actual} in production, and was told to be ${[...standing.possible].join(' or ')}`,
      )
    standing.possible = new Set([actual])
    standing.releaseId = last?.id ?? null
  }
  return findings
}

function missingFiles(
  files: ReadonlyMap<string, ReadonlySet<string>>,
  build: BuildRow,
  { environment }: ReleaseRow,
): readonly string[] {
  const ebuild = ebuildPath(build)
  const folder = ebuild.slice(0, ebuild.lastIndexOf('/'))
  const cache = `metadata/md5-cache/${build.category}/${build.pn}-${build.pv}`
  return [ebuild, cache, `${folder}/Manifest`, `${folder}/metadata.xml`]
    .filter((path) => !files.get(environment)?.has(path))
    .map((path) => `${environment} has a release of ${build.app} ${String(build.build)} and no ${path}`)
}

async function checkHandKept(ledger: Ledger, { records }: DataFolder): Promise<readonly string[]> {
  const findings: string[] = []
  const oids = new Map((await records.overlays.files('staging')).map(({ path, oid }) => [path, oid]))
  for (const [path, possible] of ledger.files) {
    const oid = oids.get(path)
    const content = oid === undefined ? null : ((await records.overlays.findBlob(oid))?.toString() ?? null)
    if (!possible.has(content)) findings.push(`${path} is ${String(content)}, and was told to be another`)
    ledger.files.set(path, new Set([content]))
  }
  return findings
}

/** Each revision since the last check: its time, and that the mirror serves what its Manifests name. */
async function checkRevisions(scene: Scene, { records }: DataFolder): Promise<readonly string[]> {
  const findings: string[] = []
  for (const environment of ENVIRONMENTS) {
    const newest = (await records.overlays.newestRevision(environment))?.number ?? 0
    const from = scene.checked.revisions.get(environment) ?? 0
    if (newest < from)
      findings.push(`${environment} went back from revision ${String(from)} to ${String(newest)}`)
    for (let number = from + 1; number <= newest; number++) {
      for (const { path, oid } of await records.overlays.changesOf(environment, number)) {
        if (oid === null || !path.endsWith('/Manifest')) continue
        const text = (await records.overlays.findBlob(oid))?.toString() ?? ''
        findings.push(...(await checkManifest(scene, environment, text)))
      }
    }
    scene.checked.revisions.set(environment, newest)
  }
  return findings
}

async function checkManifest(
  { url, checked }: Scene,
  environment: string,
  text: string,
): Promise<readonly string[]> {
  const findings: string[] = []
  for (const { name, sizeBytes, blake2b, sha512 } of parseManifest(text)) {
    const key = `${environment}/${name} ${sha512}`
    if (checked.distfiles.has(key)) continue
    checked.distfiles.add(key)
    const { status, body } = await send(url, { path: `/distfiles/${environment}/${name}`, token: null })
    const digests = [
      createHash('blake2b512').update(body).digest('hex'),
      createHash('sha512').update(body).digest('hex'),
    ]
    if (status !== 200 || body.length !== sizeBytes || digests.join() !== [blake2b, sha512].join())
      findings.push(
        `a Manifest of ${environment} names ${name}, and the mirror answers ${String(status)} with another file`,
      )
  }
  return findings
}

/** What any client has seen was one published revision, whole. */
async function checkViews(ledger: Ledger, { records }: DataFolder): Promise<readonly string[]> {
  const trees = new Map<string, Set<string>>()
  const commits = new Map<string, string>()
  for (const environment of ENVIRONMENTS) {
    const newest = (await records.overlays.newestRevision(environment))?.number ?? 0
    const known = new Set<string>()
    for (let number = 1; number <= newest; number++) {
      const revision = await records.overlays.findRevision(environment, number)
      if (!revision) continue
      known.add(revision.treeOid)
      commits.set(`${environment} ${revision.commitOid}`, revision.treeOid)
    }
    trees.set(environment, known)
  }
  const wrong = ledger.views.filter(({ environment, tree, commit }) =>
    commit === null ? !trees.get(environment)?.has(tree) : commits.get(`${environment} ${commit}`) !== tree,
  )
  ledger.viewsChecked += ledger.views.length
  ledger.views = []
  return wrong.map(
    ({ environment, by, tree, commit }) => `${by} saw ${environment} at ${commit ?? tree}: no revision`,
  )
}

/** The files that there are, against those that the records say there should be. */
async function checkFiles(folder: DataFolder, builds: readonly BuildRow[]): Promise<readonly string[]> {
  const expected = new Set([
    ...[
      'hub.db',
      'hub.db-wal',
      'hub.db-shm',
      'hub.lock',
      'hub.lock.holder',
      'keys/hub.key',
      'keys/binhost.key',
      'keys/keys.json',
      'webhooks.key',
    ].map((name) => `var/${name}`),
    ...builds.map(({ sha512 }) => `distfiles/archive/${sha512.slice(0, 2)}/${sha512}`),
  ])
  for await (const { sha512 } of folder.records.restorePoints.neededBlobs())
    expected.add(`binpkgs/${sha512.slice(0, 2)}/${sha512}`)
  for (const { id, build } of await folder.records.partialUploads.all())
    if (build === null) expected.add(`var/partial-uploads/${id}`)
  for (const environment of ENVIRONMENTS) {
    expected.add(`var/trees/${environment}`)
    for (const { path } of await folder.records.overlays.files(environment))
      expected.add(`overlays/${environment}/${path}`)
    for (const { distfileName } of await folder.records.releases.distfiles(environment))
      expected.add(`distfiles/${environment}/${distfileName}`)
    for (const name of ['HEAD', 'config', 'refs/heads/main'])
      expected.add(`overlays/${environment}.git/${name}`)
  }
  const there = new Set<string>()
  for (const entry of await readdir(folder.paths.data, { recursive: true, withFileTypes: true }))
    if (!entry.isDirectory())
      there.add(join(entry.parentPath, entry.name).slice(folder.paths.data.length + 1))
  const isPack = (path: string): boolean =>
    /^overlays\/[a-z]+\.git\/objects\/pack\/pack-[0-9a-f]{40}\.(?:pack|idx)$/.test(path) &&
    there.has(path.replace(/\.pack$/, '.idx')) &&
    there.has(path.replace(/\.idx$/, '.pack'))
  return [
    ...[...there]
      .filter((path) => !expected.has(path) && !isPack(path) && !path.startsWith(LOCK))
      .map((path) => `a leftover: ${path}`),
    ...[...expected].filter((path) => !there.has(path)).map((path) => `missing: ${path}`),
  ]
}
