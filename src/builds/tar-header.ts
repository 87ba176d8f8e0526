/**
 * One header block of a tar archive, read strictly. Decoding is `tar`'s; what is refused here is what `tar` and GNU tar,
 * by which nodes unpack, would read differently: an entry that one sees and the other does not gets past every check.
 * Sources: POSIX pax "ustar Interchange Format"; GNU tar manual "Basic Tar Format"; GNU tar's `from_header`.
 */
import { Header } from 'tar'
import { HubError } from '../errors.ts'

export const BLOCK_BYTES = 512

/** What a header stands for; the last four describe the entry that follows, or all entries. */
export type HeaderKind = 'file' | 'hardlink' | 'symlink' | 'directory' | Extension
export type Extension = 'pax' | 'global' | 'longName' | 'longLink'

export interface TarHeader {
  readonly kind: HeaderKind
  readonly path: string
  /** Permission bits with set-id and sticky. */
  readonly mode: number
  readonly sizeBytes: number
  readonly linkTarget: string
  readonly owner: Owner
}

/** Whose an entry is: a reader that knows the name takes it before the number. */
export interface Owner {
  readonly uid: number
  readonly gid: number
  /** Empty if the archive names none. */
  readonly userName: string
  readonly groupName: string
}

const KINDS: Readonly<Record<string, HeaderKind>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
  // "Contiguous": an ordinary file wherever disks are not laid out by hand.
  '7': 'file',
  x: 'pax',
  g: 'global',
  L: 'longName',
  K: 'longLink',
}
const REFUSED_KINDS: Readonly<Record<string, string>> = {
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a named pipe',
  D: 'a GNU directory dump',
  M: 'a part of a multi-volume archive',
  S: 'a sparse file; pack again without --sparse',
  V: 'a volume label; pack again without --label',
}

/** The numeric fields that an unpacker reads: where, how long, and whether large values in base 256 may stand there. */
const MODE = { name: 'mode', at: 100, bytes: 8, wide: false }
const UID = { name: 'uid', at: 108, bytes: 8, wide: true }
const GID = { name: 'gid', at: 116, bytes: 8, wide: true }
const SIZE = { name: 'size', at: 124, bytes: 12, wide: true }
const MTIME = { name: 'mtime', at: 136, bytes: 12, wide: true }
const CHECKSUM = { name: 'checksum', at: 148, bytes: 8, wide: false }
type Field = typeof MODE

const MAGIC_AT = 257
const POSIX = 'ustar\x0000'
const GNU = 'ustar  \0'
const V7 = '\0'.repeat(8)
const MAX_ID = 0xffff_fffe

/** True if the block has the checksum of a header, or at least its magic. */
export function looksLikeHeader(block: Buffer): boolean {
  if (block.length < BLOCK_BYTES) return false
  return block.toString('latin1', MAGIC_AT, MAGIC_AT + 5) === 'ustar' || hasChecksum(block)
}

/** True if the sum of the block's bytes is the one that it names. */
export function hasChecksum(block: Buffer): boolean {
  const named = /^ *([0-7]+)[ \0]*$/.exec(fieldText(block, CHECKSUM))?.[1]
  if (named === undefined) return false
  let sum = 8 * 0x20
  for (let at = 0; at < BLOCK_BYTES; at++) sum += block[at] ?? 0
  for (let at = CHECKSUM.at; at < CHECKSUM.at + CHECKSUM.bytes; at++) sum -= block[at] ?? 0
  return sum === Number.parseInt(named, 8)
}

/**
 * Reads a block of 512 bytes that is not all zeros.
 * @throws {HubError} `archive.corrupt` if the checksum or a field is wrong, `archive.unsafe_type` for what the hub does
 * not keep.
 */
export function readHeader(block: Buffer): TarHeader {
  if (!hasChecksum(block)) throw corrupt('a header has the wrong checksum')
  refuseUnknownMagic(block)
  const header = decode(block)
  const mode = number(block, MODE)
  const sizeBytes = number(block, SIZE)
  const [uid, gid] = [number(block, UID), number(block, GID)]
  if (uid > MAX_ID || gid > MAX_ID) throw corrupt('an owner is out of range')
  number(block, MTIME)
  return {
    kind: kindOf(block),
    path: header.path ?? '',
    mode: mode & 0o7777,
    sizeBytes,
    linkTarget: header.linkpath ?? '',
    owner: { uid, gid, userName: header.uname ?? '', groupName: header.gname ?? '' },
  }
}

/** A fault of the archive's bytes; `what` reads on from "The archive is damaged: ". */
export function corrupt(what: string): HubError {
  return new HubError('archive.corrupt', `The archive is damaged: ${what}. Pack and send it again.`)
}

function decode(block: Buffer): Header {
  try {
    return new Header(block, 0)
  } catch (error) {
    throw new HubError(
      'archive.corrupt',
      'A header of the archive cannot be read. Pack and send it again.',
      {},
      { cause: error },
    )
  }
}

function kindOf(block: Buffer): HeaderKind {
  const flag = block.toString('latin1', 156, 157)
  const kind = KINDS[flag]
  if (kind !== undefined) return kind
  const what = REFUSED_KINDS[flag] ?? `of the unknown type ${JSON.stringify(flag)}`
  const nul = block.subarray(0, 100).indexOf(0)
  const name = JSON.stringify(block.toString('utf8', 0, nul < 0 ? 100 : nul))
  throw new HubError(
    'archive.unsafe_type',
    `The entry ${name} is ${what}. Only files, folders and links are kept.`,
  )
}

/** Readers differ on the prefix field when the version is odd. Before POSIX there was no magic and no prefix. */
function refuseUnknownMagic(block: Buffer): void {
  const magic = block.toString('latin1', MAGIC_AT, MAGIC_AT + 8)
  if (magic === POSIX || magic === GNU || magic === V7) return
  throw corrupt('a header is neither of ustar, nor of GNU, nor of the old form')
}

/** Octal digits with blanks before and blanks or NULs behind, or all NULs (zero), or base 256 after a byte 0x80. */
function number(block: Buffer, field: Field): number {
  const text = fieldText(block, field)
  const octal = /^ *([0-7]+)[ \0]*$/.exec(text)?.[1]
  if (octal !== undefined) return Number.parseInt(octal, 8)
  if (/^\0+$/.test(text)) return 0
  if (field.wide && text.startsWith('\x80')) return wideNumber(block, field)
  // Files older than 1970 exist; no other number may be negative.
  if (field === MTIME && text.startsWith('\xff')) return 0
  throw corrupt(`a header has ${JSON.stringify(text)} for ${field.name}`)
}

function wideNumber(block: Buffer, field: Field): number {
  const value = BigInt(`0x${block.toString('hex', field.at + 1, field.at + field.bytes)}`)
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw corrupt(`a header has a ${field.name} beyond all measure`)
}

function fieldText(block: Buffer, field: Field): string {
  return block.toString('latin1', field.at, field.at + field.bytes)
}
