/** Runs a program of this host, git above all, and gives what it said. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const MOST_CHARS = 4000

export interface Ended {
  /** null: the program is not installed. */
  readonly exitStatus: number | null
  /** The beginning of its output. */
  readonly output: string
  /** The beginning of its error output. */
  readonly complaint: string
}

/** Nothing of this process's environment or of the machine's git configuration reaches it. */
export async function runProgram(program: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: SEARCH_PATH,
      HOME: '/nonexistent',
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      // The repository may belong to another user than the one who checks it.
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
    },
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(null)
      else reject(error)
    })
    child.once('close', (status) => {
      resolve(status ?? 1)
    })
  })
  const [output, complaint, exitStatus] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { exitStatus, output: output.slice(0, MOST_CHARS), complaint: complaint.slice(0, MOST_CHARS).trim() }
}
