/**
 * The pages of a large hub: 100,000 builds of 1,000 apps, 2,000 nodes, 10,000 promotions of production, as somebody who has
 * signed in gets them one after the other, each of many different apps, builds and nodes; and how many bytes the first visit
 * costs, with styles and script.
 *
 * The archive is one of those of `growth`, kept in `--archives FOLDER` and only linked here; nodes, policies, holds, checks
 * and what waits in production come by the API.
 */
import { join } from 'node:path'
import { addressOf, PAGES } from '../tests/web/browser/pages.ts'
import { busyHub } from './support/busy-hub.ts'
import type { Looker } from './support/busy-hub.ts'
import { grownArchive } from './support/growth-folder.ts'
import { ask } from './support/http-client.ts'
import { runPart } from './support/part.ts'
import { shortNumber } from './support/report.ts'
import { quantile, summarise } from './support/rounds.ts'

const MOST_MS = 150
const MOST_KIB = 100
/** So many addresses of each page are asked in a round. */
const ADDRESSES = 20

await runPart({
  name: 'pages',
  title: 'pages of a hub with 100,000 builds, 2,000 nodes and 10,000 promotions',
  needs: [],
  options: {
    builds: { type: 'string', default: '100000' },
    nodes: { type: 'string', default: '2000' },
    promotions: { type: 'string', default: '10000' },
    archives: { type: 'string', default: process.env['TMPDIR'] ?? '/var/tmp' },
  },
  async run({ options, folder, report, resources }) {
    const own = (name: string) => Number(options.own[name])
    const [builds, nodes, promotions] = options.quick
      ? [60, 6, 20]
      : [own('builds'), own('nodes'), own('promotions')]
    const root = options.quick ? folder : String(options.own['archives'])
    const archive = await grownArchive(root, builds, Math.min(1000, Math.ceil(builds / 3)))
    const looker = resources.use(
      await busyHub({ archive, folder: join(folder, 'hub'), nodes, promotions, profile: options.profile }),
    )
    const frame = await bytesOfFrame(looker)
    for (const [route, [address = route]] of Object.entries(PAGES)) {
      const tails: number[] = []
      let bytes = 0
      for (let round = 0; round < options.rounds; round++) {
        const found = await look(looker, address)
        tails.push(quantile(found.times, 0.95))
        bytes = Math.max(bytes, found.bytes)
      }
      process.stderr.write(`  ${route}: ${shortNumber(quantile(tails, 0.5))} ms\n`)
      report.row({
        measured: `${route}, 95th percentile`,
        ...{ unit: 'ms', better: 'less', hub: summarise(tails), target: { atMost: MOST_MS } },
      })
      report.row({
        measured: `${route}, first visit with styles and script`,
        ...{ unit: 'KiB', better: 'less', hub: (bytes + frame) / 1024, target: { atMost: MOST_KIB } },
      })
    }
    report.note(`styles, script and icon are ${shortNumber(frame / 1024)} KiB of each first visit`)
    report.note(
      'one request after the other, on one connection, from the first byte sent to the last received',
    )
  },
})

/** What a page brings besides itself, once. */
async function bytesOfFrame(looker: Looker): Promise<number> {
  const { body } = await ask({ url: looker.url('/sign-in') })
  const assets = [...body.toString().matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(
    ([, path = '']) => path,
  )
  let bytes = 0
  for (const path of assets) bytes += (await looker.look(path)).bytes
  return bytes
}

/** Different addresses of one page. */
async function look(looker: Looker, address: string) {
  const times: number[] = []
  let bytes = 0
  for (let count = 0; count < ADDRESSES; count++) {
    const seen = await looker.look(addressOf(address, looker.parameters(count)))
    times.push(seen.ms)
    bytes = Math.max(bytes, seen.bytes)
  }
  return { times, bytes }
}
