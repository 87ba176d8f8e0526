/**
 * A pack that takes up one revision after another. The flat folder of cache entries of a large overlay is a tree object
 * of most of a megabyte, and every revision has a new one: in a pack of its own each would stand whole, and the
 * repository would grow by half a megabyte a build. In one pack with the one before, it is a delta of a hundred bytes.
 */
import type { ObjectType, Oid } from './objects.ts'
import { packDelta, packObject, withChecksum } from './pack.ts'
import type { PackEntry } from './pack.ts'

/** Whoever reads the newest tree goes through the whole chain of deltas. */
const MAX_CHAIN = 100
/** What is written again with each revision may be so much more than what it began with. */
const MAX_GROWTH = 0.25
const MIN_GROWTH_BYTES = 32 * 1024

export interface GrowingObject {
  readonly type: ObjectType
  readonly oid: Oid
  readonly content: Buffer
  /** Instructions that make it from `base`; used when the pack has that. */
  readonly delta?: { readonly base: Oid; readonly encode: () => Buffer }
}

/** Never changed: growing makes another, so that one that could not be written is simply forgotten. */
export class GrowingPack {
  /** What it grows from at first. */
  static readonly EMPTY = new GrowingPack(new Map(), new Map(), -1)

  readonly #entries: ReadonlyMap<Oid, PackEntry>
  /** What each delta is one to. */
  readonly #bases: ReadonlyMap<Oid, Oid>
  readonly #mostBytes: number

  private constructor(entries: ReadonlyMap<Oid, PackEntry>, bases: ReadonlyMap<Oid, Oid>, mostBytes: number) {
    this.#entries = entries
    this.#bases = bases
    this.#mostBytes = mostBytes
  }

  get entries(): readonly PackEntry[] {
    return [...this.#entries.values()]
  }

  /**
   * The pack with these objects too. When it has grown enough, another one (`isNew`) with these alone and with what
   * their deltas lead to: large trees are deflated once in a hundred revisions.
   */
  async grow(
    objects: readonly GrowingObject[],
  ): Promise<{ readonly pack: GrowingPack; readonly isNew: boolean }> {
    if (sumOfBytes(this.#entries) > this.#mostBytes) return { pack: await this.#begin(objects), isNew: true }
    const [entries, bases] = [new Map(this.#entries), new Map(this.#bases)]
    await addAll(entries, bases, objects)
    return { pack: new GrowingPack(entries, bases, this.#mostBytes), isNew: false }
  }

  async #begin(objects: readonly GrowingObject[]): Promise<GrowingPack> {
    const [entries, bases] = [new Map<Oid, PackEntry>(), new Map<Oid, Oid>()]
    for (const { delta } of objects) this.#takeChain(delta?.base, entries, bases)
    await addAll(entries, bases, objects)
    const bytes = sumOfBytes(entries)
    return new GrowingPack(entries, bases, bytes + Math.max(MIN_GROWTH_BYTES, bytes * MAX_GROWTH))
  }

  /** From an object back to the one that stands whole. */
  #takeChain(from: Oid | undefined, entries: Map<Oid, PackEntry>, bases: Map<Oid, Oid>): void {
    for (let oid = from; oid !== undefined && !entries.has(oid); oid = this.#bases.get(oid)) {
      const entry = this.#entries.get(oid)
      if (!entry) return
      entries.set(oid, entry)
      const base = this.#bases.get(oid)
      if (base !== undefined) bases.set(oid, base)
    }
  }
}

async function addAll(
  entries: Map<Oid, PackEntry>,
  bases: Map<Oid, Oid>,
  objects: readonly GrowingObject[],
): Promise<void> {
  for (const { type, oid, content, delta } of objects) {
    if (entries.has(oid)) continue
    const base =
      delta && entries.has(delta.base) && chainLength(bases, delta.base) < MAX_CHAIN ? delta.base : null
    if (delta && base !== null) bases.set(oid, base)
    const entry =
      delta && base !== null
        ? await packDelta(oid, base, delta.encode())
        : await packObject(type, oid, content)
    entries.set(oid, withChecksum(entry))
  }
}

function chainLength(bases: ReadonlyMap<Oid, Oid>, from: Oid): number {
  let length = 0
  for (let oid = bases.get(from); oid !== undefined; oid = bases.get(oid)) length++
  return length
}

function sumOfBytes(entries: ReadonlyMap<Oid, PackEntry>): number {
  let sum = 0
  for (const { bytes } of entries.values()) sum += bytes.byteLength
  return sum
}
