/** Servers that a measurement starts: waited for until they answer, stopped with all that they started. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 15_000

export interface Server extends AsyncDisposable {
  readonly pid: number
  /** What it has printed so far, stdout and stderr, its last 64 KiB. */
  output(): string
}

export interface Command {
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Asked again and again until it is true. */
  readonly isReady: (output: string) => boolean | Promise<boolean>
}

/** Starts it in a process group of its own. @throws {Error} with what it printed, if it ends or does not answer. */
export async function startServer({ name, file, args, cwd, env, isReady }: Command): Promise<Server> {
  const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-65_536)
    })
  }
  await once(child, 'spawn')
  const killAtExit = (): void => signalGroup(child, 'SIGKILL')
  process.once('exit', killAtExit)
  const server = {
    pid: child.pid ?? 0,
    output: () => output,
    async [Symbol.asyncDispose]() {
      await stop(child)
      process.off('exit', killAtExit)
    },
  }
  const started = performance.now()
  while (!(await isReady(output))) {
    await sleep(20)
    const isLate = performance.now() - started > START_TIMEOUT_MS
    if (!isLate && child.exitCode === null && child.signalCode === null) continue
    await server[Symbol.asyncDispose]()
    throw new Error(`${name} ${isLate ? 'does not answer' : 'ended'}:\n${output}`)
  }
  return server
}

/** A port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Whether somebody takes connections there: a port of 127.0.0.1 or the path of a socket. */
export async function isListening(at: number | string): Promise<boolean> {
  const socket = typeof at === 'number' ? connect(at, '127.0.0.1') : connect(at)
  return await new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).then((found) => {
    socket.destroy()
    return found === true
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    // Not 'close': what it leaves behind may hold its output open.
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const hurry = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(hurry)
  }
  signalGroup(child, 'SIGKILL')
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal)
  } catch {
    // All of it has ended.
  }
}
