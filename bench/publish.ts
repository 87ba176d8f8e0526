/**
 * How soon a build is to be had: from the answer to its upload until a git client sees the commit, and the honest whole
 * from the first byte. Peer: the same package published by Portage's own tools and a signed commit, where PORTAGE_SRC
 * names a checkout.
 */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gitEnvironment } from './support/git-exchange.ts'
import { grownArchive } from './support/growth-folder.ts'
import { ask } from './support/http-client.ts'
import { startBenchHub } from './support/hub.ts'
import type { BenchHub, BenchUpload } from './support/hub.ts'
import { writeLargeTar } from './support/large-tar.ts'
import { recordRequests, withToken } from './support/light-git.ts'
import type { GitRequests } from './support/light-git.ts'
import { appName } from './support/overlay-of-apps.ts'
import { runPart } from './support/part.ts'
import type { Bench } from './support/part.ts'
import { openPortagePeer, whyNoPortage } from './support/portage-peer.ts'
import type { PeerBuild, PortagePeer } from './support/portage-peer.ts'
import { programPath } from './support/programs.ts'
import { publishOnce } from './support/publish-once.ts'
import { shortNumber } from './support/report.ts'
import { alternate, quantile } from './support/rounds.ts'
import type { Measures, Summary } from './support/rounds.ts'
import { tinyTarball } from './support/tiny-tarballs.ts'

const LARGE_BYTES = 50_000_000 - (50_000_000 % 512)
const QUICK_LARGE_BYTES = 2 ** 20
const MOST_SEEN_MS = 25
const TIMES_FASTER = 50

type Size = 'small' | 'large'
const SIZE_TEXTS = { small: '200 bytes', large: '50 MB' } as const
const HUB_MEASURES = {
  seenMs: 'answer to seen by git',
  wholeMs: 'first byte to seen by git',
  answeredMs: 'first byte to answer',
  lsRemoteMs: 'git ls-remote afterwards, the process and all',
}

/** What is measured on. */
interface Place {
  readonly bench: Bench
  readonly hub: BenchHub
  readonly requests: GitRequests
  readonly apps: number
  /** Builds used up so far: each publish needs a new one. */
  used: number
}

await runPart({
  name: 'publish',
  title: 'a build, until a git client sees it, in an overlay of 1,000 apps',
  needs: ['git'],
  async run(bench) {
    const { options, folder, report, resources } = bench
    const apps = options.quick ? 20 : 1000
    const recorded = await recordRequests(join(folder, 'recorded'))
    const archive = await grownArchive(folder, apps, apps)
    const env = { ...archive.env, HUB_ANONYMOUS_READ: 'staging' }
    const hub = resources.use(await startBenchHub({ folder: archive.folder, env, profile: options.profile }))
    const place = { bench, hub, requests: withToken(recorded, hub.adminToken), apps, used: 0 }
    const missing = whyNoPortage()
    const peer = missing === null ? resources.use(await openPortagePeer(`${hub.url}/git/staging.git`)) : null
    if (missing === null) report.peer(peer?.description ?? '')
    else report.note(`Portage's own tools were not measured: ${missing}`)
    report.note(
      'each poll is on a connection of its own; what is new is in a new build of another app each time',
    )
    await publishSome(place, 'small', options.quick ? 1 : 5)
    for (const size of ['small', 'large'] as const) await compare(place, peer, size)
  },
})

type Found = Readonly<Record<string, Summary>>

async function compare(place: Place, peer: PortagePeer | null, size: Size): Promise<void> {
  const { options } = place.bench
  process.stderr.write(`  ${SIZE_TEXTS[size]}\n`)
  const count = options.quick ? 1 : size === 'small' ? 10 : 2
  const contestants: Record<string, () => Promise<Measures>> = {
    hub: async () => await publishSome(place, size, count),
  }
  if (peer) {
    for (const how of ['one package', 'all packages'] as const)
      contestants[how] = async () => await publishByPeer(place, peer, size, how === 'one package')
  }
  const { hub = {}, ...peers } = await alternate({ rounds: options.rounds, contestants })
  addRows(place.bench, size, hub, peers)
}

async function publishByPeer(place: Place, peer: PortagePeer, size: Size, atom: boolean): Promise<Measures> {
  await using build = await peerBuild(place, size)
  return { ...(await peer.publish(build, { atom })) }
}

function addRows({ report }: Bench, size: Size, hub: Found, peers: Readonly<Record<string, Found>>): void {
  const common = { unit: 'ms', better: 'less' } as const
  for (const [name, what] of Object.entries(HUB_MEASURES)) {
    const own = { measured: `${SIZE_TEXTS[size]}, ${what}`, ...common, hub: hub[name]! }
    // The large one's way to the hub is mostly its bytes and their digests.
    const isPromised = name === 'seenMs' || (name === 'wholeMs' && size === 'small')
    report.row({ ...own, ...(isPromised ? { target: { atMost: MOST_SEEN_MS } } : {}) })
    if (name !== 'seenMs' && name !== 'wholeMs') continue
    for (const [how, times] of Object.entries(peers)) {
      const target = isPromised ? { target: { ratio: TIMES_FASTER } } : {}
      report.row({ ...own, peer: times['wholeMs']!, peerName: `Portage, cache of ${how}`, ...target })
    }
  }
  for (const [how, { manifestMs, cacheMs, commitMs }] of Object.entries(peers)) {
    const parts = [manifestMs, cacheMs, commitMs].map((part) => shortNumber(part?.median ?? NaN))
    report.note(
      `Portage, ${SIZE_TEXTS[size]}, cache of ${how}: manifest ${parts[0]} ms, cache ${parts[1]} ms, commit ${parts[2]} ms`,
    )
  }
}

/** Medians of so many publishes. */
async function publishSome(place: Place, size: Size, count: number): Promise<Measures> {
  const all: Measures[] = []
  for (let done = 0; done < count; done++) all.push(await publishNext(place, size))
  const medianOf = (name: string): number =>
    quantile(
      all.map((one) => one[name] ?? NaN),
      0.5,
    )
  return Object.fromEntries(Object.keys(HUB_MEASURES).map((name) => [name, medianOf(name)]))
}

async function publishNext(place: Place, size: Size): Promise<Measures> {
  const { hub, requests } = place
  await using build = await nextBuild(place, size)
  const times = await publishOnce(hub, requests, build.upload)
  const started = performance.now()
  const remote = `${hub.url}/git/staging.git`
  await promisify(execFile)(programPath('git'), ['ls-remote', remote, 'refs/heads/main'], {
    env: gitEnvironment(),
  })
  return { ...times, lsRemoteMs: performance.now() - started }
}

/** A build that only the archive takes, for the peer to publish. */
async function peerBuild(place: Place, size: Size): Promise<PeerBuild & AsyncDisposable> {
  const { hub } = place
  const { upload, ...kept } = await nextBuild(place, size)
  const { cpv, tarball } = await hub.upload({ ...upload, query: { promote: 'false' } })
  const [category = '', pf = ''] = cpv.split('/')
  const url = `${hub.url}/api/v1/apps/${upload.app}/builds/${upload.build}/ebuild`
  const { body } = await ask({ url, headers: { Authorization: `Bearer ${hub.adminToken}` } })
  const about = {
    cp: `${category}/${upload.app}`,
    pf,
    ebuildText: body.toString(),
    distfileName: tarball.name,
  }
  return { ...about, distfile: upload.tarball, ...kept }
}

/** Another app each time, its next build, other bytes. Disposing it removes the file of a large one. */
async function nextBuild(
  place: Place,
  size: Size,
): Promise<{ readonly upload: BenchUpload } & AsyncDisposable> {
  const { options, folder } = place.bench
  const at = place.used++
  const app = appName(at % place.apps)
  const build = 2 + Math.floor(at / place.apps)
  const upload = { app, build, version: `1.${build}.0` }
  if (size === 'small')
    return { upload: { ...upload, tarball: tinyTarball() }, [Symbol.asyncDispose]: () => Promise.resolve() }
  const file = join(folder, `large-${at}.tar`)
  const sizeBytes = options.quick ? QUICK_LARGE_BYTES : LARGE_BYTES
  await writeLargeTar(file, app, sizeBytes)
  const remove = async (): Promise<void> => await rm(file, { force: true })
  return { upload: { ...upload, tarball: { file, sizeBytes } }, [Symbol.asyncDispose]: remove }
}
