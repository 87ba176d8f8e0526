/**
 * A node asks its binhost whether there is something new, as Portage does: `Packages.gz` with If-Modified-Since of the
 * TIMESTAMP that it has and five seconds more; and fetches it whole. Peer: nginx with the same file, which is how a PKGDIR is
 * served. Sources: Portage lib/portage/dbapi/bintree.py `_populate_remote`, lib/portage/util/_urlopen.py.
 */
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { loadConfig } from '../src/config.ts'
import { parsePackagesIndex } from '../src/gentoo/packages-index.ts'
import { watchFiles } from '../tests/support/file-watch.ts'
import { ArchiveRows } from './support/archive-rows.ts'
import { addBinpkgRows } from './support/binpkg-rows.ts'
import { freePort } from './support/child.ts'
import { compareLoads } from './support/compare-loads.ts'
import { ask, basicAuth } from './support/http-client.ts'
import { startBenchHub } from './support/hub.ts'
import type { BenchHub } from './support/hub.ts'
import { startNginx } from './support/nginx.ts'
import { runPart } from './support/part.ts'
import type { Bench } from './support/part.ts'
import { shortNumber } from './support/report.ts'
import type { LoadRequest } from './support/wrk.ts'

const TIMESTAMP_SEC = 1_795_000_000
/** What Portage adds to the TIMESTAMP that it has. */
const TOLERANCE_SEC = 5
const CONNECTIONS = 16
const POLLS = 10_000
/** A header and no body. */
const UNCHANGED_BYTES = { from: 80, to: 1500 }

interface Binhost {
  readonly path: string
  readonly packages: number
  readonly authorization: string
}

await runPart({
  name: 'binhost-poll',
  title: "the index of a node's binhost, unchanged and whole",
  needs: ['nginx', 'wrk', 'python3'],
  async run(bench) {
    const { options, folder, report, resources } = bench
    const { hub, binhosts } = await startHubOf(bench, options.quick ? [100, 2000] : [1000, 50_000])
    const root = join(folder, 'static')
    const nginx = resources.use(
      await startNginx({
        folder: join(folder, 'nginx'),
        locations: `    location / { root ${root}; if_modified_since before; }`,
      }),
    )
    report.peer(`${nginx.description}; the same files, with if_modified_since before; no password`)
    for (const [number, binhost] of binhosts.entries()) {
      const bytes = await copyIndex(hub, binhost, root)
      const asked = await requestsOf(hub.url, binhost, bytes, { authorization: binhost.authorization })
      const peer = await requestsOf(nginx.url, binhost, bytes, {})
      if (number === 0) await countFilesOfPolls(bench, hub, asked.unchanged)
      const size = `${shortNumber(binhost.packages)} packages`
      const servers = { hub, nginx, asked, peer }
      await compare(bench, servers, 'unchanged', `If-Modified-Since, ${size}`, UNCHANGED_BYTES)
      const whole = `whole Packages.gz of ${shortNumber(bytes.byteLength / 1000)} kB, ${size}`
      await compare(bench, servers, 'whole', whole, { from: bytes.byteLength, to: bytes.byteLength + 1500 })
    }
  },
})

/** A hub that was started on the rows of binhosts with so many packages, each of a node of its own. */
async function startHubOf(
  { options, folder, resources }: Bench,
  sizes: readonly number[],
): Promise<{ readonly hub: BenchHub; readonly binhosts: readonly Binhost[] }> {
  const data = join(folder, 'hub')
  const binhosts: Binhost[] = []
  const same = { folder: data, port: await freePort(), adminToken: 'the-administrator-of-this-bench' }
  {
    await using preparing = await startBenchHub(same)
    for (const packages of sizes) {
      const node = `web${String(binhosts.length + 1)}`
      const about = { name: node, environment: 'staging' }
      const { token } = await preparing.api<{ token: string }>('POST', '/api/v1/nodes', about)
      const path = `/binhost/nodes/${node}/Packages.gz`
      binhosts.push({ path, packages, authorization: basicAuth(token) })
    }
  }
  {
    const { config } = loadConfig({ HUB_CONFIG: '', HUB_DATA_DIR: data, HUB_ADMIN_TOKEN: same.adminToken })
    using rows = new ArchiveRows(config)
    for (const [index, packages] of sizes.entries()) {
      addBinpkgRows(rows, { node: `web${String(index + 1)}`, packages, timestampSec: TIMESTAMP_SEC })
    }
  }
  const hub = resources.use(await startBenchHub({ ...same, profile: options.profile }))
  return { hub, binhosts }
}

/** The hub's own bytes as a file whose time is the index's TIMESTAMP, as Portage leaves it in a PKGDIR. */
async function copyIndex(
  { url }: BenchHub,
  { path, packages, authorization }: Binhost,
  root: string,
): Promise<Buffer> {
  const { status, headers, body } = await ask({ url: url + path, headers: { authorization } })
  const index = parsePackagesIndex(gunzipSync(body).toString())
  if (status !== 200 || index.packages.length !== packages) throw new Error(`${path} is not the index`)
  const lastModified = new Date(TIMESTAMP_SEC * 1000).toUTCString()
  if (index.header['TIMESTAMP'] !== String(TIMESTAMP_SEC) || headers['last-modified'] !== lastModified)
    throw new Error(`${path} has another TIMESTAMP or Last-Modified: ${headers['last-modified'] ?? 'none'}`)
  const file = join(root, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, body)
  await utimes(file, TIMESTAMP_SEC, TIMESTAMP_SEC)
  return body
}

interface Requests {
  readonly whole: LoadRequest
  readonly unchanged: LoadRequest
}

/** Both requests to one server as Portage sends them, tried once: the bytes, and none if nothing changed. */
async function requestsOf(
  url: string,
  { path }: Binhost,
  bytes: Buffer,
  more: Readonly<Record<string, string>>,
): Promise<Requests> {
  const headers = { ...more, 'user-agent': 'Gentoo Portage', 'accept-encoding': 'bzip2,gzip,deflate' }
  const first = await ask({ url: url + path, headers })
  if (first.status !== 200 || !first.body.equals(bytes)) throw new Error(`${url + path} is not the index`)
  const since = new Date((TIMESTAMP_SEC + TOLERANCE_SEC) * 1000).toUTCString()
  const conditional = { ...headers, 'if-modified-since': since }
  const second = await ask({ url: url + path, headers: conditional })
  if (second.status !== 304) throw new Error(`${url + path} answered ${second.status} to its own TIMESTAMP`)
  return {
    whole: { method: 'GET', path, headers },
    unchanged: { method: 'GET', path, headers: conditional },
  }
}

/** Polls of one client after another: not one of them may touch a file. */
async function countFilesOfPolls(
  { options, report }: Bench,
  hub: BenchHub,
  { path, headers }: LoadRequest,
): Promise<void> {
  const polls = options.quick ? 500 : POLLS
  const touched = await watchFiles(hub.folder)
  for (let poll = 0; poll < polls; poll++) {
    const { status } = await ask({ url: hub.url + path, headers })
    if (status !== 304) throw new Error(`poll ${poll} was answered ${status}`)
  }
  const files = await touched()
  report.row({
    measured: `files of the hub's folder opened, read or written in ${shortNumber(polls)} unchanged polls`,
    ...{ unit: 'number', better: 'less', target: { atMost: 0 } },
    hub: Object.keys(files).length,
  })
  for (const [file, times] of Object.entries(files)) report.note(`touched: ${file}, ${times} times`)
}

async function compare(
  bench: Bench,
  servers: Readonly<
    Record<'hub' | 'nginx', { readonly url: string; readonly pid: number }> &
      Record<'asked' | 'peer', Requests>
  >,
  kind: keyof Requests,
  measured: string,
  meanBytes: { readonly from: number; readonly to: number },
): Promise<void> {
  const { hub, nginx, asked, peer } = servers
  const way = { connections: CONNECTIONS, meanBytes }
  await compareLoads(bench, {
    ...{ measured, unit: 'requests' },
    hub: { 'with a token': { ...way, url: hub.url, pids: [hub.pid], requests: [asked[kind]] } },
    peer: { name: 'nginx', way: { ...way, url: nginx.url, pids: [nginx.pid], requests: [peer[kind]] } },
    ...(kind === 'unchanged' && { target: { ratio: 0.25 } }),
  })
}
