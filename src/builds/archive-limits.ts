/** How much of a tarball the hub is ready to look at. Whatever is beyond is refused before it is read further. */

export interface ArchiveLimits {
  /** Entries, the archive's own extra headers for all files included. */
  readonly maxEntries: number
  /** Bytes after decompression, headers included. */
  readonly maxUnpackedBytes: number
  /** Unpacked bytes per byte of the tarball. */
  readonly maxRatio: number
  /** Archives that unpack to less are let off `maxRatio`: logs and zeros compress well. */
  readonly ratioFloorBytes: number
  readonly maxPathBytes: number
  readonly maxNameBytes: number
  /** Components of a path. */
  readonly maxDepth: number
  readonly maxRecipeBytes: number
}

export const DEFAULT_ARCHIVE_LIMITS: ArchiveLimits = {
  maxEntries: 200_000,
  maxUnpackedBytes: 32 * 1024 ** 3,
  maxRatio: 200,
  ratioFloorBytes: 64 * 1024 ** 2,
  maxPathBytes: 1000,
  maxNameBytes: 255,
  maxDepth: 64,
  maxRecipeBytes: 256 * 1024,
}
