/**
 * A binary package on disk, its members found by seeking: of a package of gigabytes some kilobytes are read. Nothing of it
 * is unpacked to disk. Sources: GLEP 78; xpak(5).
 */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { ArchiveLimits } from '../builds/archive-limits.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../builds/archive-limits.ts'
import { readArchive } from '../builds/archive-reader.ts'
import type { ByteRange, PackedFormat } from '../builds/decompress.ts'
import { HubError } from '../errors.ts'
import type { BinpkgMetadata } from '../gentoo/binpkg.ts'
import type { GpkgCompression, GpkgLayout, GpkgMember, PackedMember } from '../gentoo/gpkg.ts'
import { gpkgLayout, MOST_GPKG_MEMBERS } from '../gentoo/gpkg.ts'
import type { MemberOverrides } from '../gentoo/tar-member.ts'
import { paddedBytes, readExtension, readTarBlock, TAR_BLOCK_BYTES } from '../gentoo/tar-member.ts'
import { shown } from '../gentoo/version.ts'
import { parseXpak, XPAK_END_BYTES, xpakTailBytes } from '../gentoo/xpak.ts'

/** A gpkg whose members are known; their content was not looked at. */
export interface Gpkg {
  readonly format: 'gpkg'
  readonly path: string
  readonly sizeBytes: number
  readonly layout: GpkgLayout
}

/** An older package: the image, and behind it the metadata. */
export interface Xpak {
  readonly format: 'xpak'
  readonly path: string
  readonly sizeBytes: number
  readonly metadata: BinpkgMetadata
}

export type Binpkg = Gpkg | Xpak

/** Programs pad archives to 10 KiB or so; more than this is no padding. */
const MOST_TAIL_BYTES = 1 << 20
/** A Manifest has five lines and a signature. */
const MOST_MANIFEST_BYTES = 64 * 1024
const METADATA_LIMITS: ArchiveLimits = {
  ...DEFAULT_ARCHIVE_LIMITS,
  maxEntries: 1000,
  maxUnpackedBytes: 64 << 20,
}
const FORMATS: Readonly<Record<GpkgCompression, PackedFormat>> = {
  '': 'tar',
  '.gz': 'tar.gz',
  '.bz2': 'tar.bz2',
  '.xz': 'tar.xz',
  '.zst': 'tar.zst',
  '.lz4': 'tar.lz4',
  '.lz': 'tar.lz',
}

/**
 * Finds out what the file is, by its bytes, and where its parts are.
 * @throws {HubError} `archive.corrupt` if it is neither format or breaks off; `binpkg.invalid` if it is a gpkg that is not
 *   made as such.
 */
export async function openBinpkg(path: string): Promise<Binpkg> {
  await using file = await open(path)
  const { size: sizeBytes } = await file.stat()
  const end = await readAt(file, Math.max(0, sizeBytes - XPAK_END_BYTES), XPAK_END_BYTES)
  if (end.toString('latin1').endsWith('STOP')) {
    const tailBytes = xpakTailBytes(end)
    if (tailBytes > sizeBytes) throw corrupt('its metadata begins before the file does')
    const tail = await readAt(file, sizeBytes - tailBytes, tailBytes)
    return { format: 'xpak', path, sizeBytes, metadata: parseXpak(tail) }
  }
  return { format: 'gpkg', path, sizeBytes, layout: gpkgLayout(await findMembers(file, sizeBytes)) }
}

/**
 * The files of the installed-package database that the package carries.
 * @throws {HubError} `archive.*` if they cannot be unpacked or are more than 64 MiB; `binpkg.invalid` if a gpkg has
 *   anything there that is no such file.
 */
export async function readMetadata(binpkg: Binpkg): Promise<BinpkgMetadata> {
  if (binpkg.format === 'xpak') return binpkg.metadata
  const { path, layout } = binpkg
  const values = new Map<string, Buffer[]>()
  let current: Buffer[] = []
  const member = (entry: { readonly path: string; readonly type: string }): void => {
    const key = /^metadata\/([A-Za-z0-9_+-][A-Za-z0-9_.+-]*)$/.exec(entry.path)?.[1]
    if (key === undefined || entry.type !== 'file')
      throw invalid(`its metadata has ${shown(entry.path)}, where only files metadata/<KEY> may be`)
    if (values.has(key)) throw invalid(`its metadata has ${key} twice`)
    current = []
    values.set(key, current)
  }
  const body = (bytes: Buffer): void => void current.push(Buffer.from(bytes))
  await readArchive({ path, ...packed(layout.metadata), limits: METADATA_LIMITS }, { member, body })
  return new Map([...values].map(([key, pieces]) => [key, Buffer.concat(pieces)]))
}

/** The text of the package's Manifest. @throws {HubError} `binpkg.invalid` if it is too long, or no text. */
export async function readManifestText({ path, layout: { manifest } }: Gpkg): Promise<string> {
  if (manifest.sizeBytes > MOST_MANIFEST_BYTES)
    throw invalid(`its Manifest has ${manifest.sizeBytes} bytes, where ${MOST_MANIFEST_BYTES} are enough`)
  await using file = await open(path)
  const bytes = await readAt(file, manifest.offset, manifest.sizeBytes)
  if (bytes.length < manifest.sizeBytes) throw corrupt('it breaks off in its Manifest')
  const text = bytes.toString('latin1')
  if (/[^\n -~]/.test(text)) throw invalid('its Manifest has characters that are not ASCII')
  return text
}

/** Where a member's content lies in the file. */
export function rangeOf({ offset, sizeBytes }: GpkgMember): ByteRange {
  return { start: offset, bytes: sizeBytes }
}

/** The same and how it is packed, for who unpacks it. */
export function packed(member: PackedMember): { readonly range: ByteRange; readonly format: PackedFormat } {
  return { range: rangeOf(member), format: FORMATS[member.compression] }
}

/** Goes from header to header. Every byte is accounted for: between members and behind them are zeros. */
async function findMembers(file: FileHandle, sizeBytes: number): Promise<readonly GpkgMember[]> {
  const members: GpkgMember[] = []
  let overrides: MemberOverrides | null = null
  for (let at = 0; ;) {
    const block = readTarBlock(await readAt(file, at, TAR_BLOCK_BYTES))
    at += TAR_BLOCK_BYTES
    if (block.kind === 'end') {
      if (overrides) throw corrupt('it ends where a member is announced')
      await refuseTail(file, at, sizeBytes)
      return members
    }
    if (block.kind !== 'file') {
      if (overrides) throw corrupt('a member has two extended headers')
      overrides = readExtension(block.kind, await readContent(file, at, block.sizeBytes))
      at += paddedBytes(block.sizeBytes)
      continue
    }
    const member: GpkgMember = { name: block.name, sizeBytes: block.sizeBytes, ...overrides, offset: at }
    overrides = null
    at += paddedBytes(member.sizeBytes)
    if (at > sizeBytes) throw corrupt(`it breaks off in ${shown(member.name)}`)
    await refuseFilledPadding(file, member)
    members.push(member)
    if (members.length > MOST_GPKG_MEMBERS) throw invalid('it has more members than any gpkg')
  }
}

async function readContent(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const padded = await readAt(file, at, paddedBytes(bytes))
  if (padded.length < paddedBytes(bytes)) throw corrupt('it breaks off in an extended header')
  if (!isZero(padded.subarray(bytes))) throw corrupt('it has something between its members')
  return padded.subarray(0, bytes)
}

async function refuseFilledPadding(file: FileHandle, { offset, sizeBytes }: GpkgMember): Promise<void> {
  const padding = await readAt(file, offset + sizeBytes, paddedBytes(sizeBytes) - sizeBytes)
  if (!isZero(padding)) throw corrupt('it has something between its members')
}

async function refuseTail(file: FileHandle, at: number, sizeBytes: number): Promise<void> {
  if (sizeBytes - at < TAR_BLOCK_BYTES) throw corrupt('it ends before its end marker')
  if (sizeBytes - at > MOST_TAIL_BYTES) throw corrupt('it goes on after its end marker')
  if (!isZero(await readAt(file, at, sizeBytes - at))) throw corrupt('it goes on after its end marker')
}

/** What there is of `bytes` at `at`; less only at the file's end. */
async function readAt(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  if (bytes === 0) return Buffer.alloc(0)
  const buffer = Buffer.alloc(bytes)
  let length = 0
  while (length < bytes) {
    const { bytesRead } = await file.read(buffer, length, bytes - length, at + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return buffer.subarray(0, length)
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

function corrupt(what: string): HubError {
  return new HubError(
    'archive.corrupt',
    `this is no whole binary package: ${what}; pack it again with quickpkg`,
  )
}

function invalid(what: string): HubError {
  return new HubError('binpkg.invalid', `this is no gpkg that Portage would take: ${what}`)
}
