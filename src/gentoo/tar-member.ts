/**
 * The header blocks of an uncompressed tar whose members are plain files, read strictly and written: what the outer
 * archive of a gpkg is made of. Whatever two readers could take for different files is refused.
 * Sources: POSIX pax "ustar Interchange Format" and "pax Extended Header"; GNU tar manual "Basic Tar Format"; Python's
 * tarfile, by which Portage reads.
 */
import { HubError } from '../errors.ts'
import { shown } from './version.ts'

export const TAR_BLOCK_BYTES = 512
/** No extended header of a member needs more: it says a name and a size. */
export const MOST_EXTENSION_BYTES = 64 * 1024

/** What a pax header or a GNU long name says of the member that follows. */
export interface MemberOverrides {
  readonly name?: string
  readonly sizeBytes?: number
}

/**
 * What a block stands for. Behind a `file` or an extension are `sizeBytes` of content, padded to whole blocks
 * (`paddedBytes`), and then the next header.
 */
export type TarBlock =
  | { readonly kind: 'end' }
  | { readonly kind: 'file'; readonly name: string; readonly sizeBytes: number }
  | { readonly kind: 'pax' | 'longName'; readonly sizeBytes: number }

interface Field {
  readonly at: number
  readonly bytes: number
}

const NAME = { at: 0, bytes: 100 }
const MODE = { at: 100, bytes: 8 }
const UID = { at: 108, bytes: 8 }
const GID = { at: 116, bytes: 8 }
const SIZE = { at: 124, bytes: 12 }
const MTIME = { at: 136, bytes: 12 }
const CHECKSUM = { at: 148, bytes: 8 }
const TYPE = { at: 156, bytes: 1 }
const MAGIC = { at: 257, bytes: 8 }
const PREFIX = { at: 345, bytes: 155 }

const POSIX = 'ustar\x0000'
const GNU = 'ustar  \0'
const KINDS: Readonly<Record<string, 'file' | 'pax' | 'longName'>> = {
  '0': 'file',
  '\0': 'file',
  x: 'pax',
  L: 'longName',
}
const MOST_ID = 0xffff_fffe
const MOST_OCTAL_SIZE = 0o77777777777

/**
 * Reads one block of 512 bytes.
 * @throws {HubError} `archive.corrupt` if it is no header, its checksum is wrong or not written as all programs write it,
 *   a number is none, or it stands for anything but a file or a header that says more of one.
 */
export function readTarBlock(block: Buffer): TarBlock {
  if (block.length !== TAR_BLOCK_BYTES) throw corrupt('it breaks off in a header')
  if (block.every((byte) => byte === 0)) return { kind: 'end' }
  const magic = text(block, MAGIC)
  if (magic !== POSIX && magic !== GNU) throw corrupt('it has a header that is none of tar')
  if (text(block, CHECKSUM) !== checksumOf(block)) throw corrupt('a header has the wrong checksum')
  const kind = KINDS[text(block, TYPE)]
  const name = fullName(block, magic)
  if (kind === undefined) throw corrupt(`${shown(name)} is no plain file`)
  const [, uid = 0, gid = 0] = [MODE, UID, GID, MTIME].map((field) => numberAt(block, field))
  if (uid > MOST_ID || gid > MOST_ID) throw corrupt(`${shown(name)} has an owner that nobody can be`)
  const sizeBytes = numberAt(block, SIZE)
  if (kind === 'file') return { kind, name, sizeBytes }
  if (sizeBytes === 0 || sizeBytes > MOST_EXTENSION_BYTES)
    throw corrupt(`an extended header has ${sizeBytes} bytes`)
  return { kind, sizeBytes }
}

/** How many bytes content of this size takes: whole blocks. */
export function paddedBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES
}

/**
 * Reads the content of a `pax` or `longName` header, without its padding.
 * @throws {HubError} `archive.corrupt` if it is malformed, or says anything twice, or of sparse files.
 */
export function readExtension(kind: 'pax' | 'longName', content: Buffer): MemberOverrides {
  if (kind === 'longName') return { name: longName(content) }
  const records = paxRecords(content)
  const name = records.get('path')
  const size = records.get('size')
  if (size !== undefined && !/^\d{1,15}$/.test(size)) throw corrupt('a pax header has a size that is none')
  return { ...(name !== undefined && { name }), ...(size !== undefined && { sizeBytes: Number(size) }) }
}

/**
 * Renders the header of a plain file that root owns and all may read; content and padding are to follow. A size of 8 GiB
 * or more stands there in GNU's base 256, which Portage's reader and GNU tar know.
 * @throws {HubError} `request.invalid` if the name has no place in a header.
 */
export function renderTarHeader(member: {
  readonly name: string
  readonly sizeBytes: number
  readonly mtimeSec: number
}): Buffer {
  const block = Buffer.alloc(TAR_BLOCK_BYTES)
  const { prefix, name } = splitName(member.name)
  put(block, NAME, name)
  put(block, PREFIX, prefix)
  put(block, MODE, octal(0o644, MODE))
  put(block, UID, octal(0, UID))
  put(block, GID, octal(0, GID))
  put(block, MTIME, octal(member.mtimeSec, MTIME))
  put(block, TYPE, '0')
  put(block, MAGIC, POSIX)
  if (member.sizeBytes <= MOST_OCTAL_SIZE) put(block, SIZE, octal(member.sizeBytes, SIZE))
  else {
    block[SIZE.at] = 0x80
    block.writeBigUInt64BE(BigInt(member.sizeBytes), SIZE.at + SIZE.bytes - 8)
  }
  put(block, CHECKSUM, checksumOf(block))
  return block
}

/** The zeros that fill the last block of content of this size. */
export function renderPadding(sizeBytes: number): Buffer {
  return Buffer.alloc(paddedBytes(sizeBytes) - sizeBytes)
}

/** How an archive ends. */
export function renderTarEnd(): Buffer {
  return Buffer.alloc(2 * TAR_BLOCK_BYTES)
}

/** As GNU tar and Python write it, and all others too: six digits, NUL, blank. */
function checksumOf(block: Buffer): string {
  let sum = CHECKSUM.bytes * 0x20
  for (const byte of block) sum += byte
  for (let at = CHECKSUM.at; at < CHECKSUM.at + CHECKSUM.bytes; at++) sum -= block[at] ?? 0
  return `${sum.toString(8).padStart(6, '0')}\0 `
}

/** GNU's form has times where ustar has the front of a long name. */
function fullName(block: Buffer, magic: string): string {
  const name = untilNul(block, NAME)
  const prefix = magic === POSIX ? untilNul(block, PREFIX) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** Octal digits, or base 256 behind a byte 0x80. Readers give up on a header with any number that is none. */
function numberAt(block: Buffer, field: Field): number {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(text(block, field))?.[1]
  if (digits !== undefined) return Number.parseInt(digits, 8)
  const wide = block[field.at] === 0x80 ? block.toString('hex', field.at + 1, field.at + field.bytes) : ''
  const value = Number(BigInt(`0x${wide || 'ffffffffffffffff'}`))
  if (Number.isSafeInteger(value)) return value
  throw corrupt('a header has a number that is none')
}

/** GNU tar writes a NUL behind the name. */
function longName(content: Buffer): string {
  const name = content.at(-1) === 0 ? content.subarray(0, -1) : content
  if (name.length === 0 || name.includes(0)) throw corrupt('the header of a long name is malformed')
  return name.toString('utf8')
}

/** `<length> <key>=<value>\n`, the length counting the whole record. */
function paxRecords(content: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < content.length;) {
    const length = Number(/^([1-9]\d{0,5}) /.exec(content.toString('latin1', at, at + 8))?.[1] ?? 0)
    const record = content.toString('utf8', at, at + length)
    const [, key = '', value] = /^\d+ ([^=\0\s]+)=([^\0]*)\n$/.exec(record) ?? []
    if (value === undefined || at + length > content.length) throw corrupt('a pax header is malformed')
    if (records.has(key)) throw corrupt('a pax header says the same twice')
    if (key.startsWith('GNU.sparse')) throw corrupt('it has a sparse member')
    records.set(key, value)
    at += length
  }
  return records
}

/** A name of more than 100 bytes is cut at its last slash, as ustar has it. */
function splitName(name: string): { readonly prefix: string; readonly name: string } {
  const slash = Buffer.byteLength(name) > NAME.bytes ? name.lastIndexOf('/') : -1
  const parts = { prefix: name.slice(0, Math.max(0, slash)), name: name.slice(slash + 1) }
  const fits = Buffer.byteLength(parts.name) <= NAME.bytes && Buffer.byteLength(parts.prefix) <= PREFIX.bytes
  if (fits && name !== '' && !/[\0-\x1f]/.test(name)) return parts
  throw new HubError('request.invalid', `${shown(name)} is no name for a member of a binary package`)
}

function octal(value: number, { bytes }: Field): string {
  return `${value.toString(8).padStart(bytes - 1, '0')}\0`
}

function put(block: Buffer, { at }: Field, value: string): void {
  block.write(value, at, value.includes('\0') ? 'latin1' : 'utf8')
}

function text(block: Buffer, { at, bytes }: Field): string {
  return block.toString('latin1', at, at + bytes)
}

function untilNul(block: Buffer, { at, bytes }: Field): string {
  const field = block.subarray(at, at + bytes)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? bytes : end)
}

function corrupt(what: string): HubError {
  return new HubError(
    'archive.corrupt',
    `this is no whole binary package: ${what}; pack it again with quickpkg`,
  )
}
