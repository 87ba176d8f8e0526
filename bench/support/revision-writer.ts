/**
 * Writes the tarballs of a filled archive, signs its revisions and writes their objects: in a thread of its own, while
 * the texts, rows and trees of the next are being made.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { unixSeconds } from '../../src/clock.ts'
import type { Oid } from '../../src/git/objects.ts'
import { encodeTreeDelta } from '../../src/git/delta.ts'
import { newObjects } from '../../src/git/tree-diff.ts'
import type { Tree } from '../../src/git/tree.ts'
import type { RevisionRow } from '../../src/records/overlays.ts'
import type { Paths } from '../../src/storage/paths.ts'

/** Batches on their way to the thread: enough that it never waits, few enough that they fit into memory. */
const MOST_UNDER_WAY = 3

export interface NewRevision {
  readonly number: number
  readonly before: Tree
  readonly tree: Tree
  readonly at: Date
  readonly author: string
  readonly message: string
  /** Content of every blob that is new in it. */
  readonly texts: ReadonlyMap<Oid, Buffer>
  readonly tarball: NewTarball
}

export interface NewTarball {
  readonly bytes: Uint8Array
  /** Paths in the archive and in the environment's mirror. */
  readonly blob: string
  readonly mirrorFile: string
}

export interface PlainObject {
  readonly type: 'tree' | 'blob'
  readonly oid: Oid
  /** A delta to `base` if there is one. */
  readonly content: Uint8Array
  readonly base?: Oid
}

/** A revision as the thread gets it. */
export interface Unsigned extends Pick<NewRevision, 'number' | 'author' | 'message' | 'tarball'> {
  readonly treeOid: Oid
  readonly timeSec: number
  readonly objects: readonly PlainObject[]
}

export interface WriterSettings {
  readonly environment: string
  readonly parent: Oid
  readonly keys: string
  readonly repository: string
}

export class RevisionWriter implements AsyncDisposable {
  readonly #worker: Worker
  readonly #rows: RevisionRow[] = []
  readonly #packed = new Set<Oid>()
  #batch: Unsigned[] = []
  #underWay = 0
  #failure: Error | null = null

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('error', (error) => {
      this.#failure = error as Error
    })
    worker.on('message', (rows: readonly RevisionRow[]) => {
      for (const row of rows) this.#rows.push(row)
      this.#underWay--
    })
  }

  /** `parent`: the commit that the first revision follows. */
  static async start(at: {
    readonly paths: Paths
    readonly environment: string
    readonly parent: Oid
  }): Promise<RevisionWriter> {
    const { paths, environment, parent } = at
    const repository = paths.overlayRepository(environment)
    const settings: WriterSettings = { environment, parent, keys: paths.keys, repository }
    const worker = new Worker(new URL('./revision-worker.ts', import.meta.url), { workerData: settings })
    await once(worker, 'online')
    return new RevisionWriter(worker)
  }

  /** The next revision. Its trees are turned to bytes at once: some hundred large ones would fill the memory. */
  add(revision: NewRevision): void {
    this.#batch.push(unsigned(revision, this.#packed))
  }

  /** Hands over what was added since, as one pack; resolves when there is room for more. */
  async flush(): Promise<void> {
    this.#underWay++
    this.#worker.postMessage(this.#batch)
    this.#batch = []
    this.#packed.clear()
    await this.#until(() => this.#underWay < MOST_UNDER_WAY)
  }

  /** Writes the rest and moves the repository's ref; gives all rows. */
  async finish(): Promise<readonly RevisionRow[]> {
    this.#underWay++
    this.#worker.postMessage(null)
    await this.#until(() => this.#underWay === 0)
    return this.#rows
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue() && this.#failure === null) await once(this.#worker, 'message')
    if (this.#failure !== null) throw this.#failure
  }
}

function unsigned(revision: NewRevision, packed: Set<Oid>): Unsigned {
  const { number, author, message, tarball, at, before, tree, texts } = revision
  const { trees, blobs } = newObjects(before, tree)
  const objects: PlainObject[] = []
  for (const { tree: folder, base } of trees) {
    if (packed.has(folder.oid)) continue
    packed.add(folder.oid)
    const { oid, content } = folder
    if (base && packed.has(base.oid)) {
      objects.push({ type: 'tree', oid, content: encodeTreeDelta(base, folder), base: base.oid })
    } else objects.push({ type: 'tree', oid, content })
  }
  for (const oid of blobs) {
    const content = texts.get(oid)
    if (!content) throw new Error(`revision ${number} has a text ${oid} that it did not make`)
    objects.push({ type: 'blob', oid, content })
  }
  return { number, author, message, tarball, treeOid: tree.oid, timeSec: unixSeconds(at), objects }
}
