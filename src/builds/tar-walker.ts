/**
 * Walks the blocks of a tar stream, chunk by chunk, and tells each entry with its content. It holds one header at most.
 *
 * `tar`'s own Parser is not used for the walk: it goes on where GNU tar stops or reads something else (records of a pax
 * header cut at a newline, oversized or unknown headers passed over, numbers with trailing text, a missing end), and what is
 * checked must be what a node unpacks. Anything that the two could read differently is refused here.
 * Sources: POSIX pax "ustar Interchange Format"; GNU tar's `read_header` and `read_and`.
 */
import { HubError } from '../errors.ts'
import type { ArchiveLimits } from './archive-limits.ts'
import { type PaxOverrides, readPaxRecords } from './pax-records.ts'
import {
  BLOCK_BYTES,
  corrupt,
  type Extension,
  looksLikeHeader,
  type Owner,
  readHeader,
  type TarHeader,
} from './tar-header.ts'

/** An entry as the archive has it: the path is not normalised, the link target is empty unless it is a link. */
export interface Member {
  readonly path: string
  readonly type: 'file' | 'hardlink' | 'symlink' | 'directory'
  readonly mode: number
  readonly sizeBytes: number
  readonly linkTarget: string
  readonly owner: Owner
  /** Given if it has extended attributes, whatever they are. */
  readonly hasAttributes?: true
}

export interface TarListener {
  readonly member: (member: Member) => void
  /** Content of the file told last, piece by piece; the bytes must be copied to be kept. */
  readonly body: (bytes: Buffer) => void
  /** Whether the content of the entry told last is of no interest, so that it need not be read. */
  readonly ignoresBody?: () => boolean
}

/** GNU tar's headers for long names hold one name; pax headers may hold extended attributes too. */
const MAX_EXTENSION_BYTES: Readonly<Record<Extension, number>> = {
  longName: 64 * 1024,
  longLink: 64 * 1024,
  pax: 1024 * 1024,
  global: 1024 * 1024,
}
const ZEROS = Buffer.alloc(64 * 1024)

/** Feed it with `write` and then call `end`; both throw a HubError for an archive that is refused. */
export class TarWalker {
  readonly #limits: ArchiveLimits
  readonly #listener: TarListener
  /** Bytes of a header or an extension's body that are still awaited; null where content or the tail is read. */
  #partial: Buffer[] = []
  #partialBytes = 0
  #extension: { readonly kind: Extension; readonly sizeBytes: number } | null = null
  #contentBytes = 0
  #paddingBytes = 0
  #zeroBlocks = 0
  #headers = 0
  #overrides: PaxOverrides = {}
  /** What headers for all entries said of their owner. */
  #commonOwner: Partial<Owner> = {}
  #allHaveAttributes = false
  /** Which extensions stand before the next entry. */
  #pending = new Set<Extension>()

  constructor(limits: ArchiveLimits, listener: TarListener) {
    this.#limits = limits
    this.#listener = listener
  }

  write(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#contentBytes > 0) rest = this.#readContent(rest)
      else if (this.#paddingBytes > 0) rest = this.#skipPadding(rest)
      else if (this.#zeroBlocks >= 2) rest = refuseTail(rest)
      else rest = this.#gather(rest)
    }
  }

  /** How many of the next bytes nobody wants to see. Whoever leaves them out says so by `pass`. */
  get passable(): number {
    return this.#contentBytes > 0 && this.#listener.ignoresBody?.() === true ? this.#contentBytes : 0
  }

  /** Goes on as if the next `bytes`, at most `passable`, had been written. */
  pass(bytes: number): void {
    this.#contentBytes -= bytes
  }

  /** @throws {HubError} `archive.corrupt` if the archive lacks its end: bytes of it may be missing. */
  end(): void {
    if (this.#zeroBlocks >= 2) return
    if (this.#headers === 0 && this.#zeroBlocks === 0) throw noTar()
    throw corrupt('it ends before its end marker, so that a part of it may be missing')
  }

  #readContent(bytes: Buffer): Buffer {
    const piece = bytes.subarray(0, this.#contentBytes)
    this.#contentBytes -= piece.length
    this.#listener.body(piece)
    return bytes.subarray(piece.length)
  }

  #skipPadding(bytes: Buffer): Buffer {
    const skipped = Math.min(bytes.length, this.#paddingBytes)
    this.#paddingBytes -= skipped
    return bytes.subarray(skipped)
  }

  /** Collects a whole header, or the whole body of an extension with its padding, and reads it. */
  #gather(bytes: Buffer): Buffer {
    const { sizeBytes } = this.#extension ?? { sizeBytes: BLOCK_BYTES }
    const wanted = sizeBytes + padding(sizeBytes)
    const piece = bytes.subarray(0, wanted - this.#partialBytes)
    this.#partialBytes += piece.length
    this.#partial.push(piece)
    if (this.#partialBytes === wanted) {
      const whole = this.#partial.length === 1 ? piece : Buffer.concat(this.#partial)
      this.#partial = []
      this.#partialBytes = 0
      if (this.#extension === null) this.#readBlock(whole)
      else this.#readExtension(this.#extension.kind, whole.subarray(0, sizeBytes), whole.subarray(sizeBytes))
    }
    return bytes.subarray(piece.length)
  }

  #readBlock(block: Buffer): void {
    if (block.equals(ZEROS.subarray(0, BLOCK_BYTES))) {
      this.#zeroBlocks++
      if (this.#pending.size > 0) throw corrupt('it ends where an entry is announced')
      return
    }
    if (this.#zeroBlocks > 0) throw corrupt('it goes on after an empty block')
    if (this.#headers === 0 && !looksLikeHeader(block)) throw noTar()
    const header = readHeader(block)
    this.#count(header)
    if (isEntry(header.kind)) this.#startEntry({ ...header, kind: header.kind })
    else this.#startExtension(header.kind, header.sizeBytes)
  }

  #count(header: TarHeader): void {
    // Extensions of one entry are bounded by `#startExtension`; those for all entries count as entries.
    if (isEntry(header.kind) || header.kind === 'global') this.#headers++
    if (this.#headers <= this.#limits.maxEntries) return
    throw new HubError(
      'archive.too_many_entries',
      `The archive has more than ${this.#limits.maxEntries} entries. Pack many small files into one, or send them as several apps.`,
      { maxEntries: this.#limits.maxEntries },
    )
  }

  #startExtension(kind: Extension, sizeBytes: number): void {
    const most = MAX_EXTENSION_BYTES[kind]
    if (sizeBytes > most) throw tooLongExtension(kind, sizeBytes, most)
    if (sizeBytes === 0) throw corrupt('an extended header is empty')
    this.#refuseMixed(kind)
    if (kind !== 'global') this.#pending.add(kind)
    this.#extension = { kind, sizeBytes }
  }

  /** Which of two extended headers wins, when both name the entry, differs between readers. */
  #refuseMixed(kind: Extension): void {
    const mixed =
      this.#pending.has('pax') || (this.#pending.size > 0 && (kind === 'pax' || kind === 'global'))
    if (mixed || this.#pending.has(kind))
      throw corrupt('an entry has extended headers that contradict each other')
  }

  #readExtension(kind: Extension, body: Buffer, behind: Buffer): void {
    this.#extension = null
    if (kind === 'longName') this.#overrides = { ...this.#overrides, path: longName(body, behind) }
    else if (kind === 'longLink') this.#overrides = { ...this.#overrides, linkTarget: longName(body, behind) }
    else if (kind === 'pax') this.#overrides = readPaxRecords(body)
    else {
      const { owner, hasAttributes = false, ...overrides } = readPaxRecords(body)
      refuseGlobalOverrides(overrides)
      this.#allHaveAttributes ||= hasAttributes
      this.#commonOwner = { ...this.#commonOwner, ...owner }
    }
  }

  #startEntry(header: TarHeader & { readonly kind: Member['type'] }): void {
    const owner = { ...header.owner, ...this.#commonOwner, ...this.#overrides.owner }
    const hasAttributes = this.#allHaveAttributes || this.#overrides.hasAttributes === true
    const member = {
      ...applyOverrides({ ...header, owner }, this.#overrides),
      ...(hasAttributes && { hasAttributes: true as const }),
    }
    this.#overrides = {}
    this.#pending.clear()
    if (member.sizeBytes > this.#limits.maxUnpackedBytes) throw tooLarge(this.#limits)
    this.#contentBytes = member.sizeBytes
    this.#paddingBytes = padding(member.sizeBytes)
    this.#listener.member(member)
  }
}

/** The refusal of an archive, or of one file in it, that unpacks to more than the limit. */
export function tooLarge(limits: ArchiveLimits): HubError {
  const { maxUnpackedBytes } = limits
  return new HubError(
    'archive.too_large_unpacked',
    `The archive unpacks to more than ${maxUnpackedBytes} bytes. Leave out what the app does not need, or ask for a higher limit.`,
    { maxUnpackedBytes },
  )
}

function isEntry(kind: TarHeader['kind']): kind is Member['type'] {
  return kind === 'file' || kind === 'directory' || kind === 'symlink' || kind === 'hardlink'
}

function applyOverrides(
  header: TarHeader & { readonly kind: Member['type'] },
  overrides: PaxOverrides,
): Member {
  const path = overrides.path ?? header.path
  const sizeBytes = overrides.sizeBytes ?? header.sizeBytes
  // Before there was a type for folders, a slash at the end of the name made one; readers still heed it.
  const type = header.kind === 'file' && path.endsWith('/') ? 'directory' : header.kind
  // Some readers skip content that such entries name, others do not, and the next header is lost to one of them.
  if (type !== 'file' && sizeBytes > 0) throw corrupt('an entry that is no file has content')
  const isLink = type === 'symlink' || type === 'hardlink'
  return {
    path,
    type,
    mode: header.mode,
    sizeBytes,
    linkTarget: isLink ? (overrides.linkTarget ?? header.linkTarget) : '',
    owner: header.owner,
  }
}

function refuseGlobalOverrides(overrides: PaxOverrides): void {
  const [key] = Object.keys(overrides)
  if (key !== undefined) throw corrupt(`a header gives all entries the same ${key}`)
}

/** A name of GNU tar's long name headers. Where its size leaves out the NUL at its end, GNU tar reads on into the padding. */
function longName(body: Buffer, behind: Buffer): string {
  const end = body.indexOf(0)
  const name = end < 0 ? body : body.subarray(0, end)
  const after = end < 0 ? behind : body.subarray(end)
  if (name.length === 0 || after.some((byte) => byte !== 0)) {
    throw corrupt('the header of a long name is malformed')
  }
  return name.toString('utf8')
}

/** Nodes ignore what follows the end; so nobody would see entries there, and nothing of them is checked. */
function refuseTail(bytes: Buffer): Buffer {
  const piece = bytes.subarray(0, ZEROS.length)
  if (!piece.equals(ZEROS.subarray(0, piece.length))) {
    throw corrupt(
      'it goes on after its end marker, where nothing would be unpacked (archives cannot be joined with cat)',
    )
  }
  return bytes.subarray(piece.length)
}

function padding(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES
}

function noTar(): HubError {
  return new HubError(
    'archive.unsupported_format',
    'There is no tar archive in the file. Pack the build with tar and send that.',
  )
}

function tooLongExtension(kind: Extension, sizeBytes: number, most: number): HubError {
  return kind === 'longName' || kind === 'longLink'
    ? new HubError('archive.unsafe_name', `An entry has a name of ${sizeBytes} bytes. Shorten it.`)
    : corrupt(`an extended header has ${sizeBytes} bytes, where ${most} are enough`)
}
