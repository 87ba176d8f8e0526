/**
 * Pieces of memory that threads see without a copy being made: an upload is gathered in them, digested by two threads
 * and written to disk at the same time.
 */

export const BLOCK_BYTES = 1 << 20
/** Memory that is kept for the next upload; more is given back. */
const KEPT_BLOCKS = 8
/** How many blocks one upload may have at a time, while few are under way; with many, two each are enough. */
const MOST_FOR_FEW = 8
const MOST_FOR_MANY = 2
const FEW_USERS = 4

export type Block = SharedArrayBuffer

const kept: Block[] = []
let users = 0

/** One upload's part of the memory. Blocks that are not given back when it is disposed are left to the collector. */
export class BlockUser implements Disposable {
  #isCounted = true

  constructor() {
    users++
  }

  /** How many blocks it should hold at most. */
  get most(): number {
    return users > FEW_USERS ? MOST_FOR_MANY : MOST_FOR_FEW
  }

  take(): Block {
    return kept.pop() ?? new SharedArrayBuffer(BLOCK_BYTES)
  }

  /** Gives a block back that nobody reads any more. */
  give(block: Block): void {
    if (kept.length < KEPT_BLOCKS) kept.push(block)
  }

  [Symbol.dispose](): void {
    if (this.#isCounted) users--
    this.#isCounted = false
  }
}
