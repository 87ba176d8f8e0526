/** A hub in a process of its own, with something in it, and what may be asked of it from outside. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ADMIN_TOKEN } from '../../support/test-hub.ts'
import { cpuMsOf } from './cpu.ts'
import { exchange } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { fill } from './fill.ts'
import type { Known } from './fill.ts'
import { differences, filesBelow, KeptReader } from './kept.ts'
import type { Kept } from './kept.ts'
import { CPU_LIMIT_MS } from './settings.ts'

const CHILD = fileURLToPath(new URL('hub-child.ts', import.meta.url))
/** No answer and no work in all that time: the request is forgotten, on however slow a machine. */
const FORGOTTEN_MS = 60_000
/** Once one was, others are looked for that show the same. */
const FORGOTTEN_AGAIN_MS = 3_000
const LOOK_EVERY_MS = 500
const LOOK_AGAIN_MS = 20
const MAX_LOOKS = 1500

export interface FuzzedHub extends AsyncDisposable {
  /** What a request may name: ids of records, digests, names, ids of git objects. */
  readonly known: Known
  readonly cpuMs: () => number
  /** Sends a request and waits for the answer. @throws when the hub died, loops, or forgot the request. */
  readonly ask: (wanted: Exchange) => ReturnType<typeof exchange>
  /** The same watch over anything else that waits for the hub. */
  readonly watched: <T>(wait: (url: string) => Promise<T>) => Promise<T>
  /** The files of the archive. */
  readonly archived: () => Promise<readonly string[]>
  /** Waits until the archive is as it was and no upload is left. @throws when that does not come. */
  readonly refuseLeftovers: (archived: readonly string[]) => Promise<void>
  /** All files and rows, as they are now. */
  readonly kept: () => Promise<Kept>
  /**
   * Waits until all is as it was: `tables` are those that count: all, if none are named. @throws when that does not come, and at once for
   * rows: those are written before an answer.
   */
  readonly refuseChanges: (before: Kept, what: string, tables?: readonly string[]) => Promise<void>
  /** What the hub has complained of since it was asked last. */
  readonly complaints: () => string
}

export async function startFuzzedHub(): Promise<FuzzedHub> {
  const directory = await mkdtemp(join(tmpdir(), 'fuzz-hub-'))
  let running = await start(directory)
  let forgottenMs = FORGOTTEN_MS
  let agent = keepingAgent()
  // One that died is started again on its folder, so that smaller cases can show the same.
  const watched: FuzzedHub['watched'] = async (wait) => {
    if (hasEnded(running.child)) running = await start(directory)
    try {
      return await watch(running, wait(running.url), forgottenMs)
    } catch (error) {
      if (error instanceof Forgotten) forgottenMs = FORGOTTEN_AGAIN_MS
      // The next case gets a connection of its own.
      agent.destroy()
      agent = keepingAgent()
      throw error
    }
  }
  const ask: FuzzedHub['ask'] = async (wanted) =>
    await watched(async (url) => await exchange(url, agent, wanted))
  const known = await fill(ask)
  const reader = new KeptReader(directory)
  return {
    known,
    ask,
    watched,
    cpuMs: () => cpuMsOf(running.child.pid ?? 0) ?? 0,
    archived: async () => await filesBelow(directory, ['distfiles/archive']),
    refuseLeftovers: async (archived) => {
      // Whoever sent a broken form may hear of it a moment before its file is gone.
      for (let looks = 0; ; looks++) {
        const now = await filesBelow(directory, ['distfiles/archive', 'var/uploads', 'var/partial-uploads'])
        if (now.length === archived.length && now.every((path, index) => path === archived[index])) return
        if (looks === MAX_LOOKS)
          throw new Error(`left behind: ${now.filter((path) => !archived.includes(path)).join(', ')}`)
        await setTimeout(LOOK_AGAIN_MS)
      }
    },
    kept: async () => await reader.read(),
    refuseChanges: async (before, what, tables) => {
      for (let looks = 0; ; looks++) {
        const { files, rows } = differences(before, await reader.read(), tables)
        if (files.length === 0 && rows.length === 0) return
        if (rows.length > 0 || looks === MAX_LOOKS)
          throw new Error(`${what}: ${[...rows, ...files].join('; ')}`)
        await setTimeout(LOOK_AGAIN_MS)
      }
    },
    complaints: () => running.complaints(),
    async [Symbol.asyncDispose]() {
      agent.destroy()
      reader[Symbol.dispose]()
      const ended = hasEnded(running.child) ? null : once(running.child, 'exit')
      running.child.kill('SIGKILL')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

interface Running {
  readonly child: ChildProcess
  readonly url: string
  readonly complaints: () => string
}

async function start(directory: string): Promise<Running> {
  const child = fork(CHILD, {
    env: environment(directory),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Express reads whole addresses by a function of Node that warns of odd ones; that is no complaint of the hub.
    execArgv: ['--no-deprecation'],
  })
  let complaint = ''
  child.stderr
    ?.setEncoding('utf8')
    .on('data', (text: string) => (complaint = (complaint + text).slice(-20_000)))
  const complaints = (): string => {
    const said = complaint
    complaint = ''
    return said
  }
  const [url] = (await Promise.race([once(child, 'message'), died(child, complaints)])) as [string]
  return { child, url, complaints }
}

function keepingAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 })
}

class Forgotten extends Error {}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function environment(directory: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HUB_CONFIG: '',
    HUB_DATA_DIR: directory,
    HUB_PORT: '0',
    HUB_ADMIN_TOKEN: ADMIN_TOKEN,
    HUB_LOG_LEVEL: 'error',
    HUB_MAX_UPLOAD: String(4 * 1024 * 1024),
  }
}

async function died(child: ChildProcess, complaints: () => string): Promise<never> {
  if (!hasEnded(child)) await once(child, 'close')
  const how = String(child.exitCode ?? child.signalCode)
  throw new Error(`the hub died (${how}), of this case or the one before: ${complaints()}`)
}

/** Waits, and meanwhile looks whether the hub lives, and whether it works without end or not at all. */
async function watch<T>(
  { child, complaints }: Running,
  waiting: Promise<T>,
  forgottenMs: number,
): Promise<T> {
  const failed = Promise.withResolvers<never>()
  const onClose = (): void => {
    died(child, complaints).catch(failed.reject)
  }
  child.once('close', onClose)
  const begun = { cpuMs: cpuMsOf(child.pid ?? 0) ?? 0, atMs: performance.now() }
  const timer = setInterval(() => {
    const cpuMs = (cpuMsOf(child.pid ?? 0) ?? 0) - begun.cpuMs
    const silentMs = performance.now() - begun.atMs
    if (cpuMs > 3 * CPU_LIMIT_MS) child.kill('SIGKILL')
    else if (silentMs > forgottenMs && cpuMs < silentMs / 100)
      failed.reject(new Forgotten(`no answer in ${forgottenMs} ms, in which the hub worked for ${cpuMs} ms`))
  }, LOOK_EVERY_MS)
  try {
    return await Promise.race([settledUnless(waiting, child), failed.promise])
  } finally {
    clearInterval(timer)
    child.off('close', onClose)
  }
}

/** A connection that breaks because the hub died is told by what the hub said, which comes a moment later. */
async function settledUnless<T>(waiting: Promise<T>, child: ChildProcess): Promise<T> {
  try {
    return await waiting
  } catch (error) {
    if (['ECONNRESET', 'ECONNREFUSED', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      await Promise.race([once(child, 'close'), setTimeout(500)])
      if (hasEnded(child)) return await new Promise<never>(() => {})
    }
    throw error
  }
}
