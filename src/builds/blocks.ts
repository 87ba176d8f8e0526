/**
 * Memory that threads see without a copy being made: an upload is gathered in its blocks, each of which is digested by
 * two threads and written to disk at the same time. A thread is shown the memory once; later messages name the block.
 */

export const BLOCK_BYTES = 1 << 20
/** How many blocks a file has, while few are under way; with many, two each are enough. */
const BLOCKS_FOR_FEW = 6
const BLOCKS_FOR_MANY = 2
const FEW_FILES = 4
/** Memory that is kept for the next files. */
const KEPT = 2

let inUse = 0
const kept: SharedArrayBuffer[] = []

/** The blocks of one file, by their number. Disposing gives the memory back, if nobody reads in it any more. */
export class Blocks implements Disposable {
  readonly memory: SharedArrayBuffer
  readonly #free: number[]
  readonly #count: number
  #isDisposed = false

  constructor() {
    this.#count = inUse < FEW_FILES ? BLOCKS_FOR_FEW : BLOCKS_FOR_MANY
    inUse++
    const isKept = this.#count === BLOCKS_FOR_FEW && kept.length > 0
    this.memory = (isKept ? kept.pop() : undefined) ?? new SharedArrayBuffer(this.#count * BLOCK_BYTES)
    this.#free = Array.from({ length: this.#count }, (_, block) => block)
  }

  get areAllTaken(): boolean {
    return this.#free.length === 0
  }

  /** Takes a free block; only if there is one. */
  take(): number {
    const block = this.#free.pop()
    if (block === undefined) throw new Error('All blocks are taken.')
    return block
  }

  /** Gives back a block that nobody reads any more. */
  give(block: number): void {
    this.#free.push(block)
  }

  /** The bytes of a block. */
  bytes(block: number): Uint8Array {
    return new Uint8Array(this.memory, block * BLOCK_BYTES, BLOCK_BYTES)
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    inUse--
    // A thread may still read what is not given back: that memory is left to the collector.
    const isIdle = this.#free.length === this.#count
    if (isIdle && this.#count === BLOCKS_FOR_FEW && kept.length < KEPT) kept.push(this.memory)
  }
}
