/**
 * One package comes to a binhost of 50,000: the index that nodes fetch, `Packages` and `Packages.gz`, is ready again. Peer:
 * `emaint binhost --fix`, which is how a PKGDIR that a web server shows is indexed, with as many packages as it can do in a
 * bearable time.
 */
import { gzipSync } from 'node:zlib'
import { BinhostIndex } from '../src/binpkgs/binhost-index.ts'
import type { PublishedIndex } from '../src/binpkgs/binhost-index.ts'
import { entryOf, REPO } from './support/binpkg-rows.ts'
import { openEmaintPeer } from './support/emaint-peer.ts'
import { runPart } from './support/part.ts'
import type { Bench } from './support/part.ts'
import { whyNoPortage } from './support/portage-peer.ts'
import { shortNumber } from './support/report.ts'
import { alternate, quantile } from './support/rounds.ts'

const PACKAGES = 50_000
const PEER_PACKAGES = 1000
const UPDATES = 200
const MOST_MS = 10
const START_SEC = 1_795_000_000
const HEADER = { CHOST: 'x86_64-pc-linux-gnu', ARCH: 'amd64', REPO }

type Times = Readonly<Record<'medianMs' | 'slowestMs', number>>

await runPart({
  name: 'binhost-index',
  title: 'the index of a binhost, with one package more',
  needs: [],
  async run(bench) {
    const { options, report, resources } = bench
    const packages = options.quick ? 2000 : PACKAGES
    const index = open(bench, packages)
    const missing = whyNoPortage()
    const peerPackages = options.quick ? 20 : PEER_PACKAGES
    const peer = missing === null ? resources.use(await openEmaintPeer(peerPackages)) : null
    if (peer) report.peer(peer.description)
    else report.note(`no peer: ${missing ?? ''}`)
    update(index, packages, 0)
    let round = 0
    const contestants: Record<string, () => Promise<Times>> = {
      hub: async () => await Promise.resolve(update(index, packages, ++round)),
    }
    if (peer) {
      contestants['emaint'] = async () => {
        const tookMs = await peer.addOne()
        return { medianMs: tookMs, slowestMs: tookMs }
      }
    }
    const results = await alternate({ rounds: options.rounds, contestants })
    const [hub, emaint] = [results['hub']!, results['emaint']]
    const added = `one package added to ${shortNumber(packages)}, index ready in both forms`
    report.row({
      ...{ measured: added, unit: 'ms', better: 'less', hub: hub.medianMs, target: { atMost: MOST_MS } },
      ...(emaint && { peer: emaint.medianMs, peerName: `emaint, ${shortNumber(peerPackages)} packages` }),
    })
    report.row({
      ...{
        measured: `the slowest of ${UPDATES} such updates`,
        unit: 'ms',
        better: 'less',
        hub: hub.slowestMs,
      },
    })
    report.note(
      `the hub's figure is the median of ${UPDATES} updates at random places; the package's own digests are not in it, ` +
        `in emaint's they are, of 4 KiB. emaint's time grows with the packages: at ${shortNumber(peerPackages)} it has that much less to do`,
    )
    check(index.published, packages)
  },
})

function open({ report }: Bench, packages: number): BinhostIndex {
  const entries = Array.from({ length: packages }, (_, number) => entryOf(number, 1))
  const before = process.memoryUsage().rss
  const started = performance.now()
  const index = new BinhostIndex({ header: HEADER, timestampSec: START_SEC, entries })
  const tookMs = performance.now() - started
  const bytes = index.published.packages.reduce((sum, piece) => sum + piece.length, 0)
  const bytesGz = index.published.packagesGz.reduce((sum, piece) => sum + piece.length, 0)
  const whole = gzipSync(Buffer.concat(index.published.packages)).length
  report.note(
    `made from nothing in ${shortNumber(tookMs)} ms; ${shortNumber(bytes / 1e6)} MB, packed ${shortNumber(bytesGz / 1e6)} MB ` +
      `(${shortNumber(whole / 1e6)} MB if packed as one); ${shortNumber((process.memoryUsage().rss - before) / 1e6)} MB more of memory`,
  )
  return index
}

/** Adds builds to apps all over the index, then takes them away again. */
function update(
  index: BinhostIndex,
  packages: number,
  round: number,
): { medianMs: number; slowestMs: number } {
  const added = Array.from({ length: UPDATES }, (_, number) => entryOf((number * 7919 + round) % packages, 2))
  const took = added.map((entry) => {
    const started = performance.now()
    index.change({ put: [entry] }, START_SEC)
    return performance.now() - started
  })
  index.change({ remove: added.map((entry) => ({ cpv: entry['CPV'] ?? '', binpkgBuildId: 2 })) }, START_SEC)
  return { medianMs: quantile(took, 0.5), slowestMs: Math.max(...took) }
}

function check({ packageCount, packages }: PublishedIndex, expected: number): void {
  const blocks = Buffer.concat(packages).toString().split('\n\n').length - 2
  if (packageCount !== expected || blocks !== expected) throw new Error(`the index has ${blocks} packages`)
}
