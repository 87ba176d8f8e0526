/**
 * Signs a package: the bytes of its metadata and image stay as they came, their signatures and a signed Manifest are new.
 * Whatever signatures it had, a node's, are left out. Sources: GLEP 78 "OpenPGP member signatures"; Portage
 * lib/portage/gpkg.py `_add_signature`, `_add_manifest`.
 */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { ByteRange } from '../builds/decompress.ts'
import { digestBytes } from '../builds/digest-blocks.ts'
import { HubError } from '../errors.ts'
import type { GpkgDigests, PackedMember } from '../gentoo/gpkg.ts'
import { baseName, GPKG_MANIFEST, GPKG_MARKER, renderGpkgManifest } from '../gentoo/gpkg.ts'
import { renderPadding, renderTarEnd, renderTarHeader } from '../gentoo/tar-member.ts'
import { rangeOf } from './open-binpkg.ts'
import type { VerifiedGpkg } from './verify-binpkg.ts'

/** Who signs: armoured texts with "\n" at the ends of lines. */
export interface BinpkgSigner {
  /** A detached signature of what comes piece by piece. */
  readonly detached: (pieces: AsyncIterable<Uint8Array>) => Promise<string>
  readonly clearSign: (text: string) => Promise<string>
}

const PIECE_BYTES = 1 << 20

/**
 * Writes the signed package to `file`, from its start; fsync is the caller's. Equal signatures give equal bytes. Returns
 * the size in bytes.
 * @param mtimeSec of the members.
 * @throws {HubError} `binpkg.invalid` if its inner archives are not compressed, which nodes with the default settings
 *   cannot read. The file system's error.
 */
export async function signGpkg(
  source: VerifiedGpkg,
  file: FileHandle,
  signer: BinpkgSigner,
  mtimeSec: number,
): Promise<number> {
  const { metadata, image } = source.layout
  for (const member of [metadata, image]) refuseUncompressed(member)
  const writer = new GpkgWriter(file, { prefix: source.layout.prefix, mtimeSec })
  await writer.add(GPKG_MARKER, Buffer.alloc(0))
  for (const member of [metadata, image]) {
    const name = baseName(member)
    const pieces = piecesOf(source.path, rangeOf(member))
    const signature = await writer.copy(name, digestsOf(source, name), pieces, signer.detached)
    await writer.add(`${name}.sig`, Buffer.from(signature))
  }
  return await writer.finish(signer.clearSign)
}

/** The outer archive, member by member. */
export class GpkgWriter {
  readonly #file: FileHandle
  readonly #form: { readonly prefix: string; readonly mtimeSec: number }
  readonly #manifest = new Map<string, GpkgDigests>()
  #position = 0

  constructor(file: FileHandle, form: { readonly prefix: string; readonly mtimeSec: number }) {
    this.#file = file
    this.#form = form
  }

  async add(name: string, content: Buffer): Promise<void> {
    this.#manifest.set(name, digestBytes(content))
    await this.#append(Buffer.concat([this.#header(name, content.length), content]))
    await this.#append(renderPadding(content.length))
  }

  /** A member whose digests are known, and that `watch` sees as it is written; it must take all. Gives what `watch` gave. */
  async copy<T>(
    name: string,
    digests: GpkgDigests,
    pieces: AsyncIterable<Buffer>,
    watch: (pieces: AsyncIterable<Buffer>) => Promise<T>,
  ): Promise<T> {
    this.#manifest.set(name, digests)
    await this.#append(this.#header(name, digests.sizeBytes))
    const start = this.#position
    const seen = await watch(this.#appending(pieces))
    if (this.#position - start !== digests.sizeBytes) throw new Error(`${name} was not copied to its end`)
    await this.#append(renderPadding(digests.sizeBytes))
    return seen
  }

  /** The Manifest and the end. Returns the size in bytes of all. */
  async finish(clearSign: (text: string) => Promise<string>): Promise<number> {
    const text = Buffer.from(await clearSign(renderGpkgManifest(this.#manifest)))
    await this.#append(Buffer.concat([this.#header(GPKG_MANIFEST, text.length), text]))
    await this.#append(Buffer.concat([renderPadding(text.length), renderTarEnd()]))
    return this.#position
  }

  #header(name: string, sizeBytes: number): Buffer {
    const { prefix, mtimeSec } = this.#form
    return renderTarHeader({ name: `${prefix}/${name}`, sizeBytes, mtimeSec })
  }

  async *#appending(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      await this.#append(piece)
      yield piece
    }
  }

  async #append(bytes: Buffer): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const at = this.#position + written
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written, at)
      written += bytesWritten
    }
    this.#position += bytes.length
  }
}

/** Each piece in memory of its own: whoever gets it may keep it for a while. */
export async function* piecesOf(path: string, { start, bytes }: ByteRange): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const end = start + bytes
  for (let at = start; at < end;) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - at))
    const { bytesRead } = await file.read(piece, 0, piece.length, at)
    if (bytesRead === 0) return
    yield piece.subarray(0, bytesRead)
    at += bytesRead
  }
}

function digestsOf({ manifest }: VerifiedGpkg, name: string): GpkgDigests {
  const digests = manifest.get(name)
  if (digests) return digests
  throw new Error(`${name} was verified without being listed`)
}

function refuseUncompressed(member: PackedMember): void {
  if (member.compression !== '') return
  throw new HubError(
    'binpkg.invalid',
    `nodes cannot read ${baseName(member)}, which is not compressed; pack it again with BINPKG_COMPRESS=zstd`,
  )
}
