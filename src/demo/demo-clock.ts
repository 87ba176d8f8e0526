/** The clock of a demo: it stands where the story is, and once that is told it is the real one. */
import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'

const DAY_MS = 86_400_000

export class DemoClock implements Clock {
  readonly #end: Date
  #told: number | null

  /** @param daysAgo where the story begins, before now. */
  constructor(daysAgo: number) {
    this.#end = systemClock.now()
    this.#told = this.#end.getTime() - daysAgo * DAY_MS
  }

  now(): Date {
    if (this.#told === null) return systemClock.now()
    // What follows within one chapter of the story is a little later: no two things happen at the same moment.
    this.#told += 1
    return new Date(this.#told)
  }

  /** Goes on to a moment before the real now; never back. */
  standAt(daysAgo: number): void {
    this.#told = Math.max(this.#told ?? 0, this.#end.getTime() - daysAgo * DAY_MS)
  }

  /** From here on it is the real one. */
  run(): void {
    this.#told = null
  }
}
