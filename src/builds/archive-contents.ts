/** What the hub knows of a tarball without unpacking it: the list that verifying an archive leaves behind. */

/** How a tarball is packed; also the end of its distfile's name. */
export type ArchiveFormat = 'tar' | 'tar.gz' | 'tar.bz2' | 'tar.xz' | 'tar.zst'

export interface ArchiveEntry {
  /** Normalised: no leading `./`, no trailing `/`. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink'
  /** Permission bits. */
  readonly mode: number
  readonly sizeBytes: number
  /** Where a link leads, as the archive has it. */
  readonly target?: string
}

export interface ArchiveContents {
  readonly format: ArchiveFormat
  /** The single top folder that everything is in; null if there is none. */
  readonly topDirectory: string | null
  readonly entries: readonly ArchiveEntry[]
  readonly unpackedBytes: number
  /** portage-hub.yaml of the root or of the single top folder, at most 256 KiB; null if there is none. */
  readonly recipeText: string | null
}

/**
 * The entries as they will lie in the installed tree: keyed by path inside the single top folder, if there is one. The
 * folder itself is not among them.
 */
export function installedEntries(
  contents: Pick<ArchiveContents, 'topDirectory' | 'entries'>,
): ReadonlyMap<string, ArchiveEntry> {
  const inside = contents.topDirectory === null ? '' : `${contents.topDirectory}/`
  return new Map(
    contents.entries
      .filter(({ path }) => path.startsWith(inside))
      .map((entry) => [entry.path.slice(inside.length), entry] as const),
  )
}
