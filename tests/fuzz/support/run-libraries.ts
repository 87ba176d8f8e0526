/** Runs targets in a process of their own and watches it: every case ends, or is named. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempDisposable, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { cpuMsOf } from './cpu.ts'
import { casesOf, CPU_LIMIT_MS, ONLY_PATH, SEED } from './settings.ts'
import { repeatHint } from './target.ts'
import type { Outcome, Target } from './target.ts'

const CHILD = fileURLToPath(new URL('library-child.ts', import.meta.url))
const LOOK_EVERY_MS = 250
/** The child judges what ends; here is judged what does not: twice the limit, since such a case has two attempts. */
const ENDLESS_MS = 2 * CPU_LIMIT_MS + 1000

/** Tries all targets, one after the other; one that takes the process down with it does not keep the others from it. */
export async function runLibraries(targets: readonly Target[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  while (outcomes.length < targets.length) {
    const rest = targets.slice(outcomes.length)
    const { done, trouble } = await runChild(rest)
    outcomes.push(...done)
    const name = targets[outcomes.length]?.name
    if (name !== undefined) outcomes.push(lost(name, trouble))
  }
  return outcomes
}

interface Trouble {
  readonly ordinal: number
  readonly what: string
}

async function runChild(
  targets: readonly Target[],
): Promise<{ readonly done: readonly Outcome[]; readonly trouble: Trouble }> {
  await using temp = await mkdtempDisposable(join(tmpdir(), 'fuzz-journal-'))
  const journal = join(temp.path, 'journal')
  const path = ONLY_PATH === undefined ? '' : `:${ONLY_PATH}`
  const jobs = targets.map(({ name, share }) => `${name}:${casesOf(share)}${path}`)
  const child = spawn(process.execPath, [CHILD, journal, String(SEED), ...jobs], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const done: Outcome[] = []
  createInterface(child.stdout).on('line', (line) => done.push(JSON.parse(line) as Outcome))
  const complaint = text(child.stderr)
  const endless: Trouble[] = []
  const watcher = watchCases(child.pid ?? 0, journal, (trouble) => {
    endless.push(trouble)
    child.kill('SIGKILL')
  })
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearInterval(watcher)
  const what = `the process ended with ${String(status ?? signal)}: ${(await complaint).slice(-2000)}`
  return { done, trouble: endless[0] ?? { ordinal: await ordinalIn(journal), what } }
}

/** Looks at the case that runs and at the processor time since it began; a machine that is busy makes none of it. */
function watchCases(pid: number, journal: string, onEndless: (trouble: Trouble) => void): NodeJS.Timeout {
  let seen = { ordinal: -1, cpuMs: 0 }
  return setInterval(() => {
    void ordinalIn(journal).then((ordinal) => {
      const cpuMs = cpuMsOf(pid)
      if (cpuMs === null) return
      if (ordinal !== seen.ordinal) seen = { ordinal, cpuMs }
      else if (ordinal >= 0 && cpuMs - seen.cpuMs > ENDLESS_MS)
        onEndless({ ordinal, what: `no end after ${cpuMs - seen.cpuMs} ms of processor time` })
    })
  }, LOOK_EVERY_MS)
}

async function ordinalIn(journal: string): Promise<number> {
  const bytes = await readFile(journal).catch(() => Buffer.alloc(0))
  return bytes.byteLength === 8 ? bytes.readDoubleLE() : -1
}

function lost(name: string, { ordinal, what }: Trouble): Outcome {
  const failure = `${repeatHint(name, SEED, ONLY_PATH ?? ordinal)}\n${what}`
  return { name, cases: ordinal + 1, accepted: 0, refused: 0, slowestMs: 0, slowestCase: ordinal, failure }
}
