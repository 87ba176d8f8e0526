/**
 * The archive on disk: every tarball once, named by its SHA512. A blob is first a temporary file in `var/uploads/`;
 * `adopt` makes it durable and visible in one rename. Nothing here is ever overwritten.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Paths } from './paths.ts'
import { makeDirectoryDurably, syncDirectory } from './durable-write.ts'

const ADOPTING = '.adopting'

/** A blob that waits for its row. */
export interface Adoption {
  /** The row is written. */
  settle(): Promise<void>
  /** There will be no row: the blob goes too, unless it was there before. */
  undo(): Promise<void>
}

export class BlobStore {
  readonly #paths: Paths

  private constructor(paths: Paths) {
    this.#paths = paths
  }

  /** Opens the store, making its folders. */
  static async open(paths: Paths): Promise<BlobStore> {
    await makeDirectoryDurably(paths.archive)
    await makeDirectoryDurably(paths.uploads, 0o700)
    return new BlobStore(paths)
  }

  /**
   * Sweeps what an earlier process left of its uploads: half-received files, and blobs whose row was never written.
   * Only before the first upload is taken.
   */
  async sweep(isRecorded: (sha512: string) => Promise<boolean>): Promise<void> {
    for (const leftover of await readdir(this.#paths.uploads)) {
      const sha512 = leftover.endsWith(ADOPTING) ? leftover.slice(0, leftover.indexOf('.')) : null
      if (sha512 !== null && !(await isRecorded(sha512))) await rm(this.#paths.blob(sha512), { force: true })
      await rm(join(this.#paths.uploads, leftover), { recursive: true, force: true })
    }
  }

  /** A fresh file for an upload in progress. The caller adopts it or discards it. */
  async createUpload(): Promise<{ readonly path: string; readonly handle: FileHandle }> {
    const path = join(this.#paths.uploads, randomUUID())
    return { path, handle: await open(path, 'wx+', 0o600) }
  }

  /** Removes an upload that will not be kept; no error if it is gone. */
  async discard(uploadPath: string): Promise<void> {
    await rm(uploadPath, { force: true })
  }

  /**
   * Turns a received upload, whose bytes the caller has fsynced, into the blob `sha512`; when it returns, the blob
   * survives a power cut. The upload stays beside it under a name that says whose it is, until the caller has its row
   * (`settle`) or gives up (`undo`): so that a start after a crash knows which blobs never got one.
   */
  async adopt(uploadPath: string, sha512: string): Promise<Adoption> {
    const target = this.#paths.blob(sha512)
    const marker = join(this.#paths.uploads, `${sha512}.${randomUUID()}${ADOPTING}`)
    await chmod(uploadPath, 0o444)
    await rename(uploadPath, marker)
    await syncDirectory(this.#paths.uploads)
    let isNew = false
    const settle = async (): Promise<void> => {
      await rm(marker, { force: true })
    }
    const undo = async (): Promise<void> => {
      if (isNew) await rm(target, { force: true })
      await settle()
    }
    try {
      isNew = (await this.sizeBytes(sha512)) === null
      if (isNew) await this.#addBlob(marker, sha512)
    } catch (error) {
      await undo()
      throw error
    }
    return { settle, undo }
  }

  async #addBlob(from: string, sha512: string): Promise<void> {
    await makeDirectoryDurably(this.#paths.blobDirectory(sha512))
    await linkOrCopy(from, this.#paths.blob(sha512))
    await syncDirectory(this.#paths.blobDirectory(sha512))
  }

  /** Where the blob's bytes lie, for reading. */
  path(sha512: string): string {
    return this.#paths.blob(sha512)
  }

  /** Size of the blob, or null when it is not there. */
  async sizeBytes(sha512: string): Promise<number | null> {
    try {
      return (await stat(this.#paths.blob(sha512))).size
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  /** The digests of all blobs there are, for checks against the records. */
  async *list(): AsyncGenerator<string> {
    for (const directory of await readdir(this.#paths.archive)) {
      if (!/^[0-9a-f]{2}$/.test(directory)) continue
      for (const name of await readdir(join(this.#paths.archive, directory))) {
        if (/^[0-9a-f]{128}$/.test(name)) yield name
      }
    }
  }

  /** Shows the blob in an environment's mirror under `distfileName`. Doing it again changes nothing. */
  async linkIntoMirror(environment: string, distfileName: string, sha512: string): Promise<void> {
    await mkdir(this.#paths.mirror(environment), { recursive: true })
    await linkOrCopy(this.#paths.blob(sha512), this.#paths.mirrorFile(environment, distfileName))
    await syncDirectory(this.#paths.mirror(environment))
  }

  /** Names of the files that an environment's mirror shows. */
  async mirrored(environment: string): Promise<readonly string[]> {
    try {
      return await readdir(this.#paths.mirror(environment))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  /** Takes a file out of an environment's mirror; the archive keeps its bytes. */
  async unlinkFromMirror(environment: string, fileName: string): Promise<void> {
    await rm(this.#paths.mirrorFile(environment, fileName), { force: true })
  }
}

/** A second name for the same bytes; a copy where the file system boundary allows no link. A name that is there stays. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') return
    if (code !== 'EXDEV') throw error
    const temporary = `${to}.${randomUUID()}.tmp`
    await copyFile(from, temporary, constants.COPYFILE_EXCL)
    const handle = await open(temporary, 'r')
    await handle.sync()
    await handle.close()
    await rename(temporary, to)
  }
}
