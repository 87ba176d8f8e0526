/** A cache that is bounded by bytes and not by a count, since its values differ in size. */

/** Keeps values up to a sum of bytes; those not used for longest go first. */
export class ByteCache<V> {
  readonly #maxBytes: number
  readonly #kept = new Map<string, { readonly value: V; readonly sizeBytes: number }>()
  #usedBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(key: string): V | undefined {
    const kept = this.#kept.get(key)
    if (!kept) return undefined
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    return kept.value
  }

  /** A value larger than the whole cache is not kept. */
  set(key: string, value: V, sizeBytes: number): void {
    this.#drop(key)
    if (sizeBytes > this.#maxBytes) return
    this.#kept.set(key, { value, sizeBytes })
    this.#usedBytes += sizeBytes
    for (const oldest of this.#kept.keys()) {
      if (this.#usedBytes <= this.#maxBytes) break
      this.#drop(oldest)
    }
  }

  delete(key: string): void {
    this.#drop(key)
  }

  #drop(key: string): void {
    this.#usedBytes -= this.#kept.get(key)?.sizeBytes ?? 0
    this.#kept.delete(key)
  }
}
