/**
 * Every path that the hub writes. Nobody else joins path segments; a value from outside reaches this file only after
 * it was parsed (an environment's name, a digest, a distfile's name).
 *
 *     <data>/
 *       overlays/<environment>/        the published tree, for people; written after the commit, never read back
 *       overlays/<environment>.git/    the overlay's repository: what nodes clone
 *       distfiles/archive/<aa>/<sha512>  every tarball once, named by its digest
 *       distfiles/<environment>/<name>   the mirror: hard links into the archive
 *       binpkgs/<aa>/<sha512>          binary packages and dumps of restore points, for the hub's own eyes
 *       var/hub.db                     the records (with -wal and -shm beside it)
 *       var/keys/                      the hub's OpenPGP key
 *       var/webhooks.key               of which the secrets of webhooks are made
 *       var/hub.lock                   held by the hub that runs on this folder
 *       var/uploads/                   uploads in progress; emptied at start
 *       var/binpkg-uploads/            the same of restore points
 *       var/partial-uploads/<id>       resumable uploads, until they are archived or expire
 *       var/trees/<environment>        the commit that overlays/<environment>/ shows
 */
import { join, resolve } from 'node:path'

/** Where a store of blobs keeps them. */
export interface BlobPaths {
  readonly archive: string
  /** On the same file system as `archive`, or blobs are copied. */
  readonly uploads: string
  /** `sha512`: 128 lower-case hex digits. */
  blob(sha512: string): string
  blobDirectory(sha512: string): string
}

export interface Paths extends BlobPaths {
  readonly data: string
  readonly binpkgs: BlobPaths
  readonly partialUploads: string
  /** `id`: of a record, so letters, digits and `_`. */
  partialUpload(id: string): string
  readonly keys: string
  readonly webhookKey: string
  mirror(environment: string): string
  mirrorFile(environment: string, distfileName: string): string
  overlayTree(environment: string): string
  overlayRepository(environment: string): string
  treeMarker(environment: string): string
  readonly lock: string
  /** A file that a setting names relative to the data folder. */
  inData(path: string): string
}

/** The tree of folders under one data folder; `archive` may lie elsewhere (`HUB_BLOBS=file:…`). */
export function createPaths(dataDirectory: string, archiveDirectory?: string): Paths {
  const data = resolve(dataDirectory)
  const mirror = (environment: string) => join(data, 'distfiles', environment)
  return {
    ...blobPaths(resolve(data, archiveDirectory ?? 'distfiles/archive'), join(data, 'var', 'uploads')),
    data,
    binpkgs: blobPaths(join(data, 'binpkgs'), join(data, 'var', 'binpkg-uploads')),
    partialUploads: join(data, 'var', 'partial-uploads'),
    partialUpload: (id) => join(data, 'var', 'partial-uploads', id),
    keys: join(data, 'var', 'keys'),
    webhookKey: join(data, 'var', 'webhooks.key'),
    mirror,
    mirrorFile: (environment, distfileName) => join(mirror(environment), distfileName),
    overlayTree: (environment) => join(data, 'overlays', environment),
    overlayRepository: (environment) => join(data, 'overlays', `${environment}.git`),
    lock: join(data, 'var', 'hub.lock'),
    treeMarker: (environment) => join(data, 'var', 'trees', environment),
    inData: (path) => resolve(data, path),
  }
}

function blobPaths(archive: string, uploads: string): BlobPaths {
  const blobDirectory = (sha512: string) => join(archive, sha512.slice(0, 2))
  return { archive, uploads, blobDirectory, blob: (sha512) => join(blobDirectory(sha512), sha512) }
}

/** The same, as the settings have it. */
export function pathsOf(config: { readonly dataDir: string; readonly blobs: string }): Paths {
  return createPaths(config.dataDir, config.blobs.slice('file:'.length))
}
