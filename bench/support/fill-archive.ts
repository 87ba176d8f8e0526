/**
 * An archive of many builds, as that many uploads would have left it: rows, texts, tarballs, releases, and one signed
 * revision of the staging overlay a build. Ebuilds, plans, trees, commits and packs are made by the hub's own functions;
 * only the way there is shorter: no HTTP, nothing fsynced before the end, and a repository whose packs are joined as
 * the hub's hourly job joins them.
 *
 * Builds go round the apps, oldest first: build 1 of every app, build 2 of every app, and so on, a minute apart.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { describeBuild } from '../../src/builds/describe-build.ts'
import { timestamp, unixSeconds } from '../../src/clock.ts'
import type { Clock } from '../../src/clock.ts'
import type { Config } from '../../src/config.ts'
import { BY_POLICY, newPromotion, policyFor } from '../../src/environments/promotion.ts'
import { newRelease, releaseMessage } from '../../src/environments/release-build.ts'
import { parseAppName } from '../../src/gentoo/cpv.ts'
import { DEFAULT_VERSION_POLICY } from '../../src/gentoo/semver-to-pv.ts'
import { applyChanges, listFiles, treeFromFiles } from '../../src/git/tree.ts'
import type { Tree } from '../../src/git/tree.ts'
import { effectiveChanges } from '../../src/overlays/overlay.ts'
import { newestReleases, planApp } from '../../src/overlays/plan-overlay.ts'
import type { AppRow } from '../../src/records/apps.ts'
import type { BuildRow } from '../../src/records/builds.ts'
import type { ListedBuild } from '../../src/records/releases.ts'
import { startHub } from '../../src/serve.ts'
import { createPaths } from '../../src/storage/paths.ts'
import type { Paths } from '../../src/storage/paths.ts'
import { ArchiveRows } from './archive-rows.ts'
import { appName } from './overlay-of-apps.ts'
import { RevisionWriter } from './revision-writer.ts'
import type { NewRevision } from './revision-writer.ts'
import { TinyTarballs } from './tiny-tarballs.ts'
import type { TinyTarball } from './tiny-tarballs.ts'

export const ENVIRONMENT = 'staging'
const MINUTE_MS = 60_000
/** Rows of so many builds are one transaction, and their objects one pack. */
const BATCH = 250

export interface Filling {
  readonly config: Config
  readonly builds: number
  readonly apps: number
  /** When the newest build came; the others came before it. */
  readonly until: Date
  readonly onProgress: (done: number) => void
}

/** What grows with each build. */
interface Archive {
  readonly filling: Filling
  readonly clock: Clock
  readonly paths: Paths
  readonly rows: ArchiveRows
  readonly tarballs: TinyTarballs
  readonly apps: Map<string, FilledApp>
  /** The overlay before the first build. */
  readonly begun: Tree
  revision: number
}

interface FilledApp {
  row: AppRow
  listed: readonly ListedBuild[]
  /**
   * The overlay as it would be with this app alone. All that is planned for an app lies in files of its own, so plans
   * come out the same, and the whole tree, which is large, needs making in the other thread only.
   */
  tree: Tree
}

/** Fills an empty data folder. The hub that opens it finds nothing to finish. */
export async function fillArchive(filling: Filling): Promise<void> {
  const { config, builds, until } = filling
  let time = new Date(until.getTime() - (builds + 1) * MINUTE_MS)
  const clock = { now: () => time }
  {
    // An empty hub first: tables, key, and the first revision of each overlay.
    await using _hub = await startHub(config, { clock })
  }
  {
    using rows = new ArchiveRows(config)
    await addBuilds(rows, filling, clock, () => {
      time = new Date(time.getTime() + MINUTE_MS)
    })
  }
  // The folders of the published trees are written by the hub itself.
  await using full = await startHub(config)
  await full.hub.settled()
}

async function addBuilds(rows: ArchiveRows, filling: Filling, clock: Clock, tick: () => void): Promise<void> {
  const { config, builds } = filling
  const paths = createPaths(config.dataDir)
  mkdirSync(paths.mirror(ENVIRONMENT), { recursive: true })
  const { number: revision, commitOid: parent } = rows.newestRevision(ENVIRONMENT)
  const begun = treeFromFiles(rows.newestFiles(ENVIRONMENT))
  const files = [...listFiles(begun)]
  await using writer = await RevisionWriter.start({ paths, environment: ENVIRONMENT, parent, files })
  const tarballs = await TinyTarballs.open(config)
  const archive: Archive = { filling, clock, paths, rows, tarballs, apps: new Map(), begun, revision }
  for (let at = 0; at < builds; at += BATCH) {
    const end = Math.min(at + BATCH, builds)
    rows.transaction(() => {
      for (let index = at; index < end; index++) {
        tick()
        writer.add(addBuild(archive, index))
      }
    })
    await writer.flush()
    filling.onProgress(end)
  }
  const apps = [...archive.apps.values()]
  const listed = new Map(apps.flatMap(({ tree }) => [...listFiles(tree)]))
  const appRows = apps.map(({ row }) => row)
  rows.finish(await writer.finish(), appRows, listed)
}

/** One upload and its release: everything but the commit, which needs the signature of the one before. */
function addBuild(archive: Archive, index: number): NewRevision {
  const { filling, rows, paths } = archive
  const app = appOf(archive, appName(index % filling.apps))
  const tarball = archive.tarballs.make()
  const { build, draft } = describe(archive, app.row, tarball)
  rows.add('builds', build)
  rows.add('listings', { sha512: build.sha512, entries: archive.tarballs.listing })
  for (const [oid, content] of draft.texts) rows.addText(oid, content)
  const listing = { ...build, state: 'released', reason: null, withdrawnBy: null, withdrawnAt: null } as const
  // Those past the newest are never listed again: nothing is lost by forgetting them here.
  app.listed = newestReleases([...app.listed, listing], filling.config.keepReleases)
  app.row = { ...app.row, lastBuild: build.build }
  const revision = release(archive, app, build)
  const mirrorFile = paths.mirrorFile(ENVIRONMENT, build.distfileName)
  return { ...revision, tarball: { bytes: tarball.bytes, blob: paths.blob(build.sha512), mirrorFile } }
}

function appOf(archive: Archive, name: string): FilledApp {
  const known = archive.apps.get(name)
  if (known) return known
  const row: AppRow = {
    name,
    category: archive.filling.config.category,
    description: null,
    versionPolicy: JSON.stringify(DEFAULT_VERSION_POLICY),
    defaultRecipe: null,
    lastBuild: 0,
    createdAt: timestamp(archive.clock.now()),
  }
  const made: FilledApp = { row, listed: [], tree: archive.begun }
  archive.apps.set(name, made)
  archive.rows.add('apps', row)
  return made
}

function describe({ filling, clock, tarballs }: Archive, app: AppRow, { digests }: TinyTarball) {
  const number = app.lastBuild + 1
  const upload = {
    ...{ app: app.name, build: number, version: `1.${number}.0` },
    received: { path: '', digests, [Symbol.asyncDispose]: () => Promise.resolve() },
    ...{ declaredDigests: [], recipeText: null, ebuildTemplate: null },
    ...{ commit: randomBytes(20).toString('hex'), branch: 'main', ciUrl: null },
    ...{ by: 'ci', maySendCommands: false, dryRun: false, record: () => Promise.resolve() },
  }
  const { contents, chosen } = tarballs
  const about = { pn: parseAppName(app.name), app, contents, chosen }
  return describeBuild({ config: filling.config, clock, overlays: new Map() }, upload, about)
}

function release(archive: Archive, app: FilledApp, build: BuildRow): Omit<NewRevision, 'tarball'> {
  const { rows, clock } = archive
  const plan = planApp(archive.filling.config, app.tree, app.listed, null)
  const { changes, blobs } = effectiveChanges(app.tree, plan)
  app.tree = applyChanges(app.tree, changes)
  const revision = ++archive.revision
  for (const [oid, content] of blobs) rows.addText(oid, content)
  for (const [path, oid] of changes)
    rows.add('revisionChanges', { environment: ENVIRONMENT, revision, path, oid })
  const released = {
    ...newRelease({ clock }, { environment: ENVIRONMENT, build, by: BY_POLICY }),
    revision,
  }
  rows.add('releases', released)
  const promotion = newPromotion({ clock }, { build, environment: ENVIRONMENT, by: policyFor(null) })
  rows.add('promotions', {
    ...promotion,
    ...{ state: 'released', releaseId: released.id, revision, finishedAt: promotion.requestedAt },
  })
  return {
    number: revision,
    changes: [...changes],
    timeSec: unixSeconds(clock.now()),
    author: BY_POLICY,
    message: releaseMessage(build, 'add'),
    texts: rows.takeTexts(),
  }
}
