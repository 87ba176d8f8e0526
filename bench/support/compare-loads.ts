/** The same load on the hub, in one or several ways, and on a peer, in turns; and the rows that say what came out. */
import { alternate } from './rounds.ts'
import type { Bench } from './part.ts'
import type { Target } from './report.ts'
import { load } from './wrk.ts'
import type { Load } from './wrk.ts'

type Way = Omit<Load, 'folder' | 'seconds'>

export interface LoadComparison {
  readonly measured: string
  /** What is counted: `requests`, `exchanges`. */
  readonly unit: string
  /** How many requests make one of the unit. */
  readonly requestsEach?: number
  /** Ways to ask the hub, by a name that the table shows. */
  readonly hub: Readonly<Record<string, Way>>
  readonly peer?: { readonly name: string; readonly way: Way }
  /** Of every way. */
  readonly target?: Target
}

/** Rows of each way: how many a second, and CPU time of the server for one. */
export async function compareLoads(
  { options, folder, report }: Bench,
  { measured, unit, requestsEach = 1, hub, peer, target }: LoadComparison,
): Promise<void> {
  process.stderr.write(`  ${measured}\n`)
  const run = (way: Way) => async () => {
    const result = await load({ folder, seconds: options.seconds, ...way })
    return {
      rate: result.rate / requestsEach,
      cpuUs: result.serverCpuUs * requestsEach,
      p99Us: result.p99Us,
      wrkBusy: result.wrkBusy,
    }
  }
  const ways = { ...hub, ...(peer && { [peer.name]: peer.way }) }
  const contestants = Object.fromEntries(Object.entries(ways).map(([name, way]) => [name, run(way)]))
  const results = await alternate({ rounds: options.rounds, contestants })
  const peers = peer && results[peer.name]
  for (const name of Object.keys(hub)) {
    const { rate, cpuUs } = results[name]!
    const what = { measured: `${measured}, ${name}`, ...(peer && { peerName: peer.name }) }
    const rates = { hub: rate, ...(peers && { peer: peers.rate }) }
    const costs = { hub: cpuUs, ...(peers && !Number.isNaN(peers.cpuUs.median) && { peer: peers.cpuUs }) }
    report.row({ ...what, unit: `${unit}/s`, better: 'more', ...rates, ...(target && { target }) })
    report.row({ ...what, unit: 'µs of CPU each', better: 'less', ...costs })
  }
  const busy = Object.entries(results).map(([name, { wrkBusy }]) => `${name} ${percent(wrkBusy.median)}`)
  report.note(
    `${measured}: of one core the load generator used: ${busy.join(', ')}. Near 100 % it is the limit.`,
  )
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
