/**
 * What becomes slower as the archive grows: publishing a build, starting the server, and every list that the API shows,
 * in archives of 1,000 apps whose builds were made by the hub's own functions (support/fill-archive.ts). They are kept
 * in `--archives FOLDER` (the largest takes minutes and 3 GB), and each run adds its few builds to them.
 */
import { join } from 'node:path'
import { compareLists } from './support/compare-lists.ts'
import type { GrownHub } from './support/compare-lists.ts'
import { grownArchive } from './support/growth-folder.ts'
import type { GrownArchive } from './support/growth-folder.ts'
import { startBenchHub } from './support/hub.ts'
import { recordRequests, withToken } from './support/light-git.ts'
import type { GitRequests } from './support/light-git.ts'
import { appName } from './support/overlay-of-apps.ts'
import { runPart } from './support/part.ts'
import type { Bench } from './support/part.ts'
import { residentBytes } from './support/processes.ts'
import { publishOnce, publishedTip } from './support/publish-once.ts'
import type { PublishTimes } from './support/publish-once.ts'
import { shortNumber } from './support/report.ts'
import { alternate, quantile } from './support/rounds.ts'
import { tinyTarball } from './support/tiny-tarballs.ts'

const APPS = 1000
const ADMIN_TOKEN = 'the-administrator-of-this-measurement'
const PUBLISHES = 20
/** Up to 1.3 times the time of the smallest: 1 / 1.3. */
const LEAST_RATIO = 0.77
const MOST_START_MS = 2000
const MIB = 2 ** 20
const PUBLISH_MEASURES = {
  answeredMs: 'first byte to answer',
  seenMs: 'answer to seen by git',
  wholeMs: 'first byte to seen by git',
}

await runPart({
  name: 'growth',
  title: 'publish, start and lists with many archived builds of 1,000 apps',
  needs: ['git'],
  options: {
    sizes: { type: 'string', default: '100,10000,100000' },
    archives: { type: 'string', default: process.env['TMPDIR'] ?? '/var/tmp' },
  },
  async run(bench) {
    const { options, folder, report, resources } = bench
    const requests = await recordRequests(join(folder, 'recorded'))
    const archives = await openArchives(bench)
    await measureStart(bench, archives, requests)
    const hubs: GrownHub[] = []
    for (const archive of archives)
      hubs.push(resources.use(await startOn(archive, requests, options.profile)))
    await measurePublish(bench, hubs)
    await compareLists(bench, hubs)
    const memory = hubs.map(
      ({ archive, hub }) => `${shortNumber(residentBytes(hub.pid) / MIB)} MiB with ${label(archive)}`,
    )
    report.note(`memory of the hub then: ${memory.join(', ')}`)
  },
})

async function openArchives({ options, folder, report }: Bench): Promise<readonly GrownArchive[]> {
  const sizes = options.quick ? [100, 300] : String(options.own['sizes']).split(',').map(Number)
  if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0))
    throw new Error('--sizes are numbers of builds')
  const root = options.quick ? folder : String(options.own['archives'])
  const archives: GrownArchive[] = []
  for (const size of sizes.toSorted((a, b) => a - b)) archives.push(await grownArchive(root, size, APPS))
  report.note(
    'the archives were not uploaded one by one but written as uploads would have left them; verify finds them clean. ' +
      'The overlay lists the 20 newest builds of an app, as the defaults have it',
  )
  return archives
}

/** From the start of the process until git was answered. */
async function measureStart(
  { options, report }: Bench,
  archives: readonly GrownArchive[],
  requests: GitRequests,
): Promise<void> {
  const start = async (archive: GrownArchive) => {
    const started = performance.now()
    await using grown = await startOn(archive, requests)
    await publishedTip(grown.hub, grown.requests)
    return { ms: performance.now() - started }
  }
  // The first start on a folder may have migrations to apply.
  for (const archive of archives) await start(archive)
  const contestants = Object.fromEntries(
    archives.map((archive) => [label(archive), async () => await start(archive)]),
  )
  const results = await alternate({ rounds: options.rounds, contestants })
  for (const archive of archives) {
    report.row({
      measured: `start of the server, ${label(archive)}, until it answers git`,
      ...{ unit: 'ms', better: 'less', hub: results[label(archive)]!.ms, target: { atMost: MOST_START_MS } },
    })
  }
}

async function startOn(
  archive: GrownArchive,
  recorded: GitRequests,
  profile: string | null = null,
): Promise<GrownHub & AsyncDisposable> {
  const { folder, env } = archive
  const hub = await startBenchHub({ folder, env, adminToken: ADMIN_TOKEN, profile })
  const requests = withToken(recorded, hub.adminToken)
  return { archive, hub, requests, [Symbol.asyncDispose]: async () => await hub[Symbol.asyncDispose]() }
}

async function measurePublish({ options, report }: Bench, hubs: readonly GrownHub[]): Promise<void> {
  const publishes = options.quick ? 2 : PUBLISHES
  const run = (grown: GrownHub) => async () => {
    const times: PublishTimes[] = []
    for (let count = 0; count < publishes; count++) times.push(await publishNext(grown, count))
    const medianOf = (name: keyof PublishTimes): number =>
      quantile(
        times.map((one) => one[name]),
        0.5,
      )
    return { answeredMs: medianOf('answeredMs'), seenMs: medianOf('seenMs'), wholeMs: medianOf('wholeMs') }
  }
  for (const grown of hubs) await run(grown)()
  const contestants = Object.fromEntries(hubs.map((grown) => [label(grown.archive), run(grown)]))
  const results = await alternate({ rounds: options.rounds, contestants })
  const [smallest] = hubs
  if (!smallest) return
  for (const { archive } of hubs) {
    for (const [name, what] of Object.entries(PUBLISH_MEASURES)) {
      const hub = results[label(archive)]![name as keyof PublishTimes]
      const peer = results[label(smallest.archive)]![name as keyof PublishTimes]
      const compared =
        archive === smallest.archive
          ? {}
          : { peer, peerName: label(smallest.archive), target: { ratio: LEAST_RATIO } }
      report.row({
        measured: `publish, ${label(archive)}, ${what}`,
        ...{ unit: 'ms', better: 'less', hub, ...compared },
      })
    }
  }
  const sizeOf = `medians of ${publishes} publishes of 200 bytes, ${options.rounds} times, after as many that do not count`
  report.note(sizeOf)
}

/** The next build of one of its apps. */
async function publishNext({ archive, hub, requests }: GrownHub, count: number): Promise<PublishTimes> {
  const present = Math.min(archive.apps, archive.builds)
  const app = appName((count * 37) % present)
  const { lastBuild } = await hub.api<{ lastBuild: number }>('GET', `/api/v1/apps/${app}`)
  const build = lastBuild + 1
  return await publishOnce(hub, requests, { app, build, version: `1.${build}.0`, tarball: tinyTarball() })
}

function label({ builds }: GrownArchive): string {
  return `${shortNumber(builds)} builds`
}
