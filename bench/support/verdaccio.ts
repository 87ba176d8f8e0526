/** Verdaccio, a registry for npm that people run themselves, from the npm registry into a folder that lives no longer than the measurement. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, isListening, startServer } from './child.ts'
import { ask } from './http-client.ts'

const VERSION = '6.10.4'
const INSTALL_TIMEOUT_MS = 240_000
/** A package below it asks for `node-fetch@cjs`, a name that mirrors of the registry lack. */
const PACKAGE = { private: true, dependencies: { verdaccio: VERSION }, overrides: { 'node-fetch': '2.7.0' } }

export interface Verdaccio extends AsyncDisposable {
  readonly pid: number
  readonly description: string
  /** Makes the document that `npm publish` sends: the tarball is in it as base64. */
  document(name: string, version: string, tarball: Buffer): Buffer
  publish(name: string, document: Buffer): Promise<void>
  tarballUrl(name: string, version: string): string
}

/** Installs and starts it. @throws {Error} when it cannot be fetched. */
export async function startVerdaccio(folder: string): Promise<Verdaccio> {
  const program = await install(folder)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = join(folder, 'config.yaml')
  await writeFile(config, CONFIG(folder))
  const server = await startServer({
    name: 'verdaccio',
    file: process.execPath,
    args: [program, '--config', config, '--listen', url],
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, NODE_ENV: 'production' },
    isReady: async () => await isListening(port),
  })
  const tarballUrl = (name: string, version: string): string => `${url}/${name}/-/${name}-${version}.tgz`
  return {
    pid: server.pid,
    description:
      `verdaccio ${VERSION} from npm under the same Node: packages in its own storage on the same disk, no uplink, ` +
      'anybody may publish, log of warnings only, limit of a body raised',
    tarballUrl,
    document: (name, version, tarball) => document(name, version, tarball, tarballUrl(name, version)),
    async publish(name, body) {
      const headers = { 'Content-Type': 'application/json' }
      const reply = await ask({ url: `${url}/${name}`, method: 'PUT', headers, body })
      if (reply.status !== 201)
        throw new Error(`verdaccio answered ${reply.status}: ${reply.body.toString()}`)
    },
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  }
}

async function install(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify(PACKAGE))
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error']
  await promisify(execFile)('npm', ['install', '--prefix', folder, ...quiet], { timeout: INSTALL_TIMEOUT_MS })
  const about = join(folder, 'node_modules', 'verdaccio')
  const { bin } = JSON.parse(await readFile(join(about, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>
  }
  return join(about, typeof bin === 'string' ? bin : (bin['verdaccio'] ?? ''))
}

const CONFIG = (folder: string): string => `storage: ${join(folder, 'storage')}
auth: { htpasswd: { file: ${join(folder, 'htpasswd')} } }
packages: { '**': { access: $all, publish: $anonymous } }
max_body_size: 200mb
log: { type: stdout, format: pretty, level: warn }
`

function document(name: string, version: string, tarball: Buffer, url: string): Buffer {
  const digest = (algorithm: string, encoding: 'hex' | 'base64'): string =>
    createHash(algorithm).update(tarball).digest(encoding)
  const dist = {
    tarball: url,
    shasum: digest('sha1', 'hex'),
    integrity: `sha512-${digest('sha512', 'base64')}`,
  }
  const data = tarball.toString('base64')
  const attachment = { content_type: 'application/octet-stream', data, length: tarball.byteLength }
  const body = {
    ...{ _id: name, name, description: '', 'dist-tags': { latest: version } },
    versions: { [version]: { name, version, _id: `${name}@${version}`, dist } },
    _attachments: { [`${name}-${version}.tgz`]: attachment },
  }
  return Buffer.from(JSON.stringify(body))
}
