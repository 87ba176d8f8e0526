/**
 * The hub as a user runs it: `src/main.ts` as a process of its own under the Node that runs the bench, with the
 * settings' defaults, a data folder that starts empty, and a port that is free. Everything goes over HTTP.
 *
 *     const hub = resources.use(await startBenchHub({ folder: join(folder, 'hub'), profile: options.profile }))
 *     const { hub, prepared } = await startPreparedHub({ … }, (hub) => uploadApps(hub, { apps: 1000 }))
 *     const token = await hub.createToken({ role: 'node', environments: ['staging'] })
 *     await hub.upload({ app: 'shop', build: 1, version: '1.0.0', tarball })
 *     cpuSeconds(hub.pid)        // of support/processes.ts
 */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { freePort, startServer } from './child.ts'
import type { Server } from './child.ts'
import { ask } from './http-client.ts'
import type { HttpRequest } from './http-client.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export interface BenchHubOptions {
  /** The data folder; made if it is missing, kept at the end. A second start on it takes the same `adminToken`. */
  readonly folder: string
  /** Settings by their variables, beyond the defaults. */
  readonly env?: Readonly<Record<string, string>>
  /** Folder for a CPU profile, written when the hub stops; see support/profile.ts. */
  readonly profile?: string | null
  readonly adminToken?: string
  /** A second start on a folder should have the port of the first: the address is part of what is published. */
  readonly port?: number
}

export interface BenchUpload {
  readonly app: string
  readonly build: number
  readonly version: string
  readonly tarball: Buffer | { readonly file: string; readonly sizeBytes: number }
  /** More of the query: `recipe`, `promote`, … */
  readonly query?: Readonly<Record<string, string>>
}

export interface BenchHub extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly folder: string
  readonly adminToken: string
  /** Milliseconds from the start of the process until it took requests. */
  readonly startedInMs: number
  /** JSON in, JSON out, as the administrator. @throws {Error} with the answer, for anything but 2xx. */
  api<T>(method: string, path: string, body?: unknown): Promise<T>
  /** Makes a token: `{ role: 'node', environments: ['staging'] }`. Gives its secret. */
  createToken(token: Readonly<Record<string, unknown>>): Promise<string>
  /** `PUT …/tarball`; resolves with the build when it is published in staging. */
  upload(upload: BenchUpload): Promise<BenchBuild>
}

/** What a measurement needs of a build's JSON. */
export interface BenchBuild {
  readonly cpv: string
  readonly tarball: { readonly name: string; readonly sha512: string; readonly sizeBytes: number }
}

export async function startBenchHub(options: BenchHubOptions): Promise<BenchHub> {
  const { folder, adminToken = randomBytes(16).toString('hex'), port = await freePort() } = options
  await mkdir(folder, { recursive: true })
  const started = performance.now()
  const server = await startServer({
    name: 'the hub',
    file: process.execPath,
    args: [...profileFlags(options.profile), join(ROOT, 'src/main.ts')],
    cwd: folder,
    env: environmentOf(options, { adminToken, port }),
    isReady: (output) => / listens on .*:\d+;/.test(output),
  })
  return hubAt(server, { folder, adminToken, port, startedInMs: performance.now() - started })
}

/**
 * A hub with what `prepare` left in it, started anew: what is measured, and profiled, is serving and not the uploads
 * before it.
 */
export async function startPreparedHub<T>(
  options: BenchHubOptions,
  prepare: (hub: BenchHub) => Promise<T>,
): Promise<{ readonly hub: BenchHub; readonly prepared: T }> {
  const same = { adminToken: randomBytes(16).toString('hex'), port: await freePort(), ...options }
  const prepared = await prepareHub({ ...same, profile: null }, prepare)
  return { hub: await startBenchHub(same), prepared }
}

async function prepareHub<T>(options: BenchHubOptions, prepare: (hub: BenchHub) => Promise<T>): Promise<T> {
  await using hub = await startBenchHub(options)
  return await prepare(hub)
}

function environmentOf(
  { folder, env = {} }: BenchHubOptions,
  { adminToken, port }: { readonly adminToken: string; readonly port: number },
): NodeJS.ProcessEnv {
  // Nothing of the caller's own hub: only what programs need.
  const { PATH, HOME, TMPDIR, LANG } = process.env
  return {
    ...{ PATH, HOME, TMPDIR, LANG },
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules', '.cache', 'node-compile'),
    HUB_CONFIG: '',
    HUB_DATA_DIR: folder,
    HUB_PORT: String(port),
    HUB_ADMIN_TOKEN: adminToken,
    ...env,
  }
}

function profileFlags(folder: string | null | undefined): string[] {
  return folder ? ['--cpu-prof', `--cpu-prof-dir=${resolve(folder)}`] : []
}

function hubAt(
  server: Server,
  about: Pick<BenchHub, 'folder' | 'adminToken' | 'port' | 'startedInMs'>,
): BenchHub {
  const url = `http://127.0.0.1:${about.port}`
  const admin = { Authorization: `Bearer ${about.adminToken}` }
  const api = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const json = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }
    const headers = { ...admin, 'Content-Type': 'application/json' }
    return await askJson<T>({ url: url + path, method, headers, ...json })
  }
  return {
    ...about,
    url,
    pid: server.pid,
    api,
    async createToken(token) {
      const made = await api<{ token: string }>('POST', '/api/v1/tokens', { name: 'bench', ...token })
      return made.token
    },
    async upload({ app, build, version, tarball, query = {} }) {
      const search = new URLSearchParams({ version, ...query }).toString()
      const path = `/api/v1/apps/${app}/builds/${build}/tarball?${search}`
      return await askJson<BenchBuild>({ url: url + path, method: 'PUT', headers: admin, body: tarball })
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
    },
  }
}

async function askJson<T>(question: HttpRequest): Promise<T> {
  const { status, body } = await ask(question)
  if (status >= 200 && status < 300) return JSON.parse(body.toString()) as T
  throw new Error(`${question.method} ${question.url} answered ${status}: ${body.toString().slice(0, 2000)}`)
}
