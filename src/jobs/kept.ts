import type { Hub } from '../hub.ts'

/** What takes a while to find out, kept for some time: only the first who asks waits, others get it as it was at `at`. */
export class Kept<T extends { readonly at: string }> {
  readonly #hub: Pick<Hub, 'clock' | 'log'>
  readonly #freshMs: number
  readonly #make: () => Promise<T>
  #known: T | null = null
  #making: Promise<T> | null = null

  constructor(hub: Pick<Hub, 'clock' | 'log'>, freshMs: number, make: () => Promise<T>) {
    this.#hub = hub
    this.#freshMs = freshMs
    this.#make = make
  }

  async value(): Promise<T> {
    const known = this.#known
    if (known === null) return await this.#makeOnce()
    if (Date.parse(known.at) + this.#freshMs < this.#hub.clock.now().getTime())
      this.#makeOnce().catch((error: unknown) => {
        this.#hub.log.error({ err: error }, 'what pages show of the hub could not be found out')
      })
    return known
  }

  /** What is known, and what is being found out, is of the time before. */
  forget(): void {
    this.#known = null
    this.#making = null
  }

  async #makeOnce(): Promise<T> {
    this.#making ??= this.#begin()
    return await this.#making
  }

  #begin(): Promise<T> {
    const making = this.#make().then(
      (made) => {
        if (this.#making === making) [this.#known, this.#making] = [made, null]
        return made
      },
      (error: unknown) => {
        if (this.#making === making) this.#making = null
        throw error
      },
    )
    return making
  }
}
