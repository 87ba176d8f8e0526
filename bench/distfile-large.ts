/**
 * A node fetches a large distfile: 1 GiB, one client and eight at once, from the page cache. Peer: nginx with sendfile
 * on the very same file. The client is the same for both and throws the bytes away in the kernel
 * (support/discard-client.py); curl, which takes them into memory, is measured beside it.
 */
import { createHash } from 'node:crypto'
import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { basicAuth } from './support/http-client.ts'
import { startPreparedHub } from './support/hub.ts'
import type { BenchBuild, BenchHub } from './support/hub.ts'
import { writeLargeTar } from './support/large-tar.ts'
import { startNginxFront } from './support/nginx-front.ts'
import { startNginx } from './support/nginx.ts'
import { runPart } from './support/part.ts'
import type { Bench } from './support/part.ts'
import { cpuSeconds, peakResidentBytes } from './support/processes.ts'
import { programPath, programVersion } from './support/programs.ts'
import { alternate } from './support/rounds.ts'
import { runTimed } from './support/run-timed.ts'

const GIB = 2 ** 30
const MIB = 2 ** 20

interface Server {
  readonly port: number
  readonly pids: readonly number[]
  readonly path: string
  readonly authorization: string | null
}

interface Downloaded {
  readonly bytes: number
  readonly seconds: number
  /** What the clients used. */
  readonly cpuSec: number
}

type Download = (server: Server, clients: number) => Promise<Downloaded>

await runPart({
  name: 'distfile-large',
  title: 'a distfile of 1 GiB',
  needs: ['nginx', 'python3', 'curl'],
  async run(bench) {
    const { options, folder, report, resources } = bench
    const sizeBytes = options.quick ? 16 * MIB : GIB
    const { hub, prepared: build } = await startPreparedHub(
      { folder: join(folder, 'hub'), profile: options.profile },
      async (preparing) => await uploadLarge(preparing, join(folder, 'large.tar'), sizeBytes),
    )
    resources.use(hub)
    const token = await hub.createToken({ role: 'node', environments: ['staging'] })
    const locations = `    location /distfiles/ { root ${hub.folder}; }`
    const nginx = resources.use(await startNginx({ folder: join(folder, 'nginx'), locations }))
    report.peer(`${nginx.description}; the very same file, from the page cache; no password`)
    report.note(
      `Clients: ${programVersion('python3')} with MSG_TRUNC; ${programVersion('curl')} -o /dev/null.`,
    )
    const path = `/distfiles/staging/${build.tarball.name}`
    const servers = {
      hub: { port: hub.port, pids: [hub.pid], path, authorization: basicAuth(token) },
      nginx: { port: nginx.port, pids: [nginx.pid], path, authorization: null },
    }
    for (const server of Object.values(servers)) await checkBytes(server, build.tarball.sha512)

    for (const clients of [1, 8]) {
      await compare(bench, servers, { clients, name: 'discarded in the kernel', download: discard })
    }
    for (const clients of [1, 8])
      await compare(bench, servers, { clients, name: 'by curl', download: byCurl })
    const most = peakResidentBytes(hub.pid) / MIB
    report.row({ measured: 'most memory of the hub', unit: 'MiB', better: 'less', hub: most })

    await hub[Symbol.asyncDispose]()
    const front = resources.use(await startNginxFront(join(folder, 'front'), hub))
    report.peer(front.description)
    const handed = { ...servers, hub: { ...servers.hub, port: front.port, pids: front.pids } }
    await checkBytes(handed.hub, build.tarball.sha512)
    for (const clients of [1, 8]) {
      await compare(bench, handed, { clients, name: 'the hub decides, nginx sends', download: discard })
    }
  },
})

async function uploadLarge(hub: BenchHub, file: string, sizeBytes: number): Promise<BenchBuild> {
  await writeLargeTar(file, 'large', sizeBytes)
  const build = await hub.upload({ app: 'large', build: 1, version: '1.0.0', tarball: { file, sizeBytes } })
  await rm(file)
  return build
}

async function compare(
  { options, report }: Bench,
  servers: Readonly<Record<'hub' | 'nginx', Server>>,
  way: { readonly clients: number; readonly name: string; readonly download: Download },
): Promise<void> {
  const measured = `${way.clients} at once, ${way.name}`
  process.stderr.write(`  ${measured}\n`)
  const run = (server: Server) => () => measure(server, way.clients, way.download)
  const contestants = { hub: run(servers.hub), nginx: run(servers.nginx) }
  const { hub, nginx } = await alternate({ rounds: options.rounds, contestants })
  const what = { measured, peerName: 'nginx' }
  const rates = { unit: 'GB/s', better: 'more', hub: hub.rate, peer: nginx.rate } as const
  report.row({ ...what, ...rates, ...(way.download === discard && { target: { ratio: 1 } }) })
  const unit = 'CPU seconds of the server for a GiB'
  report.row({ ...what, unit, better: 'less', hub: hub.cpuSec, peer: nginx.cpuSec })
  const [ofHub, ofNginx] = [hub, nginx].map(({ clientCpuSec }) => clientCpuSec.median.toFixed(2))
  report.note(`${measured}: the clients used ${ofHub} (hub) and ${ofNginx} (nginx) CPU seconds for a GiB.`)
}

async function measure(server: Server, clients: number, download: Download) {
  const used = (): number => server.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
  const before = used()
  const { bytes, seconds, cpuSec } = await download(server, clients)
  const gib = bytes / GIB
  return { rate: bytes / 1e9 / seconds, cpuSec: (used() - before) / gib, clientCpuSec: cpuSec / gib }
}

async function discard({ port, path, authorization }: Server, clients: number): Promise<Downloaded> {
  const script = join(import.meta.dirname, 'support', 'discard-client.py')
  const args = [
    script,
    '127.0.0.1',
    String(port),
    path,
    String(clients),
    ...(authorization ? [authorization] : []),
  ]
  const { stdout } = await runTimed(programPath('python3'), args)
  return JSON.parse(stdout) as Downloaded
}

async function byCurl({ port, path, authorization }: Server, clients: number): Promise<Downloaded> {
  const header = authorization ? ['-H', `Authorization: ${authorization}`] : []
  const args = ['-sS', '--fail', '-o', '/dev/null', '-w', '%{size_download}', ...header]
  const url = `http://127.0.0.1:${port}${path}`
  const started = performance.now()
  const runs = await Promise.all(
    Array.from({ length: clients }, () => runTimed(programPath('curl'), [...args, url])),
  )
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  return {
    seconds: (performance.now() - started) / 1000,
    bytes: sum(runs.map(({ stdout }) => Number(stdout))),
    cpuSec: sum(runs.map((run) => run.cpuSeconds)),
  }
}

/** Once, before anything is measured; it also brings the file into the page cache. */
async function checkBytes({ port, path, authorization }: Server, sha512: string): Promise<void> {
  const headers = authorization === null ? {} : { authorization }
  const asked = get({ host: '127.0.0.1', port, path, headers, agent: false })
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const hash = createHash('sha512')
  for await (const chunk of response as AsyncIterable<Buffer>) hash.update(chunk)
  if (response.statusCode !== 200 || hash.digest('hex') !== sha512)
    throw new Error(`port ${port} does not serve the file: status ${response.statusCode ?? 0}`)
}
