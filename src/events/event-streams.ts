/**
 * Who follows the events now: so many at the most, all of whom end when the hub does. Nothing is kept for them here: each
 * reads from the audit what comes behind the last event that its connection took, so a slow one costs no memory.
 */
import { HubError } from '../errors.ts'

export interface StreamLimits {
  readonly all: number
  readonly ofOneToken: number
  /** A sign of life is sent after so long without an event. */
  readonly heartbeatMs: number
}

const ORDINARY: StreamLimits = { all: 200, ofOneToken: 20, heartbeatMs: 15_000 }

export interface Place extends Disposable {
  /** Aborted when the hub ends. */
  readonly signal: AbortSignal
}

export class EventStreams {
  readonly limits: StreamLimits
  readonly #ended = new AbortController()
  readonly #byPrincipal = new Map<string, number>()
  #count = 0
  #allLeft: (() => void) | null = null

  constructor(limits: StreamLimits = ORDINARY) {
    this.limits = limits
  }

  /** Takes a place, to be disposed of. @throws {HubError} `events.too_many`. */
  enter(principal: string): Place {
    const own = this.#byPrincipal.get(principal) ?? 0
    const { all, ofOneToken } = this.limits
    if (own >= ofOneToken || this.#count >= all) {
      const whose = own >= ofOneToken ? `with your token ${String(own)}` : String(this.#count)
      throw new HubError(
        'events.too_many',
        `${whose} clients follow the events; end one, or come again later`,
      )
    }
    this.#byPrincipal.set(principal, own + 1)
    this.#count += 1
    return { signal: this.#ended.signal, [Symbol.dispose]: () => this.#leave(principal) }
  }

  /** Ends all of them, and those that come from here on; resolves when they have left. */
  async end(): Promise<void> {
    this.#ended.abort()
    if (this.#count === 0) return
    await new Promise<void>((resolve) => {
      this.#allLeft = resolve
    })
  }

  #leave(principal: string): void {
    const own = (this.#byPrincipal.get(principal) ?? 1) - 1
    if (own === 0) this.#byPrincipal.delete(principal)
    else this.#byPrincipal.set(principal, own)
    this.#count -= 1
    if (this.#count === 0) this.#allLeft?.()
  }
}
