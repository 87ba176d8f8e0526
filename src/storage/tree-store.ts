/**
 * `overlays/<environment>/`: the newest published tree as plain files, for people and for use on the same host. It
 * follows the commits and is never read back; a marker in `var/` says which commit it shows.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Paths } from './paths.ts'

/** The content of each path: a reader of its bytes, or null when the path is gone. */
export type TreeChanges = ReadonlyMap<string, (() => Promise<Buffer>) | null>

export class TreeStore {
  readonly #paths: Paths

  constructor(paths: Paths) {
    this.#paths = paths
  }

  /** The commit that the folder shows; null when it is unknown, or when somebody emptied the folder. */
  async shown(environment: string): Promise<string | null> {
    const names = await readdir(this.#paths.overlayTree(environment)).catch(() => [])
    if (names.every((name) => name.startsWith('.'))) return null
    return await readFile(this.#paths.treeMarker(environment), 'utf8').catch(() => null)
  }

  /** Writes what changed. Each file is replaced by a rename, so that no reader meets half of one. */
  async apply(environment: string, commit: string, changes: TreeChanges): Promise<void> {
    const root = this.#paths.overlayTree(environment)
    await rm(this.#paths.treeMarker(environment), { force: true })
    for (const [path, read] of changes) {
      const target = join(root, path)
      if (read === null) await removeFile(root, target)
      else await replaceFile(target, await read())
    }
    await mkdir(dirname(this.#paths.treeMarker(environment)), { recursive: true })
    await writeFile(this.#paths.treeMarker(environment), commit)
  }

  /** Makes the folder show exactly `files`: for when what it shows is unknown. */
  async replace(
    environment: string,
    commit: string,
    files: ReadonlyMap<string, () => Promise<Buffer>>,
  ): Promise<void> {
    const root = this.#paths.overlayTree(environment)
    await mkdir(root, { recursive: true })
    const changes = new Map<string, (() => Promise<Buffer>) | null>(files)
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name).slice(root.length + 1)
      if (!entry.isDirectory() && !files.has(path) && !path.startsWith('.')) changes.set(path, null)
    }
    await this.apply(environment, commit, changes)
  }
}

async function replaceFile(target: string, content: Buffer): Promise<void> {
  const temporary = join(dirname(target), `.${randomUUID()}.tmp`)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(temporary, content)
  await rename(temporary, target)
}

/** Removes the file and the folders that it leaves empty. */
async function removeFile(root: string, target: string): Promise<void> {
  await rm(target, { force: true })
  for (let folder = dirname(target); folder.length > root.length; folder = dirname(folder)) {
    const isGone = await rmdir(folder).then(
      () => true,
      () => false,
    )
    if (!isGone) return
  }
}
