/**
 * The archive on disk: every tarball once, named by its SHA512. What restore points brought is kept by another store of
 * the same kind, which only the hub's own user may read. A blob is first a temporary file in `var/uploads/`;
 * `adopt` makes it durable and visible in one rename. Nothing here is ever overwritten.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { UNWATCHED } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { REAL_DISK } from './disk.ts'
import type { Disk } from './disk.ts'
import {
  isTemporary,
  makeDirectoryDurably,
  removeQuietly,
  syncDirectory,
  temporaryBeside,
} from './durable-write.ts'
import type { Paths } from './paths.ts'

const ADOPTING = '.adopting'

/** A blob that waits for its row. */
export interface Adoption {
  /** The row is written. Never fails: what it cannot remove, the next start does. */
  settle(): Promise<void>
  /** There will be no row: the blob goes too, unless it was there before. */
  undo(): Promise<void>
}

export interface BlobStoreParts {
  readonly disk?: Disk
  readonly steps?: Steps
  /** Whether only the hub's own user may read the blobs. */
  readonly isPrivate?: boolean
}

/** Permission bits of folders and blobs. */
const PUBLIC = { folder: 0o755, blob: 0o444 } as const
const PRIVATE = { folder: 0o700, blob: 0o400 } as const

export class BlobStore {
  readonly #paths: Paths
  readonly #disk: Disk
  readonly #steps: Steps
  readonly #modes: typeof PUBLIC | typeof PRIVATE

  private constructor(
    paths: Paths,
    { disk = REAL_DISK, steps = UNWATCHED, isPrivate = false }: BlobStoreParts,
  ) {
    this.#paths = paths
    this.#disk = disk
    this.#steps = steps
    this.#modes = isPrivate ? PRIVATE : PUBLIC
  }

  /** Opens the store, making its folders. */
  static async open(paths: Paths, parts: BlobStoreParts = {}): Promise<BlobStore> {
    const { disk, isPrivate = false } = parts
    await makeDirectoryDurably(paths.archive, (isPrivate ? PRIVATE : PUBLIC).folder, disk)
    await makeDirectoryDurably(paths.uploads, 0o700, disk)
    return new BlobStore(paths, parts)
  }

  /**
   * Sweeps what an earlier process left of its uploads: half-received files, blobs whose row was never written, and
   * copies that did not end. Only before the first upload is taken.
   */
  async sweep(isRecorded: (sha512: string) => Promise<boolean>): Promise<void> {
    for (const leftover of await this.#disk.readdir(this.#paths.uploads)) {
      const sha512 = leftover.endsWith(ADOPTING) ? leftover.slice(0, leftover.indexOf('.')) : null
      if (sha512 !== null && !(await isRecorded(sha512))) {
        await this.#disk.rm(this.#paths.blob(sha512), { force: true })
        this.#steps.reached('sweep.blob-removed')
      }
      await this.#disk.rm(join(this.#paths.uploads, leftover), { recursive: true, force: true })
    }
    for (const name of (await this.#disk.readdir(this.#paths.archive)).filter(isTemporary))
      await this.#disk.rm(join(this.#paths.archive, name), { force: true })
  }

  /** A fresh file for an upload in progress. The caller adopts it or discards it. */
  async createUpload(): Promise<{ readonly path: string; readonly handle: FileHandle }> {
    const path = join(this.#paths.uploads, randomUUID())
    const handle = await this.#disk.open(path, 'wx+', 0o600)
    this.#steps.reached('upload.created')
    return { path, handle }
  }

  /** Removes an upload that will not be kept. Never fails: what it cannot remove, the next start does. */
  async discard(uploadPath: string): Promise<void> {
    await removeQuietly(uploadPath, this.#disk)
  }

  /**
   * Turns a received upload, whose bytes the caller has fsynced, into the blob `sha512`; when it returns, the blob
   * survives a power cut. The upload stays beside it under a name that says whose it is, until the caller has its row
   * (`settle`) or gives up (`undo`): so that a start after a crash knows which blobs never got one.
   */
  async adopt(uploadPath: string, sha512: string): Promise<Adoption> {
    const target = this.#paths.blob(sha512)
    const marker = join(this.#paths.uploads, `${sha512}.${randomUUID()}${ADOPTING}`)
    let isNew = false
    const settle = async (): Promise<void> => {
      await removeQuietly(marker, this.#disk)
    }
    const undo = async (): Promise<void> => {
      // The marker goes last: while the blob may be there without a row, a start must know of it.
      if (isNew) await this.#disk.rm(target, { force: true })
      await settle()
    }
    await this.#disk.chmod(uploadPath, this.#modes.blob)
    await this.#disk.rename(uploadPath, marker)
    try {
      await syncDirectory(this.#paths.uploads, this.#disk)
      this.#steps.reached('blob.marked')
      isNew = (await this.sizeBytes(sha512)) === null
      await this.#addBlob(marker, sha512)
      this.#steps.reached('blob.adopted')
    } catch (error) {
      await undo().catch(() => undefined)
      throw error
    }
    return { settle, undo }
  }

  /** For a blob that is there too: an earlier fsync of its folder may have failed. */
  async #addBlob(from: string, sha512: string): Promise<void> {
    const directory = this.#paths.blobDirectory(sha512)
    await makeDirectoryDurably(directory, this.#modes.folder, this.#disk)
    // A copy begins in the archive's own folder, which a start can sweep without a look at every blob.
    const temporary = temporaryBeside(join(this.#paths.archive, basename(from)))
    await this.#linkOrCopy(from, this.#paths.blob(sha512), temporary)
    this.#steps.reached('blob.linked')
    await syncDirectory(directory, this.#disk)
  }

  /** Where the blob's bytes lie, for reading. */
  path(sha512: string): string {
    return this.#paths.blob(sha512)
  }

  /** The blob's path below the archive's folder, as a server in front may find it. */
  archiveName(sha512: string): string {
    return relative(this.#paths.archive, this.#paths.blob(sha512))
  }

  /** Removes a blob that no row names any more. */
  async remove(sha512: string): Promise<void> {
    await this.#disk.rm(this.#paths.blob(sha512), { force: true })
  }

  /** Size of the blob, or null when it is not there. */
  async sizeBytes(sha512: string): Promise<number | null> {
    try {
      return (await this.#disk.stat(this.#paths.blob(sha512))).size
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  /** The digests of all blobs there are, for checks against the records. */
  async *list(): AsyncGenerator<string> {
    for (const directory of await this.#disk.readdir(this.#paths.archive)) {
      if (!/^[0-9a-f]{2}$/.test(directory)) continue
      for (const name of await this.#disk.readdir(join(this.#paths.archive, directory))) {
        if (/^[0-9a-f]{128}$/.test(name)) yield name
      }
    }
  }

  /** Shows the blob in an environment's mirror under `distfileName`. Doing it again changes nothing. */
  async linkIntoMirror(environment: string, distfileName: string, sha512: string): Promise<void> {
    const target = this.#paths.mirrorFile(environment, distfileName)
    await makeDirectoryDurably(this.#paths.mirror(environment), 0o755, this.#disk)
    await this.#linkOrCopy(this.#paths.blob(sha512), target, temporaryBeside(target))
    await syncDirectory(this.#paths.mirror(environment), this.#disk)
    this.#steps.reached('mirror.linked')
  }

  /** Names of the files that an environment's mirror shows. */
  async mirrored(environment: string): Promise<readonly string[]> {
    try {
      return await this.#disk.readdir(this.#paths.mirror(environment))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  /** Takes a file out of an environment's mirror; the archive keeps its bytes. */
  async unlinkFromMirror(environment: string, fileName: string): Promise<void> {
    await this.#disk.rm(this.#paths.mirrorFile(environment, fileName), { force: true })
  }

  /**
   * A second name for the same bytes; a copy, made as `temporary`, where the file system boundary allows no link. A
   * name that is there stays.
   */
  async #linkOrCopy(from: string, to: string, temporary: string): Promise<void> {
    try {
      await this.#disk.link(from, to)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EEXIST') return
      if (code !== 'EXDEV') throw error
      await this.#copy(from, to, temporary)
    }
  }

  async #copy(from: string, to: string, temporary: string): Promise<void> {
    try {
      await this.#disk.copyFile(from, temporary, constants.COPYFILE_EXCL)
      const handle = await this.#disk.open(temporary, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
      await this.#disk.rename(temporary, to)
    } catch (error) {
      await removeQuietly(temporary, this.#disk)
      throw error
    }
  }
}
