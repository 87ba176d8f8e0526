/**
 * The bytes of a compressed file, piece by piece, with memory bounded whatever the file says. gzip and zstd are Node's
 * own; xz and bzip2 are the programs of those names, given the open file and nothing else.
 * Sources: RFC 1952 and RFC 8878 (several members or frames in a row are one file), xz(1) "Memory usage".
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib'
import { HubError } from '../errors.ts'
import type { ArchiveFormat } from './archive-contents.ts'
import { corrupt } from './tar-header.ts'

const READ_BYTES = 1 << 20
const OUT_BYTES = 256 * 1024
/** 128 MiB: what the zstd program takes without being told more. */
const ZSTD_WINDOW_LOG = 27
/** A frame costs more to begin than to read when it is empty; pzstd's and those of seekable files have 64 KiB and more. */
const MAX_ZSTD_FRAMES = 500_000
const ZSTD_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const XZ_MEMORY = '256MiB'
const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Reads the file and undoes its compression. Leaving the iteration early ends all work on it.
 * @throws {HubError} `archive.corrupt` if the compressed data is damaged, cut off, followed by something else, or needs
 * more memory than the hub gives; `archive.no_program` if a program it needs is not installed.
 */
export async function* decompressed(
  path: string,
  format: ArchiveFormat,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  if (format === 'tar') yield* createReadStream(path, { highWaterMark: READ_BYTES })
  else if (format === 'tar.gz') yield* gunzipped(path)
  else if (format === 'tar.zst') yield* zstdFrames(path)
  else if (format === 'tar.xz')
    yield* outputOf('xz', ['-dc', `--memlimit-decompress=${XZ_MEMORY}`], path, signal)
  else yield* outputOf('bzip2', ['-dc'], path, signal)
}

/**
 * What a program writes when it gets the file as its input. It sees none of the hub's environment.
 * @throws {HubError} `archive.corrupt` if it ends with a failure; `archive.no_program`; `Error` if it was killed.
 */
export async function* outputOf(
  program: string,
  args: readonly string[],
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const child = spawn(program, args, {
    stdio: [file.fd, 'pipe', 'pipe'],
    env: { PATH: PROGRAM_PATH, LC_ALL: 'C' },
    ...(signal && { signal }),
    killSignal: 'SIGKILL',
  })
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  // Leaving early kills the child, and nobody waits for the reason then.
  ended.catch(() => undefined)
  const { stdout, stderr } = child as typeof child & { readonly stdout: Readable; readonly stderr: Readable }
  const complaint = firstBytes(stderr, 1000).catch(() => '')
  try {
    yield* stdout
    const [status, killedBy] = await ended
    if (killedBy !== null)
      throw new Error(`${program} was killed by ${killedBy} while it unpacked an archive.`)
    if (status !== 0) throw corrupt(`${program} cannot unpack it (${(await complaint).trim().slice(0, 200)})`)
  } catch (error) {
    throw explained(error, program)
  } finally {
    child.kill('SIGKILL')
  }
}

async function* gunzipped(path: string): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const { size } = await file.stat()
  const engine = createGunzip({ chunkSize: OUT_BYTES })
  yield* through(createReadStream(path, { highWaterMark: READ_BYTES }), engine)
  if (engine.bytesWritten !== size) throw corrupt('something follows its compressed data')
}

/** Node stops after the first frame without a word, so each frame is read on its own. */
async function* zstdFrames(path: string): AsyncGenerator<Buffer> {
  await using file = await open(path)
  const { size } = await file.stat()
  const head = Buffer.alloc(8)
  let at = 0
  for (let frames = 0; at < size; frames++) {
    if (frames === MAX_ZSTD_FRAMES) throw corrupt(`it has more than ${MAX_ZSTD_FRAMES} zstd frames`)
    const { bytesRead } = await file.read(head, 0, 8, at)
    if (bytesRead === 8 && (head.readUInt32LE(0) & ~0xf) === SKIPPABLE_MAGIC) at += 8 + head.readUInt32LE(4)
    else if (bytesRead < 4 || head.readUInt32LE(0) !== ZSTD_MAGIC)
      throw corrupt('something follows its compressed data')
    else at += yield* zstdFrame(path, at)
  }
  if (at > size) throw corrupt('it is cut off in a zstd frame')
}

async function* zstdFrame(path: string, start: number): AsyncGenerator<Buffer, number> {
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG }
  const engine = createZstdDecompress({ chunkSize: OUT_BYTES, params })
  yield* through(createReadStream(path, { start, highWaterMark: READ_BYTES }), engine)
  return engine.bytesWritten
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

function explained(error: unknown, program: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error
  return new HubError(
    'archive.no_program',
    `the hub has no ${program}, which unpacks this format: send gzip or zstd, or ask its administrator to install it`,
    { program },
    { cause: error },
  )
}
