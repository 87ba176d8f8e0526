/**
 * How a tarball is packed, told by its first bytes and never by its name.
 * Sources: RFC 1952 (gzip), RFC 8878 (zstd and its skippable frames), the .xz file format 1.2, bzip2's block and end
 * magic, POSIX pax "ustar Interchange Format".
 */
import { open } from 'node:fs/promises'
import { HubError } from '../errors.ts'
import type { ArchiveFormat } from './archive-contents.ts'
import { BLOCK_BYTES, looksLikeHeader } from './tar-header.ts'

const MAGIC: readonly (readonly [ArchiveFormat, RegExp])[] = [
  ['tar.gz', /^\x1f\x8b\x08/],
  ['tar.bz2', /^BZh[1-9](?:1AY&SY|\x17rE8P\x90)/],
  ['tar.xz', /^\xfd7zXZ\0/],
  // pzstd begins with a skippable frame.
  ['tar.zst', /^(?:\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)/],
]
const OTHERS: readonly (readonly [string, RegExp])[] = [
  ['a zip file', /^PK[\x03\x05]/],
  ['a 7z archive', /^7z\xbc\xaf\x27\x1c/],
  ['an lzip file', /^LZIP/],
  ['an old lzma file', /^\x5d\0\0/],
  ['an ELF program', /^\x7fELF/],
]

/**
 * Reads the first 512 bytes of the file.
 * @throws {HubError} `archive.empty` if the file has no bytes; `archive.unsupported_format` if it is nothing we unpack.
 */
export async function archiveFormat(path: string): Promise<ArchiveFormat> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, 0)
  if (bytesRead === 0) throw new HubError('archive.empty', 'The file has no bytes: send a tarball.')
  return formatOf(buffer.subarray(0, bytesRead))
}

function formatOf(head: Buffer): ArchiveFormat {
  const text = head.toString('latin1')
  const [packed] = MAGIC.find(([, magic]) => magic.test(text)) ?? []
  if (packed !== undefined) return packed
  // A block of zeros alone is how tar ends an archive, so an archive of nothing begins with it.
  if (looksLikeHeader(head) || (head.length === BLOCK_BYTES && head.every((byte) => byte === 0))) return 'tar'
  const [other = 'not a tar archive'] = OTHERS.find(([, magic]) => magic.test(text)) ?? []
  throw new HubError(
    'archive.unsupported_format',
    `The file is ${other}. Send a tar archive, plain or compressed with gzip, bzip2, xz or zstd.`,
  )
}
