/**
 * What is remembered of failed attempts to sign in, in memory and bounded: when an account may be tried again, and which
 * failures the audit has not been told of yet, so that nobody can fill it with them.
 */
import type { Clock } from '../clock.ts'

/** So many failures in a row cost nothing but the next attempt; from there on the wait doubles. */
const FREE_FAILURES = 5
const FIRST_WAIT_MS = 30_000
const LONGEST_WAIT_MS = 15 * 60_000
/** After which a failure is forgotten. */
const REMEMBERED_MS = 60 * 60_000
const MOST_ACCOUNTS = 10_000

/** Of one account the audit is told so often. */
const TOLD_EVERY_MS = 10 * 60_000

interface Failures {
  readonly count: number
  readonly lastMs: number
}

export class SignInAttempts {
  readonly #clock: Clock
  /** By the name that was tried, whether there is such an account or not: nobody can tell the two apart. */
  readonly #byName = new Map<string, Failures>()
  /** By the subject that the audit names. */
  readonly #untold = new Map<string, { readonly count: number; readonly toldMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Seconds until the name may be tried again; 0: now. */
  waitSec(name: string): number {
    const failures = this.#byName.get(name)
    if (!failures || failures.count < FREE_FAILURES) return 0
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (failures.count - FREE_FAILURES), LONGEST_WAIT_MS)
    return Math.max(0, Math.ceil((failures.lastMs + waitMs - this.#now()) / 1000))
  }

  /** An attempt begins, and counts as failed until it is known to have succeeded: many at once are many. */
  begin(name: string): void {
    const before = this.#byName.get(name)
    const isForgotten = before !== undefined && before.lastMs + REMEMBERED_MS <= this.#now()
    // Again at the end of the map, so that what was tried longest ago goes first.
    this.#byName.delete(name)
    const count = before === undefined || isForgotten ? 1 : before.count + 1
    this.#byName.set(name, { count, lastMs: this.#now() })
    dropOldest(this.#byName)
  }

  succeeded(name: string): void {
    this.#byName.delete(name)
  }

  /** How many failures of `subject` to tell the audit of now, this one among them; 0: none yet. */
  untold(subject: string): number {
    const { count, toldMs } = this.#untold.get(subject) ?? { count: 0, toldMs: -Infinity }
    const isDue = toldMs + TOLD_EVERY_MS <= this.#now()
    this.#untold.set(subject, isDue ? { count: 0, toldMs: this.#now() } : { count: count + 1, toldMs })
    dropOldest(this.#untold)
    return isDue ? count + 1 : 0
  }

  #now(): number {
    return this.#clock.now().getTime()
  }
}

function dropOldest(map: Map<string, unknown>): void {
  if (map.size <= MOST_ACCOUNTS) return
  const oldest = map.keys().next()
  if (!oldest.done) map.delete(oldest.value)
}
