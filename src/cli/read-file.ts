/** Files that a command is given: small ones whole, a tarball piece by piece. */
import { open, readFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { EXIT } from './exit-status.ts'
import { Failure } from './failure.ts'

const CHUNK_BYTES = 1 << 20

/** The bytes of a file, or of standard input for `-`. @throws {Failure} when it cannot be read. */
export async function readWhole(path: string): Promise<Buffer> {
  try {
    return path === '-' ? await buffer(process.stdin) : await readFile(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** A file whose bytes are read more than once; its size is that at the opening. */
export class GivenFile implements AsyncDisposable {
  readonly path: string
  readonly sizeBytes: number
  readonly #handle: FileHandle

  private constructor(path: string, sizeBytes: number, handle: FileHandle) {
    this.path = path
    this.sizeBytes = sizeBytes
    this.#handle = handle
  }

  /** @throws {Failure} when it is no file that can be read. */
  static async open(path: string): Promise<GivenFile> {
    try {
      const handle = await open(path)
      const stats = await handle.stat()
      if (stats.isFile()) return new GivenFile(path, stats.size, handle)
      await handle.close()
    } catch (error) {
      throw unreadable(path, error)
    }
    throw new Failure('fault', `${path} is no ordinary file; name the tarball itself`, EXIT.fault)
  }

  /**
   * Its bytes, from `from` on. `onRead` hears how far it is, counted from the file's start.
   * @throws {Failure} when it became shorter.
   */
  async *chunks(onRead: (bytes: number) => void, from = 0): AsyncGenerator<Buffer> {
    for (let at = from; at < this.sizeBytes;) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, this.sizeBytes - at))
      const { bytesRead } = await this.#handle
        .read(chunk, 0, chunk.byteLength, at)
        .catch((error: unknown) => {
          throw unreadable(this.path, error)
        })
      if (bytesRead === 0) {
        throw new Failure('fault', `${this.path} became shorter while it was read; send it again`, EXIT.fault)
      }
      at += bytesRead
      yield chunk.subarray(0, bytesRead)
      onRead(at)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

function unreadable(path: string, error: unknown): Failure {
  return new Failure('fault', `${path} cannot be read: ${(error as Error).message}`, EXIT.fault)
}
