/**
 * One at a time for work that somebody's connection feeds. A connection may be dead without this end knowing, and its
 * client may be back already on another one: the next one takes over from a holder that has gone silent, and is
 * refused beside one that still gets bytes.
 */

/** A newcomer listens so long whether the holder still gets bytes. */
const SILENCE_MS = 2000

/** The right to do the work of one key. Disposing it lets the next one in. */
export interface Hold extends Disposable {
  /** Says that bytes came. */
  progressed(): void
  /** Says that no more bytes are waited for: who comes now waits for the end, however silent. */
  finishing(): void
}

interface Holder {
  readonly stop: () => void
  readonly finishing: Promise<void>
  readonly ended: Promise<void>
  /** How often bytes came. */
  signs: number
}

export class Holds {
  readonly #holders = new Map<string, Holder>()
  readonly #silenceMs: number

  constructor(silenceMs = SILENCE_MS) {
    this.#silenceMs = silenceMs
  }

  isHeld(key: string): boolean {
    return this.#holders.has(key)
  }

  /**
   * Takes `key`, from a silent holder too. `stop` is called when somebody takes it from this one: it must make the
   * work end soon, badly or well.
   * @returns null when the holder is at work.
   */
  async take(key: string, stop: () => void): Promise<Hold | null> {
    // Of several who waited for the same end, one is the first.
    do {
      if (await this.isAtWork(key)) return null
    } while (this.#holders.has(key))
    const finishing = Promise.withResolvers<undefined>()
    const ended = Promise.withResolvers<undefined>()
    const holder: Holder = { stop, finishing: finishing.promise, ended: ended.promise, signs: 0 }
    this.#holders.set(key, holder)
    return {
      progressed: () => {
        holder.signs++
      },
      finishing: () => {
        finishing.resolve(undefined)
      },
      [Symbol.dispose]: () => {
        if (this.#holders.get(key) === holder) this.#holders.delete(key)
        finishing.resolve(undefined)
        ended.resolve(undefined)
      },
    }
  }

  /**
   * Whether somebody holds `key` and gets bytes; a holder is given a moment to come to its end. When it gives false,
   * nobody holds it: a silent holder was ended.
   */
  async isAtWork(key: string): Promise<boolean> {
    for (let holder = this.#holders.get(key); holder; holder = this.#holders.get(key)) {
      const before = holder.signs
      if (!(await this.#comesToItsEnd(holder))) {
        if (holder.signs > before) return true
        holder.stop()
      }
      await holder.ended
    }
    return false
  }

  /** Ends whoever holds `key`, silent or not, and waits for it. */
  async end(key: string): Promise<void> {
    for (let holder = this.#holders.get(key); holder; holder = this.#holders.get(key)) {
      holder.stop()
      await holder.ended
    }
  }

  /** Ends all that there are, and waits for them. */
  async endAll(): Promise<void> {
    await Promise.all([...this.#holders.keys()].map(async (key) => await this.end(key)))
  }

  async #comesToItsEnd({ finishing }: Holder): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => {
        resolve(false)
      }, this.#silenceMs)
    })
    try {
      return await Promise.race([finishing.then(() => true), silence])
    } finally {
      clearTimeout(timer)
    }
  }
}
