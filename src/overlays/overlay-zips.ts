/** Zips of overlays, each made once and kept in memory while there is room: polls and downloads cost no work. */
import { ByteCache } from '../byte-cache.ts'
import type { Oid } from '../git/objects.ts'
import type { Tree } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import { Turns } from '../turns.ts'
import { readOverlayBlobs } from './overlay-history.ts'
import type { ZippedFile } from './zip-format.ts'
import { zipTree } from './zip-tree.ts'

const KEPT_BYTES = 256 * 1024 * 1024
/** Files as zips hold them: the next zip has most of them too. */
const KEPT_FILES_BYTES = 64 * 1024 * 1024

export class OverlayZips {
  readonly #needs: Pick<Hub, 'records' | 'steps'>
  /** In the order of their last use, oldest first. */
  readonly #zips = new Map<Oid, Promise<Buffer>>()
  readonly #files = new ByteCache<ZippedFile>(KEPT_FILES_BYTES)
  readonly #turns = new Turns()

  constructor(needs: Pick<Hub, 'records' | 'steps'>) {
    this.#needs = needs
  }

  /** The zip of a tree. Two that ask at the same time get the one that is being made. */
  async zipOf(tree: Tree): Promise<Buffer> {
    const known = this.#zips.get(tree.oid)
    this.#zips.delete(tree.oid)
    const zip = known ?? this.#make(tree)
    this.#zips.set(tree.oid, zip)
    try {
      const bytes = await zip
      if (known === undefined) this.#needs.steps.reached('zip.made')
      await this.#makeRoom()
      return bytes
    } catch (error) {
      this.#zips.delete(tree.oid)
      throw error
    }
  }

  /** One at a time: the next has nearly all files of the one before, and at the same time each would make them all. */
  async #make(tree: Tree): Promise<Buffer> {
    const read = async (oids: readonly Oid[]) => await readOverlayBlobs(this.#needs.records, oids)
    return await this.#turns.run('zip', async () => await zipTree(tree, read, this.#files))
  }

  /** Strong validator of the zip of a tree, known without making it. */
  static etag(tree: Tree): string {
    return `"zip2-${tree.oid}"`
  }

  async #makeRoom(): Promise<void> {
    const sizes = await Promise.all(
      [...this.#zips].map(async ([oid, zip]) => [oid, (await zip).byteLength] as const),
    )
    let total = sizes.reduce((sum, [, size]) => sum + size, 0)
    for (const [oid, size] of sizes.slice(0, -1)) {
      if (total <= KEPT_BYTES) return
      this.#zips.delete(oid)
      total -= size
    }
  }
}
