/** How the tree that one tarball installs differs from that of another. */
import { installedEntries } from './archive-contents.ts'
import type { ArchiveContents, ArchiveEntry } from './archive-contents.ts'
import type { EntryDigests } from './digest-entries.ts'

export interface ComparedArchive extends Pick<ArchiveContents, 'topDirectory' | 'entries'> {
  readonly digests: EntryDigests
}

export const DIFFERENCES = ['type', 'content', 'mode', 'target'] as const
export type Difference = (typeof DIFFERENCES)[number]

export interface EntryChange {
  /** Inside the single top folder, if there is one: its name often has the version in it. */
  readonly path: string
  readonly change: 'added' | 'removed' | 'changed'
  /** In what it differs; empty unless it changed. */
  readonly differs: readonly Difference[]
  readonly from: ArchiveEntry | null
  readonly to: ArchiveEntry | null
}

export interface ArchiveComparison {
  /** By path. */
  readonly changes: readonly EntryChange[]
  /** How many entries are the same in both. */
  readonly unchanged: number
}

/** A hard link is compared by the content of its file. */
export function compareArchives(from: ComparedArchive, to: ComparedArchive): ArchiveComparison {
  const [before, after] = [installedEntries(from), installedEntries(to)]
  const digestsBefore = contentDigests(from)
  const digestsAfter = contentDigests(to)
  const changes: EntryChange[] = []
  for (const [path, entry] of before) {
    const now = after.get(path)
    if (!now) {
      changes.push({ path, change: 'removed', differs: [], from: entry, to: null })
      continue
    }
    const isSame = digestsBefore.get(entry.path) === digestsAfter.get(now.path)
    const differs = DIFFERENCES.filter((what) => (what === 'content' ? !isSame : entry[what] !== now[what]))
    if (differs.length > 0) changes.push({ path, change: 'changed', differs, from: entry, to: now })
  }
  const unchanged = before.size - changes.length
  for (const [path, entry] of after)
    if (!before.has(path)) changes.push({ path, change: 'added', differs: [], from: null, to: entry })
  return { changes: changes.toSorted((a, b) => (a.path < b.path ? -1 : 1)), unchanged }
}

/** Those of files and of hard links. A link names an entry before it. */
function contentDigests({ entries, digests }: ComparedArchive): ReadonlyMap<string, string> {
  const found = new Map(digests)
  for (const { path, type, target = '' } of entries) {
    const digest = type === 'hardlink' ? found.get(target) : undefined
    if (digest !== undefined) found.set(path, digest)
  }
  return found
}
