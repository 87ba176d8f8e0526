/**
 * A git tree held in memory, never changed: an edit makes new nodes for the folders on its paths and shares
 * the rest. A node has the bytes of its tree object as pieces of those of the node before it, so that an edit in a
 * folder of 20,000 entries digests them once and copies and encodes nothing but what changed.
 */
import { HubError } from '../errors.ts'
import { compareTreeKeys, encodeTreeEntry, objectIdOfPieces } from './objects.ts'
import type { Oid } from './objects.ts'
import { splitTreePath } from './tree-path.ts'

export interface FileEntry {
  readonly name: string
  readonly mode: '100644'
  readonly oid: Oid
  /** Length of this entry in the bytes of the tree object. */
  readonly encodedBytes: number
  readonly tree?: undefined
}

export interface FolderEntry {
  readonly name: string
  readonly mode: '40000'
  readonly oid: Oid
  readonly encodedBytes: number
  readonly tree: Tree
}

export type TreeEntry = FileEntry | FolderEntry

/** Past so many pieces they are joined: each is a call when the whole is digested. */
const MOST_PIECES = 64

/** One folder. */
export class Tree {
  /** In git's order. */
  readonly entries: readonly TreeEntry[]
  readonly oid: Oid
  /** Size of the tree object. */
  readonly sizeBytes: number
  #pieces: readonly Buffer[]

  /** `pieces` are, one after another, the tree object of `entries`. */
  constructor(entries: readonly TreeEntry[], pieces: readonly Buffer[]) {
    this.entries = entries
    this.#pieces = pieces.length > MOST_PIECES ? [concatUnpooled(pieces)] : pieces
    this.oid = objectIdOfPieces('tree', this.#pieces)
    this.sizeBytes = this.#pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  }

  /** The tree object. */
  get content(): Buffer {
    const [first] = this.#pieces
    if (first !== undefined && this.#pieces.length === 1) return first
    const whole = concatUnpooled(this.#pieces)
    this.#pieces = [whole]
    return whole
  }

  /** The bytes from `start` to `end` of the tree object, as they lie. */
  *slice(start: number, end: number): Generator<Buffer> {
    let at = 0
    for (const piece of this.#pieces) {
      const from = Math.max(start - at, 0)
      const to = Math.min(end - at, piece.byteLength)
      if (from < to) yield piece.subarray(from, to)
      at += piece.byteLength
    }
  }
}

export const EMPTY_TREE = new Tree([], [])

/** What becomes of one name in a folder: a file (null: no file any more), or changes below it, or both. */
interface Change {
  file?: Oid | null
  below?: Map<string, Change>
}

interface Edit {
  readonly key: string
  readonly entry: TreeEntry | null
}

/**
 * The tree after these changes: path to the id of the file's blob, or to null to take the file away. Taking
 * away what is not there changes nothing; a folder goes with its last file. Folders that do not change are
 * the same nodes.
 * @throws {HubError} `overlay.path_refused` for an unsafe path, or when a file and a folder would have one
 * name.
 */
export function applyChanges(root: Tree, changes: ReadonlyMap<string, Oid | null>): Tree {
  return editFolder(root, groupByFolder(changes), '') ?? EMPTY_TREE
}

/** The tree of these files. @throws {HubError} as `applyChanges`. */
export function treeFromFiles(files: Iterable<readonly [path: string, oid: Oid]>): Tree {
  return applyChanges(EMPTY_TREE, new Map(files))
}

function groupByFolder(changes: ReadonlyMap<string, Oid | null>): Map<string, Change> {
  const top = new Map<string, Change>()
  for (const [path, oid] of changes) {
    const names = splitTreePath(path)
    const last = names.pop()
    let folder = top
    for (const name of names) folder = changeOf(folder, name).below ??= new Map<string, Change>()
    if (last !== undefined) changeOf(folder, last).file = oid
  }
  return top
}

function changeOf(folder: Map<string, Change>, name: string): Change {
  const known = folder.get(name)
  if (known) return known
  const made: Change = {}
  folder.set(name, made)
  return made
}

/** Null when nothing is left in the folder. */
function editFolder(old: Tree | null, changes: ReadonlyMap<string, Change>, path: string): Tree | null {
  const edits: Edit[] = []
  for (const [name, change] of changes) edits.push(...editsOfName(old, name, change, path + name))
  if (edits.length === 0) return old
  edits.sort((a, b) => compareTreeKeys(a.key, b.key))
  return splice(old ?? EMPTY_TREE, edits)
}

function editsOfName(old: Tree | null, name: string, change: Change, path: string): Edit[] {
  const file = old ? findKey(old, name) : undefined
  const folder = old ? findKey(old, `${name}/`) : undefined
  const oldTree = folder?.tree ?? null
  const newTree = change.below ? editFolder(oldTree, change.below, `${path}/`) : oldTree
  const newFile = change.file === undefined ? (file?.oid ?? null) : change.file
  if (newTree && newFile) {
    throw new HubError(
      'overlay.path_refused',
      `${JSON.stringify(path)} would be a file and a folder at once.`,
    )
  }
  const edits: Edit[] = []
  if (newFile !== (file?.oid ?? null))
    edits.push({ key: name, entry: newFile ? fileEntry(name, newFile) : null })
  if (newTree !== oldTree) edits.push({ key: `${name}/`, entry: newTree ? folderEntry(name, newTree) : null })
  return edits
}

function fileEntry(name: string, oid: Oid): FileEntry {
  return { name, mode: '100644', oid, encodedBytes: '100644'.length + 22 + Buffer.byteLength(name) }
}

function folderEntry(name: string, tree: Tree): FolderEntry {
  return {
    name,
    mode: '40000',
    oid: tree.oid,
    encodedBytes: '40000'.length + 22 + Buffer.byteLength(name),
    tree,
  }
}

/** Puts sorted edits into a folder, copying the bytes between them as they are. */
function splice(old: Tree, edits: readonly Edit[]): Tree | null {
  const entries: TreeEntry[] = []
  const pieces: Buffer[] = []
  let index = 0
  let offset = 0
  const keepUpTo = (end: number): void => {
    const start = offset
    for (; index < end; index++) {
      const entry = old.entries[index] as TreeEntry
      entries.push(entry)
      offset += entry.encodedBytes
    }
    if (offset > start) pieces.push(...old.slice(start, offset))
  }
  for (const { key, entry } of edits) {
    keepUpTo(lowerBound(old.entries, key))
    const replaced = old.entries[index]
    if (replaced && keyOf(replaced) === key) {
      index++
      offset += replaced.encodedBytes
    }
    if (entry) {
      entries.push(entry)
      pieces.push(encodeTreeEntry(entry))
    }
  }
  keepUpTo(old.entries.length)
  return entries.length === 0 ? null : new Tree(entries, pieces)
}

/** Small buffers out of Node's pool would each keep a whole slab alive for as long as the tree lives. */
function concatUnpooled(pieces: readonly Buffer[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(pieces.reduce((sum, piece) => sum + piece.byteLength, 0))
  let at = 0
  for (const piece of pieces) at += piece.copy(whole, at)
  return whole
}

/** The name by which git orders an entry: a folder's ends in `/`. */
export function keyOf(entry: TreeEntry): string {
  return entry.tree ? `${entry.name}/` : entry.name
}

function lowerBound(entries: readonly TreeEntry[], key: string): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareTreeKeys(keyOf(entries[middle] as TreeEntry), key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function findKey(tree: Tree, key: string): TreeEntry | undefined {
  const entry = tree.entries[lowerBound(tree.entries, key)]
  return entry && keyOf(entry) === key ? entry : undefined
}

/** The file or folder at a path such as `profiles/repo_name`; undefined when there is none. */
export function lookup(root: Tree, path: string): TreeEntry | undefined {
  let tree: Tree | undefined = root
  let entry: TreeEntry | undefined
  for (const name of path.split('/')) {
    if (!tree) return undefined
    entry = findKey(tree, name) ?? findKey(tree, `${name}/`)
    tree = entry?.tree
  }
  return entry
}

/** Every file with its path, in git's order. */
export function* listFiles(tree: Tree, prefix = ''): Generator<readonly [path: string, oid: Oid]> {
  for (const entry of tree.entries) {
    if (entry.tree) yield* listFiles(entry.tree, `${prefix}${entry.name}/`)
    else yield [prefix + entry.name, entry.oid]
  }
}
