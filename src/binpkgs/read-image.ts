/**
 * What a gpkg would install, without unpacking it. Portage takes more than is taken here: what its reader rejects, and
 * whatever would land outside the image or give whoever runs it another's rights, is refused. Source: Portage
 * lib/portage/gpkg.py `tar_safe_extract`.
 */
import type { ArchiveLimits } from '../builds/archive-limits.ts'
import { readArchive } from '../builds/archive-reader.ts'
import { EntryList, named } from '../builds/archive-rules.ts'
import type { Owner } from '../builds/tar-header.ts'
import type { Member } from '../builds/tar-walker.ts'
import { HubError } from '../errors.ts'
import type { Gpkg } from './open-binpkg.ts'
import { packed } from './open-binpkg.ts'

/** A path of the system that the package would be merged into, and what comes there. */
export interface ImageEntry {
  /** Without the slash in front: `opt/shop/bin/shop`. */
  readonly path: string
  readonly type: Member['type']
  /** Permission bits. */
  readonly mode: number
  readonly owner: Owner
  /** Of a hard link too: that of its file. */
  readonly sizeBytes: number
  /** Of a symbolic link as it stands there, absolute or not; of a hard link the path of its file. */
  readonly target?: string
}

/**
 * Reads the image to its end and lists it, in its order. Which paths an app may have is for the caller to judge.
 * @throws {HubError} an `archive.*` code naming the entry: what is damaged, beyond the limits, outside the image, no file,
 *   folder or link, set-user-id or set-group-id, there twice, below a link, or a hard link to nothing before it;
 *   `archive.empty` if there is nothing.
 */
export async function readImage(
  { path, layout }: Gpkg,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<readonly ImageEntry[]> {
  const list = new EntryList(limits)
  const owners = new Map<string, Owner>()
  const member = (entry: Member): void => {
    const at = list.add({ ...entry, path: insideImage(entry.path), linkTarget: linkInImage(entry) })
    if (at === null) return
    if (owners.has(at)) throw twice(at)
    owners.set(at, entry.owner)
  }
  const listener = { member, body: () => undefined, ignoresBody: () => true }
  await readArchive({ path, ...packed(layout.image), limits, signal }, listener)
  const entries = list.entries().map((entry) => ({ ...entry, owner: ownerOf(owners, entry.path) }))
  if (entries.length === 0) throw new HubError('archive.empty', 'The package has no files: pack it again.')
  return entries
}

/** `image/opt` is `./opt`, and `image` itself the folder that all are in. */
function insideImage(path: string): string {
  if (/^image\/*$/.test(path)) return '.'
  if (path.startsWith('image/')) return `./${path.slice('image/'.length)}`
  throw new HubError('archive.unsafe_path', `The entry ${named(path)} does not lie in the package's image.`)
}

/** Hard links name a file of the archive, symbolic links one of the system. */
function linkInImage({ type, linkTarget }: Member): string {
  return type === 'hardlink' ? insideImage(linkTarget) : linkTarget
}

function ownerOf(owners: ReadonlyMap<string, Owner>, path: string): Owner {
  const owner = owners.get(path)
  if (owner) return owner
  throw new Error(`${path} was listed without an owner`)
}

/** Of a folder that comes twice Portage refuses the second. */
function twice(path: string): HubError {
  return new HubError('archive.duplicate_entry', `${named(path)} is in the image twice: pack it again.`)
}
