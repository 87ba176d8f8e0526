/** The list of a tarball as people walk through it: folder by folder, or by a part of a name. */
import type { ArchiveEntry } from './archive-contents.ts'

export interface BrowsedEntry {
  /** From the archive's root. */
  readonly path: string
  readonly type: ArchiveEntry['type']
  /** null: a folder that is there only because entries lie in it. */
  readonly mode: number | null
  /** Of a folder all that lies in it. */
  readonly sizeBytes: number
  readonly target?: string | undefined
  /** How many entries lie in it, however deep; of folders alone. */
  readonly holds?: number
}

/** What lies directly in a folder, folders first, by name. `''` is the root. null: there is no such folder. */
export function entriesIn(entries: readonly ArchiveEntry[], folder: string): readonly BrowsedEntry[] | null {
  const found = new Map<string, BrowsedEntry>()
  const inside = insideOf(folder)
  let isFolder = folder === ''
  for (const entry of entries) {
    if (entry.path === folder) isFolder = entry.type === 'directory'
    if (!entry.path.startsWith(inside)) continue
    isFolder = true
    const [name = '', below] = entry.path.slice(inside.length).split('/', 2)
    const path = `${inside}${name}`
    found.set(
      path,
      below === undefined ? itself(entry, found.get(path)) : withOneMore(path, entry, found.get(path)),
    )
  }
  return isFolder ? [...found.values()].toSorted(byKindAndName) : null
}

/** Everything below a folder that has the text in its path from there, whatever the case, in the archive's order. */
export function entriesNamed(
  entries: readonly ArchiveEntry[],
  folder: string,
  text: string,
): readonly BrowsedEntry[] {
  const inside = insideOf(folder)
  const wanted = text.toLowerCase()
  return entries.filter(
    ({ path }) => path.startsWith(inside) && path.slice(inside.length).toLowerCase().includes(wanted),
  )
}

/** The entry whose bytes a path names: of a hard link that of its file. undefined: it names no file. */
export function fileAt(entries: readonly ArchiveEntry[], path: string): ArchiveEntry | undefined {
  let wanted = path
  let found: ArchiveEntry | undefined
  // A hard link names an entry before it, and that may be a link as well: one walk back finds them all.
  for (const entry of entries.toReversed()) {
    if (entry.path !== wanted) continue
    found = entry
    if (entry.type !== 'hardlink') break
    wanted = entry.target ?? ''
  }
  return found?.type === 'file' ? found : undefined
}

function insideOf(folder: string): string {
  return folder === '' ? '' : `${folder}/`
}

/** What lies in a folder may come before the folder itself. */
function itself(entry: ArchiveEntry, before: BrowsedEntry | undefined): BrowsedEntry {
  if (entry.type !== 'directory') return entry
  return { ...entry, sizeBytes: before?.sizeBytes ?? 0, holds: before?.holds ?? 0 }
}

function withOneMore(path: string, entry: ArchiveEntry, before: BrowsedEntry | undefined): BrowsedEntry {
  const { mode, sizeBytes, holds = 0 } = before ?? { mode: null, sizeBytes: 0 }
  const more = entry.type === 'file' ? entry.sizeBytes : 0
  return { path, type: 'directory', mode, sizeBytes: sizeBytes + more, holds: holds + 1 }
}

function byKindAndName(a: BrowsedEntry, b: BrowsedEntry): number {
  const isFolder = ({ type }: BrowsedEntry): number => (type === 'directory' ? 0 : 1)
  return isFolder(a) - isFolder(b) || (a.path < b.path ? -1 : 1)
}
