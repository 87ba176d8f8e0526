/** Throw-away Gentoo hosts, by the script `tests/portage/gentoo-node` beside this folder. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

export const GENTOO_NODE = resolve(import.meta.dirname, '..', 'gentoo-node')
const PYCACHE = resolve(import.meta.dirname, '../../../node_modules/.cache/portage-pycache')
const TIMEOUT_MS = 400_000

export interface Ran {
  /** null when the command was ended for taking too long. */
  readonly status: number | null
  /** Standard output and standard error, as they came. */
  readonly output: string
}

export interface GentooNode extends AsyncDisposable {
  /** Runs a command in the host, one at a time. */
  run(...command: readonly string[]): Promise<Ran>
  /** Runs a command that must succeed and gives its output. */
  must(...command: readonly string[]): Promise<string>
  /** Runs a text of bash that must succeed; `args` are its `$1` and so on. */
  bash(text: string, ...args: readonly string[]): Promise<string>
  /** Where a file of the host's own is to be found from outside, between commands. */
  path(file: string): string
  read(file: string): Promise<string>
  write(file: string, content: string | Buffer, mode?: number): Promise<void>
}

/** The variables that the script gets: nothing else of this process reaches a host. */
export function nodeEnvironment(): {
  readonly PORTAGE_SRC?: string
  readonly [name: string]: string | undefined
} {
  const { PATH = '', PORTAGE_SRC = '', NODES } = process.env
  const common = { PATH, PYCACHE, NODES: NODES ?? join(tmpdir(), 'gentoo-nodes') }
  return PORTAGE_SRC === '' ? common : { ...common, PORTAGE_SRC: resolve(PORTAGE_SRC) }
}

/** Makes a host. `purpose` is for whoever finds it left behind by a test that was killed. */
export async function openNode(purpose: string): Promise<GentooNode> {
  const name = `${purpose}-${randomUUID().slice(0, 8)}`
  const call: Call = async (verb, ...args) => await runProgram(GENTOO_NODE, [verb, name, ...args])
  const down = async (): Promise<void> => void succeeded(await call('down'), ['down', name])
  try {
    succeeded(await call('up'), ['up', name])
    const files = succeeded(await call('files'), ['files', name]).trim()
    return nodeAt(files, call, down)
  } catch (error) {
    await down()
    throw error
  }
}

type Call = (verb: string, ...args: readonly string[]) => Promise<Ran>

function nodeAt(files: string, call: Call, down: () => Promise<void>): GentooNode {
  const must: GentooNode['must'] = async (...command) => succeeded(await call('run', ...command), command)
  return {
    must,
    run: async (...command) => await call('run', ...command),
    bash: async (text, ...args) => await must('bash', '-euo', 'pipefail', '-c', text, 'bash', ...args),
    path: (file) => join(files, file),
    read: async (file) => await readFile(join(files, file), 'utf8'),
    async write(file, content, mode = 0o644) {
      await mkdir(dirname(join(files, file)), { recursive: true })
      await writeFile(join(files, file), content, { mode })
    },
    [Symbol.asyncDispose]: down,
  }
}

function succeeded({ status, output }: Ran, command: readonly string[]): string {
  if (status === 0) return output
  throw new Error(`${command.join(' ').slice(0, 500)} ended with ${String(status)}:\n${output.slice(-8000)}`)
}

/** Not a synchronous call: the hub that the host talks to lives in this very process. */
async function runProgram(program: string, args: readonly string[]): Promise<Ran> {
  const child = spawn(program, args, {
    env: nodeEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const status = await new Promise<number | null>((settle, fail) => {
    child.once('error', fail)
    child.once('close', settle)
  })
  return { status, output: Buffer.concat(chunks).toString('utf8') }
}
