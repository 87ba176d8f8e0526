/**
 * States of an overlay before the newest one that are held in memory: a node that polls now and then is answered from
 * there. They share with each other what did not change, so what counts is what each has for itself.
 */
import type { Oid } from '../git/objects.ts'
import type { Tree } from '../git/tree.ts'
import type { OverlayState } from './overlay-history.ts'

const LEAST_STATES = 32
const MOST_STATES = 1024
const MOST_BYTES = 64 * 1024 * 1024
/** States that were made again for a node that was long away; each is asked for a few times at the most. */
const RECALLED_STATES = 32
/** Of an entry in the list of a folder; the entry itself, and the bytes of the tree object, are shared. */
const ENTRY_BYTES = 8
const NODE_BYTES = 500

export class FormerStates {
  /** Oldest first. */
  readonly #held = new Map<Oid, { readonly state: OverlayState; readonly ownBytes: number }>()
  readonly #recalled = new Map<Oid, OverlayState>()
  #bytes = 0
  #list: readonly OverlayState[] = []

  /** Newest first. */
  get list(): readonly OverlayState[] {
    return this.#list
  }

  get(commit: Oid): OverlayState | undefined {
    return this.#held.get(commit)?.state ?? this.#recalled.get(commit)
  }

  /** `state` was the newest until `next` came. */
  add(state: OverlayState, next: OverlayState): void {
    const ownBytes = replacedBytes(state.tree, next.tree)
    this.#held.set(state.commit, { state, ownBytes })
    this.#bytes += ownBytes
    this.#makeRoom()
    this.#list = [...this.#held.values()].map((held) => held.state).reverse()
  }

  #makeRoom(): void {
    for (const [commit, oldest] of this.#held) {
      const isRoom = this.#bytes <= MOST_BYTES && this.#held.size <= MOST_STATES
      if (isRoom || this.#held.size <= LEAST_STATES) return
      this.#held.delete(commit)
      this.#bytes -= oldest.ownBytes
    }
  }

  /** Keeps a state that was made again for a while; null passes through. */
  keep(state: OverlayState | null): OverlayState | null {
    if (state === null) return null
    this.#recalled.set(state.commit, state)
    const [oldest] = this.#recalled.keys()
    if (oldest !== undefined && this.#recalled.size > RECALLED_STATES) this.#recalled.delete(oldest)
    return state
  }
}

/** Memory of the folders of `tree` that `next` does not share. Files are not looked at: there may be many. */
function replacedBytes(tree: Tree, next: Tree | undefined): number {
  if (tree === next) return 0
  let sum = NODE_BYTES + ENTRY_BYTES * tree.entries.length
  const kept = new Map<string, Tree>()
  for (const entry of next?.entries ?? []) if (entry.tree) kept.set(entry.name, entry.tree)
  for (const entry of tree.entries) if (entry.tree) sum += replacedBytes(entry.tree, kept.get(entry.name))
  return sum
}
