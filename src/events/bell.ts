import { setTimeout as pause } from 'node:timers/promises'
import type { Growth } from '../records/growth.ts'

/** Rings when the audit has grown. What rings between `silence` and `rung` is heard: nothing is waited for that is there. */
export class Bell implements Disposable {
  readonly #listening: Disposable
  #heard = Promise.withResolvers<undefined>()

  constructor(growth: Growth) {
    this.#listening = growth.listen(() => {
      this.ring()
    })
  }

  ring(): void {
    this.#heard.resolve(undefined)
  }

  silence(): void {
    this.#heard = Promise.withResolvers<undefined>()
  }

  /** Resolves when it rings, at once if it has; after `atMostMs` in any case, and when the signal is given. */
  async rung(atMostMs: number, signal: AbortSignal): Promise<void> {
    using waiting = { stop: new AbortController(), [Symbol.dispose]: () => waiting.stop.abort() }
    const either = AbortSignal.any([signal, waiting.stop.signal])
    const time = pause(atMostMs, undefined, { signal: either }).catch(() => undefined)
    await Promise.race([this.#heard.promise, time])
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
  }
}
