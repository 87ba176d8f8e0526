/**
 * Publishing and fetching equal bytes, as a registry of packages does it for another language: a tarball sent until it
 * is answered for, and fetched. Peer: verdaccio, which keeps what it gets as it is; the hub also digests it three times,
 * looks at every file in it, and publishes a signed revision before it answers.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent } from 'node:http'
import { ask, basicAuth } from './support/http-client.ts'
import { startBenchHub } from './support/hub.ts'
import type { BenchHub } from './support/hub.ts'
import { writeLargeTar } from './support/large-tar.ts'
import { runPart } from './support/part.ts'
import type { Bench } from './support/part.ts'
import { cpuSeconds } from './support/processes.ts'
import { alternate, quantile } from './support/rounds.ts'
import { tinyTarball } from './support/tiny-tarballs.ts'
import { startVerdaccio } from './support/verdaccio.ts'
import type { Verdaccio } from './support/verdaccio.ts'

const LARGE_BYTES = 50_000_000 - (50_000_000 % 512)

type Measured = Readonly<Record<'publishMs' | 'fetchMs' | 'cpuMs', number>>

interface Size {
  readonly text: string
  readonly count: number
  make(at: number): Promise<Buffer>
}

await runPart({
  name: 'verdaccio',
  title: 'publish and download of equal bytes',
  needs: [],
  async run(bench) {
    const { options, folder, report, resources } = bench
    if (options.quick) {
      report.skip(
        'a quick run fetches nothing from the npm registry; without --quick verdaccio is installed for the run',
      )
      return
    }
    const peer = await startVerdaccio(join(folder, 'verdaccio')).catch((error: unknown) => {
      report.skip(
        `verdaccio cannot be had from the npm registry: ${(error as Error).message.split('\n')[0] ?? ''}`,
      )
      return null
    })
    if (!peer) return
    resources.use(peer)
    report.peer(peer.description)
    report.note(
      'the tarballs are plain or gzipped tar of random bytes; the first publish of each does not count',
    )
    const hub = resources.use(await startBenchHub({ folder: join(folder, 'hub'), profile: options.profile }))
    for (const size of sizes(bench)) await compare(bench, size, hub, peer)
  },
})

function sizes({ folder }: Bench): readonly Size[] {
  const large = async (at: number): Promise<Buffer> => {
    const path = join(folder, `large-${at}.tar`)
    await writeLargeTar(path, 'large', LARGE_BYTES)
    const tarball = await readFile(path)
    await rm(path)
    return tarball
  }
  return [
    { text: '200 bytes', count: 10, make: () => Promise.resolve(tinyTarball()) },
    { text: '50 MB', count: 2, make: large },
  ]
}

async function compare(
  { options, report }: Bench,
  size: Size,
  hub: BenchHub,
  peer: Verdaccio,
): Promise<void> {
  process.stderr.write(`  ${size.text}\n`)
  let at = 0
  const run = (one: (tarball: Buffer, at: number) => Promise<Measured>) => async () => {
    const all: Measured[] = []
    for (let count = 0; count < size.count; count++) all.push(await one(await size.make(++at), at))
    const medianOf = (name: keyof Measured): number =>
      quantile(
        all.map((times) => times[name]),
        0.5,
      )
    return { publishMs: medianOf('publishMs'), fetchMs: medianOf('fetchMs'), cpuMs: medianOf('cpuMs') }
  }
  const app = `app${size.text.replaceAll(/\W/g, '').toLowerCase()}`
  const ofHub = run(async (tarball, build) => await byHub(hub, app, build, tarball))
  const ofPeer = run(async (tarball, build) => await byVerdaccio(peer, app, build, tarball))
  await ofHub()
  await ofPeer()
  const results = await alternate({ rounds: options.rounds, contestants: { hub: ofHub, verdaccio: ofPeer } })
  const rows = { publishMs: 'publish', fetchMs: 'download', cpuMs: 'CPU time of both' } as const
  for (const [name, what] of Object.entries(rows) as [keyof Measured, string][]) {
    report.row({
      measured: `${size.text}, ${what}`,
      ...{ unit: 'ms', better: 'less', hub: results.hub[name] },
      ...{ peer: results.verdaccio[name], peerName: 'verdaccio' },
    })
  }
}

async function byHub(hub: BenchHub, app: string, build: number, tarball: Buffer): Promise<Measured> {
  const cpu = cpuSeconds(hub.pid)
  const started = performance.now()
  const { tarball: made } = await hub.upload({ app, build, version: `1.${build}.0`, tarball })
  const publishMs = performance.now() - started
  const headers = { Authorization: basicAuth(hub.adminToken) }
  const fetchMs = await fetchOnce(`${hub.url}/distfiles/staging/${made.name}`, tarball, headers)
  return { publishMs, fetchMs, cpuMs: (cpuSeconds(hub.pid) - cpu) * 1000 }
}

async function byVerdaccio(peer: Verdaccio, name: string, build: number, tarball: Buffer): Promise<Measured> {
  const version = `1.${build}.0`
  const cpu = cpuSeconds(peer.pid)
  // A client must make the document of base64 too: the hub's takes the bytes as they are.
  const started = performance.now()
  await peer.publish(name, peer.document(name, version, tarball))
  const publishMs = performance.now() - started
  const fetchMs = await fetchOnce(peer.tarballUrl(name, version), tarball, {})
  return { publishMs, fetchMs, cpuMs: (cpuSeconds(peer.pid) - cpu) * 1000 }
}

/** On a connection of its own; the comparison is not part of the time. Gives the milliseconds. */
async function fetchOnce(
  url: string,
  tarball: Buffer,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const agent = new Agent()
  const started = performance.now()
  const { status, body } = await ask({ url, headers, agent })
  const tookMs = performance.now() - started
  agent.destroy()
  if (status !== 200 || !body.equals(tarball)) throw new Error(`${url} gave other bytes than were published`)
  return tookMs
}
