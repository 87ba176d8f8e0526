/** A tar archive's entries and their content, from a file on disk or a part of one, within the limits and without unpacking it anywhere. */
import { open, stat } from 'node:fs/promises'
import { HubError } from '../errors.ts'
import type { ArchiveLimits } from './archive-limits.ts'
import { decompressed, type ByteRange, type PackedSource } from './decompress.ts'
import { type TarListener, TarWalker, tooLarge } from './tar-walker.ts'

/** Small enough that jumping over a file of a megabyte pays. */
const PLAIN_BYTES = 256 * 1024

export interface ArchiveSource extends PackedSource {
  readonly limits: ArchiveLimits
}

/**
 * Tells the listener every entry, in the archive's order. Memory does not grow with the archive.
 * @param enough asked after each piece; once it says true the rest is not read, nor checked.
 * @throws {HubError} for an archive that is damaged or beyond the limits; the signal's reason if that fires.
 */
export async function readArchive(
  source: ArchiveSource,
  listener: TarListener,
  enough: () => boolean = () => false,
): Promise<void> {
  for await (const _ of walkArchive(source, listener)) if (enough()) return
}

/**
 * The same at the pace of whoever asks: it stops after each piece of the archive, with all of that told.
 * @throws as `readArchive`.
 */
export async function* walkArchive(source: ArchiveSource, listener: TarListener): AsyncGenerator<void> {
  try {
    yield* walk(source, listener)
  } catch (error) {
    // A killed decompressor complains in its own way; the caller asked for an end and hears just that.
    source.signal?.throwIfAborted()
    throw error
  }
}

async function* walk(source: ArchiveSource, listener: TarListener): AsyncGenerator<void> {
  const { path, format, limits, signal } = source
  const range = source.range ?? { start: 0, bytes: (await stat(path)).size }
  const walker = new TarWalker(limits, listener)
  const bounds = new Bounds(limits, range.bytes)
  const chunks = format === 'tar' ? plain(path, range, walker, bounds) : decompressed(source)
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    bounds.count(chunk.length)
    walker.write(chunk)
    yield
  }
  walker.end()
}

/** A file as it is, without what the walker's listener does not want to see: of a large build that is nearly all. */
async function* plain(
  path: string,
  { start, bytes }: ByteRange,
  walker: TarWalker,
  bounds: Bounds,
): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const end = start + bytes
  let position = start
  while (position < end) {
    // A new one each time: the walker keeps pieces of headers that go on in the next.
    const buffer = Buffer.allocUnsafeSlow(Math.min(PLAIN_BYTES, end - position))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
    const passed = Math.min(walker.passable, end - position)
    bounds.count(passed)
    walker.pass(passed)
    position += passed
  }
}

/** Stops a bomb as soon as it shows: after that many bytes, not after unpacking them all. */
class Bounds {
  readonly #limits: ArchiveLimits
  readonly #packedBytes: number
  #unpackedBytes = 0

  constructor(limits: ArchiveLimits, packedBytes: number) {
    this.#limits = limits
    this.#packedBytes = packedBytes
  }

  count(bytes: number): void {
    const { maxUnpackedBytes, maxRatio, ratioFloorBytes } = this.#limits
    this.#unpackedBytes += bytes
    if (this.#unpackedBytes > maxUnpackedBytes) throw tooLarge(this.#limits)
    if (this.#unpackedBytes <= Math.max(ratioFloorBytes, maxRatio * this.#packedBytes)) return
    throw new HubError(
      'archive.ratio_too_high',
      `The archive has ${this.#packedBytes} bytes and unpacks to more than ${maxRatio} times that. Leave out files of mere zeros.`,
      { maxRatio },
    )
  }
}
