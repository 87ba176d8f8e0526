/** One thing that is fuzzed: how its cases are made, what must hold for each, and running so many of them. */
import fc from 'fast-check'
import { CPU_LIMIT_MS } from './settings.ts'

/** What the code under test said of a case. Whatever must not be is thrown. */
export type Verdict = 'accepted' | 'refused'

export interface Target {
  readonly name: string
  /** Thousandths of all cases. */
  readonly share: number
  readonly property: (watch: Watch) => fc.IAsyncProperty<[unknown]>
}

export interface Outcome {
  readonly name: string
  readonly cases: number
  readonly accepted: number
  readonly refused: number
  readonly slowestMs: number
  readonly slowestCase: number
  /** What did not hold, the smallest case that shows it, and how to repeat it. */
  readonly failure: string | null
}

type Watch = (check: () => Promise<Verdict> | Verdict) => Promise<void>

/** After a failure, so many smaller cases are tried to show the same. */
const MAX_SHRINKS = 300
const MAX_SHOWN_CHARS = 3000

export function target<T>(definition: {
  readonly name: string
  readonly share: number
  readonly cases: fc.Arbitrary<T>
  readonly check: (input: T) => Promise<Verdict> | Verdict
}): Target {
  const { name, share, cases, check } = definition
  const property = (watch: Watch) =>
    fc.asyncProperty(cases, async (input) => {
      await watch(() => check(input))
    }) as unknown as fc.IAsyncProperty<[unknown]>
  return { name, share, property }
}

interface Run {
  readonly cases: number
  readonly seed: number
  readonly path: string | undefined
  /** Processor time that the code under test has used so far. */
  readonly cpuMs: () => number
  /** Told before each case, so that one that never ends has a number. */
  readonly begin?: (ordinal: number) => void
}

/** Tries the target's cases, and after a failure looks for the smallest that fails. Never throws for a case. */
export async function runTarget(target: Target, run: Run): Promise<Outcome> {
  const tally = { cases: 0, accepted: 0, refused: 0, slowestMs: 0, slowestCase: 0, failures: 0, after: 0 }
  const watch: Watch = async (check) => {
    if (tally.failures > 0 && ++tally.after > MAX_SHRINKS) return
    run.begin?.(tally.cases)
    const number = tally.cases++
    try {
      const { verdict, tookMs } = await measured(check, run.cpuMs)
      if (tally.failures > 0) return
      tally[verdict]++
      if (tookMs > tally.slowestMs) Object.assign(tally, { slowestMs: tookMs, slowestCase: number })
    } catch (error) {
      tally.failures++
      throw error
    }
  }
  const parameters = { numRuns: run.path === undefined ? run.cases : 1, seed: run.seed }
  const details = await fc.check(
    target.property(watch),
    run.path === undefined ? parameters : { ...parameters, path: run.path },
  )
  const { cases, accepted, refused, slowestMs, slowestCase } = tally
  const failure = details.failed ? failureOf(target, run.seed, details) : null
  return { name: target.name, cases, accepted, refused, slowestMs, slowestCase, failure }
}

/** A pause of the garbage collector counts for whoever it meets; so a slow case has a second chance. */
async function measured(
  check: () => Promise<Verdict> | Verdict,
  cpuMs: () => number,
): Promise<{ readonly verdict: Verdict; readonly tookMs: number }> {
  let tookMs = Infinity
  for (let attempts = 0; attempts < 2; attempts++) {
    const before = cpuMs()
    const verdict = await check()
    tookMs = Math.min(tookMs, cpuMs() - before)
    if (tookMs <= CPU_LIMIT_MS) return { verdict, tookMs }
  }
  throw new Error(`took ${tookMs.toFixed(0)} ms of processor time, where ${CPU_LIMIT_MS} is the limit`)
}

function failureOf(target: Target, seed: number, details: fc.RunDetails<[unknown]>): string {
  const { counterexamplePath, counterexample, errorInstance } = details
  const shown = fc.stringify(counterexample).slice(0, MAX_SHOWN_CHARS)
  const error =
    errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : errorInstance
  return `${repeatHint(target.name, seed, counterexamplePath ?? '')}\n${String(error)}\nthe case: ${shown}`
}

/** How a person sees the same again. */
export function repeatHint(name: string, seed: number, path: string | number): string {
  return `repeat with HUB_TEST_SEED=${seed} HUB_TEST_FUZZ_ONLY=${name}:${path}`
}

/** The line that a run prints for each target. */
export function outcomeLine(outcome: Outcome, seed: number): string {
  const { name, cases, accepted, refused, slowestMs, slowestCase, failure } = outcome
  const found = failure === null ? 'nothing found' : 'FAILED'
  return (
    `fuzz ${name.padEnd(16)} seed ${seed}  ${String(cases).padStart(6)} cases: ${accepted} accepted, ${refused} refused; ` +
    `slowest ${slowestMs.toFixed(0)} ms (case ${slowestCase}); ${found}`
  )
}
