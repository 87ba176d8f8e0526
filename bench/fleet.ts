/**
 * Many nodes and a busy CI: 10,000 nodes poll once a minute each, at a moment of their own, while a build a second is
 * uploaded. Most poll by git, each time on a new connection and with all the requests of a real `git fetch --depth 1`
 * (recorded from it, the refused first one too); some by zip. Every answer is read to the end and judged: the pack, its
 * digest and its commit; and afterwards whether a node ever got less than what was acknowledged before it asked.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { gitNode, zipNode } from './support/fleet-node.ts'
import type { FleetNode, Poll } from './support/fleet-node.ts'
import { grownArchive } from './support/growth-folder.ts'
import { startBenchHub } from './support/hub.ts'
import type { BenchHub } from './support/hub.ts'
import { recordRequests, withToken } from './support/light-git.ts'
import { appName } from './support/overlay-of-apps.ts'
import { runPart } from './support/part.ts'
import { childrenMark, cpuSeconds, residentBytes } from './support/processes.ts'
import type { Report } from './support/report.ts'
import { shortNumber } from './support/report.ts'
import { quantile } from './support/rounds.ts'
import { tinyTarball } from './support/tiny-tarballs.ts'

const MINUTE_MS = 60_000
/** A node's minute is up to so much longer or shorter: clocks drift, and cron jobs sleep at random. */
const JITTER = 0.1
const ZIP_SHARE = 0.02
const BUILD_EVERY_MS = 1000
const MOST_P99_MS = 250
const MIB = 2 ** 20
const REVISIONS = '/api/v1/environments/staging/revisions'

interface Plan {
  readonly nodes: number
  readonly apps: number
  readonly everyMs: number
  readonly lastsMs: number
}

/** A build that was answered for, by the revision that has it. */
interface Acknowledged {
  readonly revision: number
  readonly at: number
}

await runPart({
  name: 'fleet',
  title: '10,000 nodes that poll once a minute, and a build a second',
  needs: ['git'],
  options: { minutes: { type: 'string', default: '3' }, nodes: { type: 'string', default: '10000' } },
  async run({ options, folder, report, resources }) {
    const plan = planOf(options)
    const recorded = await recordRequests(join(folder, 'recorded'))
    const archive = await grownArchive(folder, 2 * plan.apps, plan.apps)
    const { env, folder: data } = archive
    const hub = resources.use(await startBenchHub({ folder: data, env, profile: options.profile }))
    const token = await hub.createToken({ role: 'node', environments: ['staging'] })
    const newest = await newestRevision(hub)
    const requests = withToken(recorded, token)
    const nodes = Array.from({ length: plan.nodes }, (_, at) =>
      at % Math.round(1 / ZIP_SHARE) === 0
        ? zipNode(hub.url, token, newest.tree)
        : gitNode(hub.url, requests, newest.commit),
    )
    const children = childrenMark(hub.pid)
    const found = await runFleet(hub, nodes, plan)
    report.row({
      measured: 'processes that the hub started meanwhile',
      ...{ unit: '0 or some', better: 'less', hub: childrenMark(hub.pid) === children ? 0 : 1 },
      target: { atMost: 0 },
    })
    addRows(report, found, await missed(hub, found))
    report.note(
      `${plan.nodes} nodes, a poll each ${plan.everyMs / 1000} s ± ${100 * JITTER} %, ${100 * ZIP_SHARE} % by zip; ` +
        `${found.acknowledged.length} builds in ${Math.round(found.tookMs / 1000)} s; ${plan.apps} apps with 2 builds each at first`,
    )
    report.note(`memory of the hub at the end: ${shortNumber(residentBytes(hub.pid) / MIB)} MiB`)
  },
})

function planOf({
  quick,
  own,
}: {
  readonly quick: boolean
  readonly own: Readonly<Record<string, unknown>>
}): Plan {
  if (quick) return { nodes: 200, apps: 50, everyMs: 4000, lastsMs: 8000 }
  const [nodes, minutes] = [Number(own['nodes']), Number(own['minutes'])]
  if (!(nodes > 0 && minutes > 0)) throw new Error('--nodes and --minutes are numbers above 0')
  return { nodes, apps: 1000, everyMs: MINUTE_MS, lastsMs: minutes * MINUTE_MS }
}

interface Found {
  readonly polls: readonly Poll[]
  readonly acknowledged: readonly Acknowledged[]
  readonly uploadMs: readonly number[]
  readonly tookMs: number
  readonly hubCores: number
  readonly ownCores: number
  readonly ownDelayMs: number
}

async function runFleet(hub: BenchHub, nodes: readonly FleetNode[], plan: Plan): Promise<Found> {
  const [polls, acknowledged, uploadMs]: [Poll[], Acknowledged[], number[]] = [[], [], []]
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const [started, cpu, own] = [performance.now(), cpuSeconds(hub.pid), process.cpuUsage()]
  const until = started + plan.lastsMs
  const live = async (node: FleetNode): Promise<void> => {
    let pauseMs = Math.random() * plan.everyMs
    while (performance.now() + pauseMs < until) {
      await sleep(pauseMs)
      polls.push(await node.poll())
      pauseMs = plan.everyMs * (1 - JITTER + 2 * JITTER * Math.random())
    }
  }
  const watch = setInterval(() => {
    process.stderr.write(`  ${polls.length} polls, ${acknowledged.length} builds\n`)
  }, 30_000)
  await Promise.all([uploadUntil(hub, until, plan.apps, acknowledged, uploadMs), ...nodes.map(live)])
  clearInterval(watch)
  const tookMs = performance.now() - started
  const ownUse = process.cpuUsage(own)
  delay.disable()
  return {
    ...{ polls, acknowledged, uploadMs, tookMs },
    hubCores: (cpuSeconds(hub.pid) - cpu) / (tookMs / 1000),
    ownCores: (ownUse.user + ownUse.system) / 1000 / tookMs,
    ownDelayMs: delay.percentile(99) / 1e6,
  }
}

/** CI: a build a second, of one app after another. */
async function uploadUntil(
  hub: BenchHub,
  until: number,
  apps: number,
  acknowledged: Acknowledged[],
  uploadMs: number[],
): Promise<void> {
  for (let count = 0; performance.now() < until; count++) {
    const started = performance.now()
    const [app, build] = [appName(count % apps), 3 + Math.floor(count / apps)]
    const answer = await hub.upload({ app, build, version: `1.${build}.0`, tarball: tinyTarball() })
    const at = performance.now()
    const { releases } = answer as unknown as { releases: readonly { revision: number }[] }
    acknowledged.push({ revision: releases[0]?.revision ?? NaN, at })
    uploadMs.push(at - started)
    await sleep(Math.max(0, BUILD_EVERY_MS - (at - started)))
  }
}

/** Polls that saw an older revision than one that was acknowledged before they began. */
async function missed(hub: BenchHub, { polls, acknowledged }: Found): Promise<number> {
  const numbers = await numbersOfRevisions(hub)
  return polls.filter(({ saw, startedAt }) => {
    const newest = acknowledged.findLast(({ at }) => at < startedAt)?.revision ?? 0
    return saw !== null && !((numbers.get(saw) ?? NaN) >= newest)
  }).length
}

interface RevisionJson {
  readonly revision: number
  readonly commit: string
  readonly tree: string
}

/** By commit and by tree; a tree that came twice counts as the newest. */
async function numbersOfRevisions(hub: BenchHub): Promise<ReadonlyMap<string, number>> {
  const numbers = new Map<string, number>()
  for (let cursor: string | null = ''; cursor !== null;) {
    const path: string = `${REVISIONS}?limit=500${cursor === '' ? '' : `&cursor=${cursor}`}`
    const page: { items: readonly RevisionJson[]; nextCursor: string | null } = await hub.api('GET', path)
    for (const { revision, commit, tree } of page.items) {
      numbers.set(commit, revision)
      if (!numbers.has(tree)) numbers.set(tree, revision)
    }
    cursor = page.nextCursor
  }
  return numbers
}

async function newestRevision(hub: BenchHub): Promise<RevisionJson> {
  const { items } = await hub.api<{ items: readonly RevisionJson[] }>('GET', `${REVISIONS}?limit=1`)
  if (!items[0]) throw new Error('the overlay has no revision')
  return items[0]
}

function addRows(report: Report, found: Found, missedPolls: number): void {
  const { polls, uploadMs } = found
  const common = { unit: 'ms', better: 'less' } as const
  for (const by of ['git', 'zip'] as const) {
    const times = polls.filter((poll) => poll.by === by && poll.fault === null).map(({ tookMs }) => tookMs)
    if (times.length === 0) continue
    report.row({ measured: `poll by ${by}, median`, ...common, hub: quantile(times, 0.5) })
    const p99 = { measured: `poll by ${by}, 99th percentile`, ...common, hub: quantile(times, 0.99) }
    report.row({ ...p99, target: { atMost: MOST_P99_MS } })
    report.row({ measured: `poll by ${by}, longest`, ...common, hub: Math.max(...times) })
  }
  report.row({ measured: 'upload, median', ...common, hub: quantile(uploadMs, 0.5) })
  report.row({ measured: 'upload, 99th percentile', ...common, hub: quantile(uploadMs, 0.99) })
  const faults = polls.flatMap(({ fault }) => (fault === null ? [] : [fault]))
  const counted = { unit: 'number', better: 'less', target: { atMost: 0 } } as const
  report.row({ measured: 'polls that failed', ...counted, hub: faults.length })
  report.row({ measured: 'polls that missed an acknowledged build', ...counted, hub: missedPolls })
  report.row({ measured: 'CPU of the hub', unit: 'cores', better: 'less', hub: found.hubCores })
  for (const fault of new Set(faults.slice(0, 5))) report.note(`a poll failed: ${fault}`)
  const fetched = polls.filter((poll) => poll.fetched).length
  report.note(`${polls.length} polls, of which ${fetched} found something new and fetched it`)
  report.note(
    `the simulation itself used ${shortNumber(found.ownCores)} of a core, and its event loop was late by ` +
      `${shortNumber(found.ownDelayMs)} ms at the 99th percentile (5 of them are the timer's own): times include that`,
  )
}
