/** Runs what CI systems run: texts of the shell and the program `portage-hub-ci`, as processes with nothing but a few variables. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { folderOf } from '../support/programs.ts'
import type { TestHub } from '../support/test-hub.ts'

export const INTEGRATIONS = resolve(import.meta.dirname, '../../integrations')
export const PROGRAM = join(INTEGRATIONS, 'shell/portage-hub-ci')

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Job extends AsyncDisposable {
  /** The folder that the job works in. */
  readonly folder: string
  /** Runs a text as a CI does: it ends with the first command that fails. */
  run(script: string, env?: Readonly<Record<string, string>>): Promise<Ended>
  /** Runs `portage-hub-ci <args>`. */
  ci(...args: readonly string[]): Promise<Ended>
}

/** The shells that the program is for, by name: the words that begin one, and the folders of its programs. */
export const SHELLS: readonly (readonly [
  string,
  { readonly words: readonly string[]; readonly path?: string },
])[] = [
  ['sh', { words: ['sh'] }],
  ...(folderOf('bash') === undefined ? [] : [['bash', { words: ['bash'] }] as const]),
  ...(folderOf('busybox') === undefined
    ? []
    : [['busybox', { words: ['busybox', 'sh'], path: 'busybox' }] as const]),
]

/** @param shell one of `SHELLS`; with `busybox` its own awk, sed and so on are used, as an Alpine image does. */
export async function openJob(
  hub: Pick<TestHub, 'url'>,
  env: Readonly<Record<string, string>>,
  shell = 'sh',
): Promise<Job> {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-job-'))
  const { words, path } = SHELLS.find(([name]) => name === shell)?.[1] ?? { words: ['sh'] }
  const settings = {
    ...{ PATH: path === undefined ? (process.env['PATH'] ?? '') : busyboxPath(folder), HOME: folder },
    ...{ HUB_URL: hub.url, HUB_PAUSE: '0', HUB_POLL: '0.1', ...env },
  }
  const start = async (
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Ended> => {
    const [program = '', ...first] = words
    const child = spawn(program, [...first, ...args], {
      cwd: folder,
      env: { ...settings, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { status: child.exitCode, stdout, stderr }
  }
  return {
    folder,
    run: async (script, more) => await start(['-eu', '-c', script], more),
    ci: async (...args) => await start([PROGRAM, ...args]),
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export function readIntegration(path: string): string {
  return readFileSync(join(INTEGRATIONS, path), 'utf8')
}

/** What the program calls, as busybox has it, and curl. */
function busyboxPath(folder: string): string {
  const bin = join(folder, '.bin')
  mkdirSync(bin)
  for (const name of [
    ...'awk cat cut date mkfifo mktemp mv od rm sed sh sha512sum sleep tail tr wc'.split(' '),
  ])
    symlinkSync(join(folderOf('busybox') ?? '', 'busybox'), join(bin, name))
  for (const name of ['busybox', 'curl']) symlinkSync(join(folderOf(name) ?? '', name), join(bin, name))
  return bin
}
