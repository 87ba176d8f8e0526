/** The hub as a process that can be killed. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ADMIN_TOKEN } from '../support/test-hub.ts'
import type { Kill } from './kills.ts'

const SERVER = new URL('server.ts', import.meta.url).pathname

export interface HubProcess extends AsyncDisposable {
  readonly pid: number
  /** Null: it died while it started. */
  readonly url: string | null
  /** Resolves when the process is gone: what it said of its end, or its signal or status. */
  readonly ended: Promise<{
    readonly said: string
    readonly signal: string | null
    readonly status: number | null
  }>
  /** From now on. */
  arm(kill: Kill | null): Promise<void>
  kill(): void
  /** Asks it to stop; resolves to its exit status. */
  stop(): Promise<number | null>
}

export interface HubProcessOptions {
  readonly kill?: Kill | null
  readonly env?: Readonly<Record<string, string>>
  /** Where node keeps what it compiled, so that a start costs less. */
  readonly cache?: string
}

/** Every hub of these tests has these settings. Its address does not change with its port. */
export function settingsOf(directory: string): Record<string, string> {
  return {
    HUB_CONFIG: '',
    HUB_DATA_DIR: directory,
    HUB_PORT: '0',
    HUB_PUBLIC_URL: 'https://hub.example',
    HUB_ADMIN_TOKEN: ADMIN_TOKEN,
    HUB_ENVIRONMENTS: 'staging:automatic production gated',
    HUB_ANONYMOUS_READ: 'staging production gated',
    HUB_KEEP_RELEASES: '1000',
    HUB_LOG_LEVEL: 'error',
  }
}

/** Starts a hub on the folder and resolves when it takes requests, or is gone. */
export async function startProcess(directory: string, options: HubProcessOptions = {}): Promise<HubProcess> {
  const child = spawn(process.execPath, [SERVER], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env['PATH'],
      ...settingsOf(directory),
      ...options.env,
      CRASH_TEST_KILL: JSON.stringify(options.kill ?? null),
      NODE_COMPILE_CACHE: options.cache === undefined ? '' : join(options.cache, 'compiled'),
    },
  })
  const ended = endOf(child)
  const ready = once(child, 'message').then(([message]) => (message as { url: string }).url)
  const url = await Promise.race([ready, ended.then(() => null)])
  return {
    pid: child.pid ?? 0,
    url,
    ended,
    async arm(kill) {
      const armed = once(child, 'message')
      child.send({ kill })
      await Promise.race([armed, ended])
    },
    kill() {
      child.kill('SIGKILL')
    },
    async stop() {
      child.kill('SIGTERM')
      return (await ended).status
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function endOf(child: ChildProcess): HubProcess['ended'] {
  const closed = once(child, 'close') as Promise<[number | null, string | null]>
  const said = Promise.all([child.stdout, child.stderr].map(async (stream) => stream && (await text(stream))))
  const [status, signal] = await closed
  return { said: (await said).join('').trim(), signal, status }
}
