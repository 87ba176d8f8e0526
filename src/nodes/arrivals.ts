import type { PointKey } from '../records/restore-points.ts'

/** Restore points of which a file is arriving just now. */
export class Arrivals {
  readonly #counts = new Map<string, number>()

  has(key: PointKey): boolean {
    return this.#counts.has(nameOf(key))
  }

  /** Does `work`, and tells of the point while it lasts. */
  async during<T>(key: PointKey, work: () => Promise<T>): Promise<T> {
    const name = nameOf(key)
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    try {
      return await work()
    } finally {
      const left = (this.#counts.get(name) ?? 1) - 1
      if (left === 0) this.#counts.delete(name)
      else this.#counts.set(name, left)
    }
  }
}

function nameOf({ node, id }: PointKey): string {
  return `${node} ${id}`
}
