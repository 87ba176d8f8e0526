/**
 * The rules that each entry of a tarball must keep, so that unpacking it touches nothing outside its own folder, gives
 * exactly what the list says, and can be installed by Portage (which refuses names with line ends: lib/portage/dbapi/
 * vartree.py, `dblink`). Links are judged together, in `archive-links.ts`, once all names are known.
 */
import { HubError } from '../errors.ts'
import { hasHiddenCharacters } from '../gentoo/quote.ts'
import { shown } from '../gentoo/version.ts'
import type { ArchiveEntry } from './archive-contents.ts'
import type { ArchiveLimits } from './archive-limits.ts'
import { FolderSpellings } from './folder-spellings.ts'
import { corrupt } from './tar-header.ts'
import type { Member } from './tar-walker.ts'

/** A name of the archive: an entry, or a folder that is there only because entries lie in it. */
type Known = ArchiveEntry | 'folder'

/** The entries of one archive, in its order, and what is known of every path. */
export class EntryList {
  readonly #limits: ArchiveLimits
  readonly #known = new Map<string, Known>()
  readonly #spellings = new FolderSpellings()

  constructor(limits: ArchiveLimits) {
    this.#limits = limits
  }

  /** All entries by their normalised path; a folder that stands twice is one entry. */
  entries(): readonly ArchiveEntry[] {
    return [...this.#known.values()].filter((known) => known !== 'folder')
  }

  /** What unpacking leaves at the path; undefined if nothing. */
  typeAt(path: string): ArchiveEntry['type'] | undefined {
    const known = this.#known.get(path)
    return known === 'folder' ? 'directory' : known?.type
  }

  /**
   * Judges an entry and adds it. Returns its path, or null for the root folder itself, which no list shows.
   * @throws {HubError} `archive.unsafe_path`, `archive.unsafe_name`, `archive.unsafe_mode`, `archive.unsafe_link` or
   * `archive.duplicate_entry`.
   */
  add(member: Member): string | null {
    const names = safeNames(member.path, this.#limits)
    refuseSetId(member)
    if (names.length === 0) return refuseRootUnlessFolder(member)
    if (member.type !== 'directory' && endsLikeFolder(member.path)) throw slashBehind(member)
    const path = names.join('/')
    this.#enterFolder(names.slice(0, -1), member.path)
    this.#refuseClash(path, member)
    if (!this.#spellings.add(names, member)) throw otherSpelling(path, member)
    this.#known.set(path, this.#entry(path, member))
    return path
  }

  /** The folders above an entry must be folders: what lies below a link would be written wherever that leads. */
  #enterFolder(names: readonly string[], path: string): void {
    for (let length = names.length; length > 0; length--) {
      const folder = names.slice(0, length).join('/')
      const type = this.typeAt(folder)
      // A folder that is known was entered when it came, and so were all above it.
      if (type === 'directory') return
      if (type !== undefined) throw belowNoFolder(path, folder, type)
      this.#known.set(folder, 'folder')
    }
  }

  #refuseClash(path: string, member: Member): void {
    const before = this.typeAt(path)
    if (before === undefined || (before === 'directory' && member.type === 'directory')) return
    throw new HubError(
      'archive.duplicate_entry',
      `${named(path)} is in the archive twice, and which of the two is unpacked depends on the program. Pack it once.`,
    )
  }

  #entry(path: string, member: Member): ArchiveEntry {
    const { type, mode, sizeBytes } = member
    if (type === 'hardlink') return this.#hardLink(path, member)
    if (type === 'symlink')
      return { path, type, mode: 0o777, sizeBytes, target: safeTarget(member, this.#limits) }
    return { path, type, mode, sizeBytes }
  }

  /** A hard link is its file under another name: it has that file's mode and size. */
  #hardLink(path: string, member: Member): ArchiveEntry {
    const target = safeNames(member.linkTarget, this.#limits).join('/')
    const file = endsLikeFolder(member.linkTarget) ? undefined : this.#known.get(target)
    if (file !== undefined && file !== 'folder' && (file.type === 'file' || file.type === 'hardlink')) {
      return { path, type: 'hardlink', mode: file.mode, sizeBytes: file.sizeBytes, target }
    }
    throw new HubError(
      'archive.unsafe_link',
      `${named(path)} is a hard link to ${named(member.linkTarget)}, which is no file that comes before it in the archive.`,
    )
  }
}

/** An outside name as a refusal shows it: quoted, cut, with characters that hide or reorder text as escapes. */
export function named(text: string): string {
  return shown(text).replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * The names a path consists of, without `.` and doubled slashes; none for the root.
 * @throws {HubError} `archive.unsafe_path` if it is absolute or has `..`, `archive.unsafe_name` if a name is not UTF-8,
 * has control or invisible characters, or is too long.
 */
export function safeNames(path: string, limits: ArchiveLimits): readonly string[] {
  if (path === '') throw corrupt('an entry has no name')
  refuseHidden(path)
  // A developer may unpack on Windows, where the backslash separates; elsewhere it is a letter (systemd's `\x2d`).
  if (path.startsWith('/') || path.split(/[/\\]/).includes('..')) {
    throw new HubError(
      'archive.unsafe_path',
      `The entry ${named(path)} would land outside the archive's own folder. Pack with relative paths from inside it.`,
    )
  }
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  refuseLength(path, names, limits)
  return names
}

function refuseHidden(path: string): void {
  if (!hasHiddenCharacters(path) && !path.includes('\ufffd')) return
  throw new HubError(
    'archive.unsafe_name',
    `The name ${named(path)} is not UTF-8, or has control or invisible characters. Rename the file.`,
  )
}

function refuseLength(path: string, names: readonly string[], limits: ArchiveLimits): void {
  const longest = Math.max(0, ...names.map((name) => Buffer.byteLength(name)))
  const fits =
    longest <= limits.maxNameBytes &&
    Buffer.byteLength(path) <= limits.maxPathBytes &&
    names.length <= limits.maxDepth
  if (fits) return
  throw new HubError(
    'archive.unsafe_name',
    `The path ${named(path)} is too long: at most ${limits.maxNameBytes} bytes a name, ${limits.maxPathBytes} in all, ${limits.maxDepth} folders deep.`,
  )
}

/** The kernel takes `file/` and `file/.` for a folder, and fails. */
function endsLikeFolder(path: string): boolean {
  return /\/\.?$/.test(path)
}

function refuseSetId(member: Member): void {
  if ((member.mode & 0o6000) === 0) return
  throw new HubError(
    'archive.unsafe_mode',
    `${named(member.path)} has mode ${member.mode.toString(8)}, which gives whoever runs it another's rights. Run \`chmod -R ug-s\` before packing.`,
  )
}

function refuseRootUnlessFolder(member: Member): null {
  if (member.type === 'directory') return null
  throw new HubError(
    'archive.unsafe_path',
    `The entry ${named(member.path)} would replace the archive's own folder.`,
  )
}

function safeTarget(member: Member, limits: ArchiveLimits): string {
  const target = member.linkTarget
  const tooLong =
    Buffer.byteLength(target) > limits.maxPathBytes || target.split('/').length > 2 * limits.maxDepth
  if (target !== '' && !tooLong && !hasHiddenCharacters(target) && !target.includes('\ufffd')) return target
  throw new HubError(
    'archive.unsafe_link',
    `The link ${named(member.path)} leads to ${named(target)}, which is no usable path.`,
  )
}

function belowNoFolder(path: string, folder: string, type: string): HubError {
  return new HubError(
    'archive.unsafe_path',
    `The entry ${named(path)} lies below ${named(folder)}, which is a ${type} in this archive and not a folder.`,
  )
}

function otherSpelling(path: string, member: Member): HubError {
  return new HubError(
    'archive.duplicate_entry',
    `The folder ${named(path)} is named ${named(member.path)} after a link in it that leads upwards, and which mode it ` +
      'gets depends on the program. Pack it under one form of its name.',
  )
}

function slashBehind(member: Member): HubError {
  return new HubError(
    'archive.unsafe_name',
    `${named(member.path)} is a ${member.type} with a slash behind its name, as only folders have.`,
  )
}
