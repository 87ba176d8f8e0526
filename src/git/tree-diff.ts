/**
 * What differs between two trees: files for people, objects for a pack. Equal ids are equal content, so a
 * folder that did not change is never entered.
 */
import { compareTreeKeys } from './objects.ts'
import type { Oid } from './objects.ts'
import { keyOf } from './tree.ts'
import type { Tree, TreeEntry } from './tree.ts'

/** One file that differs; null: not there. */
export interface FileChange {
  readonly path: string
  readonly before: Oid | null
  readonly after: Oid | null
}

/** A tree object to send, and what stood at the same path before: a base for a delta. */
export interface NewTree {
  readonly tree: Tree
  readonly base: Tree | null
}

/** Objects to send, each once. A blob that only moved may be in it: having it twice does a client no harm. */
export interface NewObjects {
  readonly trees: readonly NewTree[]
  readonly blobs: readonly Oid[]
}

/** Pairs of entries of one key that differ in content, in git's order; undefined where one side has none. */
function* differingPairs(
  before: Tree | null,
  after: Tree | null,
): Generator<readonly [TreeEntry | undefined, TreeEntry | undefined]> {
  const left = before?.entries ?? []
  const right = after?.entries ?? []
  let l = 0
  let r = 0
  while (l < left.length || r < right.length) {
    const a = left[l]
    const b = right[r]
    if (a === b) {
      l++
      r++
      continue
    }
    const order = a && b ? compareTreeKeys(keyOf(a), keyOf(b)) : a ? -1 : 1
    if (order <= 0) l++
    if (order >= 0) r++
    if (order !== 0 || a?.oid !== b?.oid) yield [order <= 0 ? a : undefined, order >= 0 ? b : undefined]
  }
}

/** Files that differ between two trees (null: the empty tree), in git's order of paths. */
export function diffTrees(before: Tree | null, after: Tree | null): FileChange[] {
  return Array.from(changedFiles(before, after, ''))
}

function* changedFiles(before: Tree | null, after: Tree | null, prefix: string): Generator<FileChange> {
  if (before?.oid === after?.oid) return
  for (const [a, b] of differingPairs(before, after)) {
    const path = `${prefix}${a?.name ?? b?.name ?? ''}`
    if (a?.tree || b?.tree) yield* changedFiles(a?.tree ?? null, b?.tree ?? null, `${path}/`)
    else yield { path, before: a?.oid ?? null, after: b?.oid ?? null }
  }
}

/** The objects of `after` that one who has `before` lacks (null: has nothing); the root tree is first. */
export function newObjects(before: Tree | null, after: Tree): NewObjects {
  const trees = new Map<Oid, NewTree>()
  const blobs = new Set<Oid>()
  if (before?.oid !== after.oid) collect(before, after, trees, blobs)
  return { trees: [...trees.values()], blobs: [...blobs] }
}

function collect(before: Tree | null, after: Tree, trees: Map<Oid, NewTree>, blobs: Set<Oid>): void {
  if (trees.has(after.oid)) return
  trees.set(after.oid, { tree: after, base: before })
  for (const [a, b] of differingPairs(before, after)) {
    if (b?.tree) collect(a?.tree ?? null, b.tree, trees, blobs)
    else if (b) blobs.add(b.oid)
  }
}

/** Every object of a tree, each once. */
export function objectsOf(tree: Tree): NewObjects {
  return newObjects(null, tree)
}
