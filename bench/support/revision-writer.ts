/**
 * Makes the trees of a filled archive's revisions, signs them and writes their objects: in a thread of its own, while
 * the texts and rows of the next are being made. Files and texts are written and packed on this side of it: the two
 * have about the same to do.
 */
import { linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Oid } from '../../src/git/objects.ts'
import { packObject } from '../../src/git/pack.ts'
import type { PackEntry } from '../../src/git/pack.ts'
import type { RevisionRow } from '../../src/records/overlays.ts'
import type { Paths } from '../../src/storage/paths.ts'

/** Batches on their way to the thread: enough that it never waits, few enough that they fit into memory. */
const MOST_UNDER_WAY = 3

export interface NewRevision {
  readonly number: number
  readonly changes: readonly (readonly [path: string, oid: Oid | null])[]
  readonly timeSec: number
  readonly author: string
  readonly message: string
  /** Content of every blob that is new in it. */
  readonly texts: ReadonlyMap<Oid, Buffer>
  readonly tarball: NewTarball
}

export interface NewTarball {
  readonly bytes: Buffer
  /** Paths in the archive and in the environment's mirror. */
  readonly blob: string
  readonly mirrorFile: string
}

/** A revision as the thread gets it. */
export interface PackedRevision extends Omit<NewRevision, 'texts' | 'tarball'> {
  readonly blobs: readonly PackEntry[]
}

export interface WriterSettings {
  readonly environment: string
  /** The commit that the first revision follows, and its files. */
  readonly parent: Oid
  readonly files: readonly (readonly [path: string, oid: Oid])[]
  readonly keys: string
  readonly repository: string
}

export class RevisionWriter implements AsyncDisposable {
  readonly #worker: Worker
  readonly #rows: RevisionRow[] = []
  #batch: NewRevision[] = []
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

  static async start(
    at: Pick<WriterSettings, 'environment' | 'parent' | 'files'> & { readonly paths: Paths },
  ): Promise<RevisionWriter> {
    const { paths, ...rest } = at
    const repository = paths.overlayRepository(at.environment)
    const settings: WriterSettings = { ...rest, keys: paths.keys, repository }
    const worker = new Worker(new URL('./revision-worker.ts', import.meta.url), { workerData: settings })
    await once(worker, 'online')
    return new RevisionWriter(worker)
  }

  add(revision: NewRevision): void {
    this.#batch.push(revision)
  }

  /** Hands over what was added since, as one pack; resolves when there is room for more. */
  async flush(): Promise<void> {
    const revisions: PackedRevision[] = []
    for (const { texts, tarball, ...revision } of this.#batch) {
      keepTarball(tarball)
      const blobs = Array.from(texts, async ([oid, content]) => await packObject('blob', oid, content))
      revisions.push({ ...revision, blobs: await Promise.all(blobs) })
    }
    this.#batch = []
    this.#underWay++
    this.#worker.postMessage(revisions)
    await this.#until(() => this.#underWay < MOST_UNDER_WAY)
  }

  /** Waits for all of it, and for the repository's ref at the newest; gives the rows. */
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

/** Into the archive, and by its distfile's name into the environment's mirror. */
function keepTarball({ bytes, blob, mirrorFile }: NewTarball): void {
  mkdirSync(dirname(blob), { recursive: true })
  writeFileSync(blob, bytes, { mode: 0o444, flag: 'wx' })
  linkSync(blob, mirrorFile)
}
