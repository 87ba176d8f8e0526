/** Columns of restore points, their files, and the packages of binhosts that they became. */

export interface RestorePointTable {
  node: string
  /** Given by the node, which had it first. */
  id: string
  app: string
  /** What the node ran. */
  cpv: string
  reason: 'upgrade' | 'rollback' | 'manual' | 'portage'
  takenAt: string
  /** Version of the program that took it. */
  hubNode: string
  /** 1: its files can be read by the node and its operators alone. */
  encrypted: number
  schemaVersion: number | null
  /** Of the announcement as it was read: the same again is no other. */
  announcementSha256: string
  state: 'announced' | 'complete' | 'refused'
  refusal: string | null
  announcedAt: string
  /** When its node said or sent something of it last; null for points from before it was kept. */
  activeAt: string | null
  completedAt: string | null
  /** By the node's clock; null: its dump was never restored for a trial. */
  rehearsedAt: string | null
  rehearsalOk: number | null
  rehearsalDetail: string | null
  /** Since when somebody wants it kept whatever the settings say; null: nobody does. */
  keptAt: string | null
}

export interface RestorePointFileTable {
  node: string
  point: string
  kind: 'binpkg' | 'dump' | 'info'
  name: string
  sizeBytes: number
  /** Of the bytes as the node has them; those of an accepted package are kept in `binpkgs`, signed. */
  sha512: string
  /** null: not here yet, or not any more. */
  sha256: string | null
  receivedAt: string | null
  /** Of a package: the digest of its image, where the node named it. */
  imageDigest: string | null
  /** JSON of name, size and SHA512 of the archive of its metadata, where the node named it. */
  metadata: string | null
  /** The blob that stands for the announced bytes, if they were put together here of an image that was here. */
  assembledSha512: string | null
}

/** A package that a node's binhost shows. */
export interface BinpkgTable {
  node: string
  cpv: string
  /** Given by the hub: quickpkg gives none. */
  binpkgBuildId: number
  path: string
  /** The restore point that brought it first. */
  point: string
  uploadedSha512: string
  /** Of the signed file. */
  sha512: string
  sha256: string
  sizeBytes: number
  /** JSON of the entry in `Packages`. */
  indexFields: string
  acceptedAt: string
  /** As the hub computed it; null if it has none, or was accepted before there were such. */
  imageDigest: string | null
  /** JSON of how many files are not as they were installed, and of the first names; null if that is not known. */
  changedFiles: string | null
  /** Fingerprint of the key; null if it was accepted before that was kept, or by a key that the hub does not know. */
  signedBy: string | null
}

/** The highest build id of packages that are gone. */
export interface BinpkgBuildIdTable {
  node: string
  cpv: string
  newest: number
}

export interface BinhostTable {
  node: string
  /** TIMESTAMP of the index: it never goes back, whatever the clock does. */
  timestampSec: number
}
