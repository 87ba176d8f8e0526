/** Tells who waits that the audit has grown. Only this process tells: who must miss nothing looks now and then as well. */
export class Growth {
  readonly #listeners = new Set<() => void>()
  #grew = false

  /** Something was appended, and counts when its transaction ends. */
  grow(): void {
    this.#grew = true
  }

  /** After a transaction. One that was rolled back may have others told for nothing, which does no harm. */
  tell(): void {
    if (!this.#grew) return
    this.#grew = false
    for (const listener of this.#listeners) listener()
  }

  /** Calls `listener` whenever the audit has grown, until what is given back is disposed. */
  listen(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }
}
