/**
 * The bytes of a compressed file, or of a part of a file, piece by piece, with memory bounded whatever the file says. gzip
 * and zstd are Node's own; xz, bzip2, lz4 and lzip are the programs of those names, given the open file and nothing else.
 * Sources: RFC 1952 and RFC 8878 (several members or frames in a row are one file), xz(1) "Memory usage", lzip(1) "File
 * format" (a dictionary has 512 MiB at most, and nothing lowers that).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import {
  constants,
  createGunzip,
  createZstdDecompress,
  type Gunzip,
  type ZstdDecompress,
  zstdDecompressSync,
} from 'node:zlib'
import { HubError } from '../errors.ts'
import type { ArchiveFormat } from './archive-contents.ts'
import { corrupt } from './tar-header.ts'

const READ_BYTES = 1 << 20
const OUT_BYTES = 256 * 1024
/** 128 MiB: what the zstd program takes without being told more. */
const ZSTD_WINDOW_LOG = 27
/**
 * A frame costs more to begin than to read when it is empty. pzstd's and those of seekable files hold 64 KiB and more, and
 * even zeros of that size take a few hundred bytes of a file that `maxRatio` lets pass.
 */
const FREE_ZSTD_FRAMES = 2000
const BYTES_PER_ZSTD_FRAME = 256
/** Frames up to this size are undone at once: a stream costs many times more than they do. */
const SMALL_ZSTD_BYTES = 64 * 1024
const ZSTD_MAGIC = 0xfd2fb528
const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG }
const SKIPPABLE_MAGIC = 0x184d2a50
const XZ_MEMORY = '256MiB'
const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** How bytes are packed: as tarballs may be, or as binary packages may be besides. */
export type PackedFormat = ArchiveFormat | 'tar.lz4' | 'tar.lz'

/** A part of a file: `bytes` of them from `start` on. */
export interface ByteRange {
  readonly start: number
  readonly bytes: number
}

export interface PackedSource {
  readonly path: string
  readonly format: PackedFormat
  /** The whole file if there is none. */
  readonly range?: ByteRange | undefined
  readonly signal?: AbortSignal | undefined
}

/** The format's program and what it is told. None of them may take what follows the compressed data for nothing. */
const PROGRAMS = {
  'tar.xz': ['xz', '-dc', `--memlimit-decompress=${XZ_MEMORY}`],
  'tar.bz2': ['bzip2', '-dc'],
  'tar.lz4': ['lz4', '-dc'],
  'tar.lz': ['lzip', '-dc', '--trailing-error'],
} as const

/**
 * Reads the bytes and undoes their compression. Leaving the iteration early ends all work on it.
 * @throws {HubError} `archive.corrupt` if the compressed data is damaged, cut off, followed by something else, or needs
 * more memory than the hub gives; `archive.no_program` if a program it needs is not installed.
 */
export async function* decompressed({ path, format, range, signal }: PackedSource): AsyncGenerator<Buffer> {
  if (format === 'tar') yield* bytesOf(path, range)
  else if (format === 'tar.gz') yield* gunzipped(path, range)
  else if (format === 'tar.zst') yield* zstdFrames(path, range)
  else {
    const [program, ...args] = PROGRAMS[format]
    yield* outputOf(program, args, path, signal, range)
  }
}

function bytesOf(path: string, range?: ByteRange): Readable {
  // Streams cannot be told to end before they begin.
  if (range?.bytes === 0) return Readable.from([])
  const part = range && { start: range.start, end: range.start + range.bytes - 1 }
  return createReadStream(path, { ...part, highWaterMark: READ_BYTES })
}

/**
 * What a program writes when it gets the file, or a part of it, as its input. It sees none of the hub's environment.
 * @throws {HubError} `archive.corrupt` if it ends with a failure; `archive.no_program`; `Error` if it was killed.
 */
export async function* outputOf(
  program: string,
  args: readonly string[],
  path: string,
  signal?: AbortSignal,
  range?: ByteRange,
): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const child = spawn(program, args, {
    stdio: [range ? 'pipe' : file.fd, 'pipe', 'pipe'],
    env: { PATH: PROGRAM_PATH, LC_ALL: 'C' },
    ...(signal && { signal }),
    killSignal: 'SIGKILL',
  })
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  // Leaving early kills the child, and nobody waits for the reason then.
  ended.catch(() => undefined)
  const { stdout, stderr } = child as typeof child & { readonly stdout: Readable; readonly stderr: Readable }
  const complaint = firstBytes(stderr, 1000).catch(() => '')
  // A program that ends early says itself why; that its input was cut off then says nothing.
  if (child.stdin) pipeline(bytesOf(path, range), child.stdin, () => undefined)
  try {
    yield* stdout
    const [status, killedBy] = await ended
    if (killedBy !== null)
      throw new Error(`${program} was killed by ${killedBy} while it unpacked an archive.`)
    if (status !== 0) throw corrupt(`${program} cannot unpack it (${firstLine(await complaint)})`)
  } catch (error) {
    throw explained(error, program)
  } finally {
    child.kill('SIGKILL')
  }
}

async function* gunzipped(path: string, range?: ByteRange): AsyncGenerator<Buffer> {
  const bytes = range?.bytes ?? (await stat(path)).size
  const engine = createGunzip({ chunkSize: OUT_BYTES })
  yield* through(bytesOf(path, range), engine)
  if (engine.bytesWritten !== bytes) throw corrupt('something follows its compressed data')
}

/** Node stops after the first frame without a word, so each frame is read on its own. */
async function* zstdFrames(path: string, range?: ByteRange): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const { start, bytes: size } = range ?? { start: 0, bytes: (await file.stat()).size }
  const end = start + size
  const view = new FileView(file, end)
  const maxFrames = FREE_ZSTD_FRAMES + size / BYTES_PER_ZSTD_FRAME
  let at = start
  for (let frames = 0; at < end; frames++) {
    if (frames > maxFrames) throw corrupt('it has too many zstd frames for its size')
    const bytes = await view.from(at)
    if (bytes.length >= 8 && (bytes.readUInt32LE(0) & ~0xf) === SKIPPABLE_MAGIC)
      at += 8 + bytes.readUInt32LE(4)
    else if (bytes.length < 4 || bytes.readUInt32LE(0) !== ZSTD_MAGIC)
      throw corrupt('something follows its compressed data')
    else {
      const small = smallZstdFrame(bytes)
      if (small !== null) yield small.content
      at += small?.sizeBytes ?? (yield* zstdFrame(path, { start: at, bytes: end - at }))
    }
  }
  if (at > end) throw corrupt('it is cut off in a zstd frame')
}

/** What a frame at the beginning of `bytes` holds; null if it does not end there, holds much, or is damaged. */
function smallZstdFrame(bytes: Buffer): { readonly content: Buffer; readonly sizeBytes: number } | null {
  const options = { info: true, chunkSize: 16 * 1024, maxOutputLength: SMALL_ZSTD_BYTES, params: ZSTD_PARAMS }
  try {
    const { buffer, engine } = zstdDecompressSync(
      bytes.subarray(0, SMALL_ZSTD_BYTES),
      options,
    ) as unknown as {
      readonly buffer: Buffer
      readonly engine: ZstdDecompress
    }
    return { content: buffer, sizeBytes: engine.bytesWritten }
  } catch {
    // The stream tells one cause from the other, and gives what can be read before a fault.
    return null
  }
}

async function* zstdFrame(path: string, range: ByteRange): AsyncGenerator<Buffer, number> {
  const engine = createZstdDecompress({ chunkSize: OUT_BYTES, params: ZSTD_PARAMS })
  yield* through(bytesOf(path, range), engine)
  return engine.bytesWritten
}

/** A file up to `end` seen through a buffer, for small steps forward. */
class FileView {
  readonly #file: FileHandle
  readonly #end: number
  #bytes = Buffer.alloc(0)
  #start = 0
  #atEnd = false

  constructor(file: FileHandle, end: number) {
    this.#file = file
    this.#end = end
  }

  /** At least 64 KiB from `at` on, or what there is until the end; `at` never goes back. */
  async from(at: number): Promise<Buffer> {
    const skipped = at - this.#start
    if (!this.#atEnd && skipped + SMALL_ZSTD_BYTES > this.#bytes.length) {
      const wanted = Math.min(READ_BYTES, this.#end - at)
      const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(wanted), 0, wanted, at)
      this.#bytes = buffer.subarray(0, bytesRead)
      this.#start = at
      this.#atEnd = bytesRead < READ_BYTES
    }
    return this.#bytes.subarray(at - this.#start)
  }
}

async function* through(source: Readable, engine: Gunzip | ZstdDecompress): AsyncGenerator<Buffer> {
  pipeline(source, engine, () => undefined)
  try {
    yield* engine
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (!/^(?:Z_|ZSTD_|ERR_ZLIB)/.test(code)) throw error
    throw new HubError(
      'archive.corrupt',
      `The archive cannot be unpacked (${message}). Pack and send it again.`,
      {},
      { cause: error },
    )
  }
}

async function firstBytes(stream: Readable, bytes: number): Promise<string> {
  let text = ''
  for await (const chunk of stream) text = `${text}${String(chunk)}`.slice(0, bytes)
  return text
}

/** bzip2 goes on with advice for whoever sits at the terminal. */
function firstLine(complaint: string): string {
  return complaint.trim().split('\n', 1).join('').slice(0, 200)
}

function explained(error: unknown, program: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error
  return new HubError(
    'archive.no_program',
    `the hub has no ${program}, which unpacks this format: send gzip or zstd, or ask its administrator to install it`,
    { program },
    { cause: error },
  )
}
