/** Runs the command line as its users do: as a process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { ADMIN_TOKEN } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const CLI = join(ROOT, 'src/cli.ts')
/** As the launcher sets it: a command then starts in half the time. */
const NODE_COMPILE_CACHE = join(ROOT, 'node_modules/.cache/node-compile')

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export type RunCli = (...args: readonly string[]) => Promise<Ended>

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly cwd?: string
}

/** Runs `portage-hub <args>` with no environment but `env`. */
export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE, HUB_CONFIG: '', ...options.env },
    stdio: 'pipe',
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { status: child.exitCode, stdout, stderr }
}

/** Commands that ask this hub, as its administrator. */
export function cliOf(hub: Pick<TestHub, 'url'>, options: RunOptions = {}): RunCli {
  const env = { HUB_URL: hub.url, HUB_TOKEN: ADMIN_TOKEN, ...options.env }
  return async (...args) => await runCli(args, { ...options, env })
}

/** Commands on the data folder of this hub. Port 0: no other hub is ever at the address of its settings. */
export function localCliOf(hub: Pick<TestHub, 'directory'>, options: RunOptions = {}): RunCli {
  const env = { HUB_DATA_DIR: hub.directory, HUB_PORT: '0', HUB_LOG_LEVEL: 'silent', ...options.env }
  return async (...args) => await runCli(args, { ...options, env })
}

export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'portage-hub-cli-'))
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true })
    },
  }
}
