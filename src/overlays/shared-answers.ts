/**
 * Sharing of work between equal questions: what was answered is kept up to a number of bytes, what is being
 * answered is awaited by all who ask, and only so many answers are made by processes at a time.
 */

interface Flight<V> {
  readonly result: Promise<V>
  readonly controller: AbortController
  waiting: number
  delivered: boolean
}

/** One computation for all who ask for the same key at the same time; stopped when all of them have left. */
export class Flights<V> {
  readonly #flying = new Map<string, Flight<V>>()

  async join(
    key: string,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => Promise<V>,
  ): Promise<V> {
    signal?.throwIfAborted()
    const flight = this.#flying.get(key) ?? this.#launch(key, start)
    flight.waiting++
    try {
      const value = await orAbort(flight.result, signal)
      flight.delivered = true
      return value
    } finally {
      flight.waiting--
      if (flight.waiting === 0 && !flight.delivered) {
        this.#land(key, flight)
        flight.controller.abort()
      }
    }
  }

  #launch(key: string, start: (signal: AbortSignal) => Promise<V>): Flight<V> {
    const controller = new AbortController()
    const flight = { result: start(controller.signal), controller, waiting: 0, delivered: false }
    this.#flying.set(key, flight)
    const land = (): void => this.#land(key, flight)
    flight.result.then(land, land)
    return flight
  }

  #land(key: string, flight: Flight<V>): void {
    if (this.#flying.get(key) === flight) this.#flying.delete(key)
  }
}

async function orAbort<V>(result: Promise<V>, signal: AbortSignal | undefined): Promise<V> {
  if (!signal) return result
  const { promise: left, reject } = Promise.withResolvers<never>()
  const leave = (): void => reject(signal.reason)
  signal.addEventListener('abort', leave)
  try {
    return await Promise.race([result, left])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** A number of places; who finds none free waits in line. */
export class Places {
  #free: number
  readonly #line: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  /** Resolves to the function that gives the place back; calling it twice gives it back once. */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#waitInLine(signal)
    let held = true
    return () => {
      if (held) this.#giveBack()
      held = false
    }
  }

  /** A place given back goes straight to the first in line. */
  #giveBack(): void {
    const next = this.#line.shift()
    if (next) next()
    else this.#free++
  }

  async #waitInLine(signal: AbortSignal | undefined): Promise<void> {
    const { promise: turn, resolve } = Promise.withResolvers<undefined>()
    const enter = (): void => resolve(undefined)
    this.#line.push(enter)
    try {
      await orAbort(turn, signal)
    } catch (error) {
      const at = this.#line.indexOf(enter)
      if (at >= 0) this.#line.splice(at, 1)
      else this.#giveBack()
      throw error
    }
  }
}
