/**
 * `overlays/<environment>/`: the newest published tree as plain files, for people and for use on the same host. It
 * follows the commits and is never read back; a marker in `var/` says which commit it shows.
 */
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { UNWATCHED } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { REAL_DISK } from './disk.ts'
import type { Disk } from './disk.ts'
import { removeQuietly } from './durable-write.ts'
import type { Paths } from './paths.ts'

/** The content of each path: a reader of its bytes, or null when the path is gone. */
export type TreeChanges = ReadonlyMap<string, (() => Promise<Buffer>) | null>

export class TreeStore {
  readonly #paths: Paths
  readonly #disk: Disk
  readonly #steps: Steps

  constructor(
    paths: Paths,
    { disk = REAL_DISK, steps = UNWATCHED }: { readonly disk?: Disk; readonly steps?: Steps } = {},
  ) {
    this.#paths = paths
    this.#disk = disk
    this.#steps = steps
  }

  /** The commit that the folder shows; null when it is unknown, or when somebody emptied the folder. */
  async shown(environment: string): Promise<string | null> {
    const names = await this.#disk.readdir(this.#paths.overlayTree(environment)).catch(() => [])
    if (names.every((name) => name.startsWith('.'))) return null
    return await this.#disk.readFile(this.#paths.treeMarker(environment), 'utf8').catch(() => null)
  }

  /** Writes what changed. Each file is replaced by a rename, so that no reader meets half of one. */
  async apply(environment: string, commit: string, changes: TreeChanges): Promise<void> {
    const root = this.#paths.overlayTree(environment)
    const marker = this.#paths.treeMarker(environment)
    await this.#disk.rm(marker, { force: true })
    this.#steps.reached('tree.begun')
    for (const [path, read] of changes) {
      const target = join(root, path)
      if (read === null) await this.#removeFile(root, target)
      else await this.#replaceFile(target, await read())
    }
    await this.#disk.mkdir(dirname(marker), { recursive: true })
    await this.#disk.writeFile(marker, commit)
    this.#steps.reached('tree.written')
  }

  /** Makes the folder show exactly `files`: for when what it shows is unknown. */
  async replace(
    environment: string,
    commit: string,
    files: ReadonlyMap<string, () => Promise<Buffer>>,
  ): Promise<void> {
    const root = this.#paths.overlayTree(environment)
    await this.#disk.mkdir(root, { recursive: true })
    const changes = new Map<string, (() => Promise<Buffer>) | null>(files)
    for (const entry of await this.#disk.readdir(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name).slice(root.length + 1)
      if (!entry.isDirectory() && !files.has(path) && !path.startsWith('.')) changes.set(path, null)
    }
    await this.apply(environment, commit, changes)
  }

  async #replaceFile(target: string, content: Buffer): Promise<void> {
    const temporary = join(dirname(target), `.${randomUUID()}.tmp`)
    await this.#disk.mkdir(dirname(target), { recursive: true })
    try {
      await this.#disk.writeFile(temporary, content)
      this.#steps.reached('tree.file-written')
      await this.#disk.rename(temporary, target)
    } catch (error) {
      await removeQuietly(temporary, this.#disk)
      throw error
    }
  }

  /** Removes the file and the folders that it leaves empty. */
  async #removeFile(root: string, target: string): Promise<void> {
    await this.#disk.rm(target, { force: true })
    for (let folder = dirname(target); folder.length > root.length; folder = dirname(folder)) {
      const isGone = await this.#disk.rmdir(folder).then(
        () => true,
        () => false,
      )
      if (!isGone) return
    }
  }
}
