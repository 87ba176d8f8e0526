/**
 * The bytes of resumable uploads: one file each in `var/partial-uploads/`, written from its start to its end by one
 * request at a time. How much of a file counts is in the records; a file may have more, which is cut off before
 * anything is written behind it.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Holds } from '../holds.ts'
import { REAL_DISK } from './disk.ts'
import type { Disk } from './disk.ts'
import { makeDirectoryDurably, removeQuietly, syncDirectory } from './durable-write.ts'
import type { Paths } from './paths.ts'

export class PartialUploads implements AsyncDisposable {
  readonly #paths: Paths
  readonly #disk: Disk
  /** Who writes to which upload now. */
  readonly holds = new Holds()

  private constructor(paths: Paths, disk: Disk) {
    this.#paths = paths
    this.#disk = disk
  }

  /** Opens the folder, making it if it is not there. */
  static async open(
    paths: Paths,
    { disk = REAL_DISK }: { readonly disk?: Disk } = {},
  ): Promise<PartialUploads> {
    await makeDirectoryDurably(paths.partialUploads, 0o700, disk)
    return new PartialUploads(paths, disk)
  }

  /** Makes the empty file of a new upload; when it returns, it survives a power cut. */
  async create(id: string): Promise<void> {
    const handle = await this.#disk.open(this.#paths.partialUpload(id), 'wx', 0o600)
    await handle.close()
    await syncDirectory(this.#paths.partialUploads, this.#disk)
  }

  /**
   * Opens the file to be written from `offsetBytes` on; what an earlier process or a refused chunk left behind that is
   * cut off.
   * @returns null when the file is missing or shorter: its bytes are lost.
   */
  async openAt(id: string, offsetBytes: number): Promise<FileHandle | null> {
    const handle = await this.#disk.open(this.#paths.partialUpload(id), 'r+').catch(nullIfMissing)
    if (handle === null) return null
    try {
      const { size } = await handle.stat()
      if (size > offsetBytes) await handle.truncate(offsetBytes)
      if (size >= offsetBytes) return handle
    } catch (error) {
      await handle.close()
      throw error
    }
    await handle.close()
    return null
  }

  /** Size of the file, or null when it is not there. */
  async sizeBytes(id: string): Promise<number | null> {
    return (await this.#disk.stat(this.#paths.partialUpload(id)).catch(nullIfMissing))?.size ?? null
  }

  /** No error if it is gone. */
  async remove(id: string): Promise<void> {
    await this.#disk.rm(this.#paths.partialUpload(id), { force: true })
  }

  /** The ids of all files there are. */
  async list(): Promise<readonly string[]> {
    return await this.#disk.readdir(this.#paths.partialUploads)
  }

  /**
   * A second name in `var/uploads/` for the bytes of a finished upload, to be archived or discarded: whatever becomes
   * of it, the upload itself stays. Null when the file is missing.
   */
  async lend(id: string): Promise<string | null> {
    return await this.#lend(this.#paths.partialUpload(id))
  }

  /** The same for bytes that are archived already. */
  async lendBlob(sha512: string): Promise<string | null> {
    return await this.#lend(this.#paths.blob(sha512))
  }

  async #lend(from: string): Promise<string | null> {
    const to = join(this.#paths.uploads, randomUUID())
    try {
      await this.#linkOrCopy(from, to)
      return to
    } catch (error) {
      await removeQuietly(to, this.#disk)
      return nullIfMissing(error)
    }
  }

  /** The archive may lie on another file system, and some know no second names: such bytes are copied. */
  async #linkOrCopy(from: string, to: string): Promise<void> {
    try {
      await this.#disk.link(from, to)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) throw error
      await this.#disk.copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
      const handle = await this.#disk.open(to, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    }
  }

  /** Ends the requests that still write. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.holds.endAll()
  }
}

function nullIfMissing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
  throw error
}
