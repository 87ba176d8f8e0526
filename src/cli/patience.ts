/** Tries that follow each other more slowly, until nothing has moved for too long. */
import { setTimeout as sleep } from 'node:timers/promises'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 10_000

export class Patience {
  readonly #limitMs: number
  #failingSinceMs: number | null = null
  #tries = 0

  /** `limitMs`: how long it may go on without anything moving. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /** Something moved: what fails next begins anew. */
  renew(): void {
    this.#failingSinceMs = null
    this.#tries = 0
  }

  /**
   * Called after a failure: how long to wait before the next try, or null when it is time to give up. Up to half of a
   * pause is left to chance, so that all who lost the same hub do not come back at once.
   */
  nextPauseMs(nowMs: number): number | null {
    this.#failingSinceMs ??= nowMs
    const leftMs = this.#failingSinceMs + this.#limitMs - nowMs
    if (leftMs <= 0) return null
    const fullMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#tries++)
    return Math.min(leftMs, fullMs * (0.5 + Math.random() / 2))
  }

  /** Waits before the next try. False: it is time to give up. */
  async pause(): Promise<boolean> {
    const pauseMs = this.nextPauseMs(performance.now())
    if (pauseMs === null) return false
    await sleep(pauseMs)
    return true
  }
}
