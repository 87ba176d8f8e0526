/**
 * What a gpkg would install, without unpacking it. Portage takes more than is taken here: what its reader rejects, and
 * whatever would land outside the image or give whoever runs it another's rights, is refused. Source: Portage
 * lib/portage/gpkg.py `tar_safe_extract`.
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
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

/** An entry and what is in it. */
export interface DigestedEntry extends ImageEntry {
  /** Of a file's content, lower-case hex; the MD5 is for CONTENTS, which knows nothing better. */
  readonly sha256?: string
  readonly md5?: string
  /** Whether it has extended attributes, such as capabilities. */
  readonly hasAttributes?: true
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
  const lister = new ImageLister(limits)
  const listener = { member: lister.member, body: () => undefined, ignoresBody: () => true }
  await readArchive({ path, ...packed(layout.image), limits, signal }, listener)
  return lister.entries()
}

/** The same, with the digests of what is in the files: every byte is looked at. @throws {HubError} as `readImage`. */
export async function digestImageEntries(
  { path, layout }: Gpkg,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<readonly DigestedEntry[]> {
  const lister = new ImageLister(limits)
  const seen = new Map<string, Pick<DigestedEntry, 'sha256' | 'md5' | 'hasAttributes'>>()
  let current: FileDigests | null = null
  const endFile = (): void => {
    if (current !== null) seen.set(current.path, { ...seen.get(current.path), ...current.digests() })
    current = null
  }
  const member = (entry: Member): void => {
    endFile()
    const at = lister.member(entry)
    if (at === null) return
    if (entry.hasAttributes === true) seen.set(at, { hasAttributes: true })
    if (entry.type === 'file') current = new FileDigests(at)
  }
  const body = (bytes: Buffer): void => {
    current?.update(bytes)
  }
  await readArchive({ path, ...packed(layout.image), limits, signal }, { member, body })
  endFile()
  return lister.entries().map((entry) => ({ ...entry, ...seen.get(entry.path) }))
}

/** Judges the entries as they come, and lists them. */
class ImageLister {
  readonly #list: EntryList
  readonly #owners = new Map<string, Owner>()

  constructor(limits: ArchiveLimits) {
    this.#list = new EntryList(limits)
  }

  /** Where the entry goes; null for the root. */
  readonly member = (entry: Member): string | null => {
    const at = this.#list.add({ ...entry, path: insideImage(entry.path), linkTarget: linkInImage(entry) })
    if (at === null) return null
    if (this.#owners.has(at)) throw twice(at)
    this.#owners.set(at, entry.owner)
    return at
  }

  entries(): readonly ImageEntry[] {
    const entries = this.#list
      .entries()
      .map((entry) => ({ ...entry, owner: ownerOf(this.#owners, entry.path) }))
    if (entries.length === 0) throw new HubError('archive.empty', 'The package has no files: pack it again.')
    return entries
  }
}

class FileDigests {
  readonly path: string
  readonly #sha256: Hash = createHash('sha256')
  readonly #md5: Hash = createHash('md5')

  constructor(path: string) {
    this.path = path
  }

  update(bytes: Buffer): void {
    this.#sha256.update(bytes)
    this.#md5.update(bytes)
  }

  digests(): { readonly sha256: string; readonly md5: string } {
    return { sha256: this.#sha256.digest('hex'), md5: this.#md5.digest('hex') }
  }
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
