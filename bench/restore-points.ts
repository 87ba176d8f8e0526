/**
 * Many nodes store a restore point of the same build: how much each sends. The first sends its package whole, the others,
 * whose packages differ from it in times and environment, what the hub asks for.
 */
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { imageDigest } from '../src/binpkgs/image-digest.ts'
import { digestImageEntries } from '../src/binpkgs/read-image.ts'
import { verifyGpkg } from '../src/binpkgs/verify-binpkg.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../src/builds/archive-limits.ts'
import { gpkgOf, metadataTar, shopParts } from '../tests/support/gpkgs.ts'
import { tarball, tarOf } from '../tests/support/tarballs.ts'
import { ask } from './support/http-client.ts'
import { startBenchHub } from './support/hub.ts'
import type { BenchHub } from './support/hub.ts'
import { runPart } from './support/part.ts'
import { shortNumber } from './support/report.ts'

const NODES = 100
const FILES = 1500
const APP_BYTES = 50_000_000
/** So often a piece of each file comes again: what makes packages about six times smaller than their apps. */
const REPEATED = 6
const MOST_PERCENT = 1
const CPV = 'app-hub/shop-1.0.0_p1'
const NAME = 'app-hub/shop/shop-1.0.0_p1-1.gpkg.tar'
const AT_SEC = 1_790_000_000

/** Not `gzipSync`: meanwhile connections that the hub has closed are heard of, and none is used again. */
const gzipped = promisify(gzip)

interface AppFile {
  readonly path: string
  readonly content: Buffer
  readonly md5: string
}

interface Packed {
  readonly bytes: Buffer
  readonly metadata: Buffer
}

await runPart({
  name: 'restore-points',
  title: 'restore points of the same build, from many nodes',
  needs: [],
  async run({ options, folder, report, resources }) {
    const [nodes, files, appBytes] = options.quick ? [3, 20, 1_000_000] : [NODES, FILES, APP_BYTES]
    const env = { HUB_LOG_LEVEL: 'warn' }
    const hub = resources.use(
      await startBenchHub({ folder: join(folder, 'hub'), env, profile: options.profile }),
    )
    const app = makeApp(files, appBytes)
    const contents = Object.fromEntries(app.map(({ path, content }) => [`shop/${path}`, content]))
    await hub.upload({ app: 'shop', build: 1, version: '1.0.0', tarball: tarball(contents) })
    const ebuild = await textOf(hub, '/api/v1/apps/shop/builds/1/ebuild')
    const first = await packOn(0, app, ebuild)
    const path = join(folder, 'first.gpkg.tar')
    await writeFile(path, first.bytes)
    const digest = imageDigest(await digestImageEntries(await verifyGpkg(path), DEFAULT_ARCHIVE_LIMITS)) ?? ''
    const sent: number[] = []
    for (let node = 0; node < nodes; node++)
      sent.push(await store(hub, `web${node}`, node === 0 ? first : await packOn(node, app, ebuild), digest))
    const [whole = 0, ...others] = sent
    const most = Math.max(...others)
    if (!options.quick && most * 100 >= appBytes * MOST_PERCENT) throw new Error(`a node sent ${most} bytes`)
    const percent = (bytes: number, of: number): number => Number(((100 * bytes) / of).toFixed(3))
    const unit = '%'
    report.row({
      ...{
        measured: `sent by each of ${others.length} further nodes, of the app's size`,
        unit,
        better: 'less',
      },
      ...{ hub: percent(most, appBytes), target: { atMost: MOST_PERCENT } },
    })
    report.row({
      ...{ measured: `the same, of the package's size`, unit, better: 'less', hub: percent(most, whole) },
    })
    const all = sent.reduce((sum, bytes) => sum + bytes, 0)
    report.note(
      `${files} files, ${shortNumber(appBytes)} bytes; the first node sent ${shortNumber(whole)} bytes, each other one at most ` +
        `${shortNumber(most)}, its announcement included; all ${nodes} together ${shortNumber(all)}, where whole packages are ` +
        `${shortNumber(whole * nodes)}. What is sent is the saved environment and CONTENTS, a line with an MD5 for each file: the share ` +
        'grows with the number of files and not with their size',
    )
  },
})

function makeApp(files: number, bytes: number): readonly AppFile[] {
  const piece = Math.trunc(bytes / files / REPEATED)
  return Array.from({ length: files }, (_, number) => {
    const content = Buffer.concat(Array<Buffer>(REPEATED).fill(randomBytes(piece)))
    const md5 = createHash('md5').update(content).digest('hex')
    return { path: `lib/module${number % 40}/file-${number}.js`, content, md5 }
  })
}

/** As quickpkg packs it there: the times of folders, BUILD_TIME and the saved environment are the node's own. */
async function packOn(node: number, app: readonly AppFile[], ebuild: string): Promise<Packed> {
  const mtime = `${(AT_SEC + node).toString(8).padStart(11, '0')}\0`
  const folders = new Set(['', 'opt/', 'opt/shop/', 'opt/shop/lib/'])
  for (const { path } of app) folders.add(`opt/shop/${path.slice(0, path.lastIndexOf('/') + 1)}`)
  const image = tarOf(
    ...[...folders].map((name) => ({ name: `image/${name}`, type: '5', mode: 0o755, raw: { mtime } })),
    ...app.map(({ path, content }) => ({ name: `image/opt/shop/${path}`, content, raw: { mtime } })),
  )
  const metadata = await gzipped(
    metadataTar({
      ...{
        CATEGORY: 'app-hub\n',
        PF: 'shop-1.0.0_p1\n',
        SLOT: '0\n',
        EAPI: '8\n',
        KEYWORDS: 'amd64 arm64\n',
      },
      ...{ BUILD_TIME: `${AT_SEC + node}\n`, repository: 'hub-staging\n', 'shop-1.0.0_p1.ebuild': ebuild },
      // What Portage saves of an environment has some 20 KB, packed.
      'environment.bz2': randomBytes(20_000),
      CONTENTS: [
        ...[...folders].filter((name) => name !== '').map((name) => `dir /${name.slice(0, -1)}\n`),
        ...app.map(({ path, md5 }) => `obj /opt/shop/${path} ${md5} ${AT_SEC + node}\n`),
      ].join(''),
    }),
  )
  const parts = { 'metadata.tar.gz': metadata, 'image.tar.gz': await gzipped(image, { level: 1 }) }
  return { bytes: gpkgOf(shopParts(parts)), metadata }
}

/** All that a node does, and how many bytes it sent for it, but for the headers of HTTP. */
async function store(hub: BenchHub, node: string, { bytes, metadata }: Packed, digest: string) {
  const { token } = await hub.api<{ token: string }>('POST', '/api/v1/nodes', {
    name: node,
    environment: 'staging',
  })
  const points = `/api/v1/nodes/${node}/restore-points`
  const id = 'rp_20260102T030405Z_k3j9x2'
  const part = { name: 'metadata.tar.gz', ...described(metadata) }
  const announcement = {
    ...{ id, app: 'shop', cpv: CPV, reason: 'upgrade', takenAt: '2026-01-02T03:04:05Z', hubNode: '0.1.0' },
    encrypted: false,
    files: [{ kind: 'binpkg', name: NAME, ...described(bytes), image: { sha256: digest, metadata: part } }],
  }
  const question = Buffer.from(JSON.stringify(announcement))
  const answer = await send(hub, token, {
    method: 'POST',
    path: points,
    body: question,
    type: 'application/json',
  })
  const [want] = (JSON.parse(answer) as { wants: { only?: string }[] }).wants
  const [place, body] = want?.only === 'metadata' ? ['metadata', metadata] : ['binpkgs', bytes]
  const type = 'application/octet-stream'
  await send(hub, token, { method: 'PUT', path: `${points}/${id}/${place}/${NAME}`, body, type })
  const done = await send(hub, token, {
    method: 'POST',
    path: `${points}/${id}/complete`,
    body: Buffer.alloc(0),
    type,
  })
  if (!done.includes('"complete"')) throw new Error(done)
  return question.byteLength + body.byteLength
}

function described(bytes: Buffer): { readonly sizeBytes: number; readonly sha512: string } {
  return { sizeBytes: bytes.byteLength, sha512: createHash('sha512').update(bytes).digest('hex') }
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly body: Buffer
  readonly type: string
}

async function send(hub: BenchHub, token: string, { method, path, body, type }: Sent): Promise<string> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': type }
  const reply = await ask({ url: `${hub.url}${path}`, method, headers, body })
  if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.body.toString()}`)
  return reply.body.toString()
}

async function textOf(hub: BenchHub, path: string): Promise<string> {
  const headers = { Authorization: `Bearer ${hub.adminToken}` }
  return (await ask({ url: `${hub.url}${path}`, headers })).body.toString()
}
