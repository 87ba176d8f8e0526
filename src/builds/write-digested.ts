/**
 * Writes a file and digests it in one pass: bytes are gathered into blocks, and each block is written by the thread pool
 * while two threads digest it. The disk is asked to keep what it has while more arrives, so that little is left to wait
 * for at the end.
 */
import type { FileHandle } from 'node:fs/promises'
import { type Block, BLOCK_BYTES, BlockUser } from './blocks.ts'
import { BlockDigests, digestBytes } from './digest-blocks.ts'
import type { Digests } from './digest-blocks.ts'

/** Written bytes of one file after which the disk is asked to keep them. */
const SYNC_BYTES = 32 << 20
/** A waiting sync holds one of the pool's four threads, which reads of others need too. */
const SYNCS_AT_A_TIME = 1

let syncing = 0

/** A file that is being written from its start. Disposing it gives up what is left to do; it closes nothing. */
export class DigestedWriter implements Disposable {
  readonly #handle: FileHandle
  readonly #memory = new BlockUser()
  #digests: BlockDigests | null = null
  #block: Block | null = null
  #blockBytes = 0
  #position = 0
  #unsyncedBytes = 0
  /** Blocks that are being written and digested, oldest first; rejections are told by `#failure`. */
  readonly #busy: Promise<void>[] = []
  #syncs: Promise<void> = Promise.resolve()
  #failure: { readonly cause: unknown } | null = null

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /**
   * Takes the next bytes, which may be changed when this resolves; it waits while memory is short.
   * @throws the file system's error, of these or of earlier bytes; `Error` if a thread died.
   */
  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk
    while (rest.length > 0) {
      this.#block ??= this.#memory.take()
      const piece = rest.subarray(0, BLOCK_BYTES - this.#blockBytes)
      new Uint8Array(this.#block).set(piece, this.#blockBytes)
      this.#blockBytes += piece.length
      rest = rest.subarray(piece.length)
      if (this.#blockBytes === BLOCK_BYTES) await this.#passOn(this.#block)
    }
  }

  /** Waits until all bytes are on disk, to survive a power cut, and digested. Call it once. @throws as `write`. */
  async finish(): Promise<Digests> {
    if (this.#digests === null) return await this.#finishSmall()
    if (this.#block !== null) await this.#passOn(this.#block)
    const digested = this.#digests.finish()
    digested.catch(() => undefined)
    await Promise.all(this.#busy)
    await this.#syncs
    this.#throwFailure()
    const [digests] = await Promise.all([digested, this.#handle.sync()])
    return digests
  }

  [Symbol.dispose](): void {
    this.#digests?.[Symbol.dispose]()
    this.#memory[Symbol.dispose]()
  }

  async #finishSmall(): Promise<Digests> {
    const block = this.#block ?? new SharedArrayBuffer(0)
    await writeAll(this.#handle, block, this.#blockBytes, 0)
    const synced = this.#handle.sync()
    synced.catch(() => undefined)
    const digests = digestBytes(Buffer.from(block, 0, this.#blockBytes))
    await synced
    if (this.#block !== null) this.#memory.give(this.#block)
    return digests
  }

  async #passOn(block: Block): Promise<void> {
    const bytes = this.#blockBytes
    this.#block = null
    this.#blockBytes = 0
    this.#busy.push(this.#keep(block, bytes, this.#position))
    this.#position += bytes
    while (this.#busy.length >= this.#memory.most) await this.#busy.shift()
    this.#throwFailure()
  }

  async #keep(block: Block, bytes: number, position: number): Promise<void> {
    this.#digests ??= new BlockDigests()
    try {
      await Promise.all([this.#digests.add(block, bytes), writeAll(this.#handle, block, bytes, position)])
      this.#memory.give(block)
      this.#unsyncedBytes += bytes
      if (this.#unsyncedBytes >= SYNC_BYTES && syncing < SYNCS_AT_A_TIME) this.#sync()
    } catch (cause) {
      this.#failure ??= { cause }
    }
  }

  /** A sync that fails tells of lost bytes once only; so its failure is the upload's. */
  #sync(): void {
    this.#unsyncedBytes = 0
    syncing++
    const done = this.#handle.datasync()
    this.#syncs = Promise.all([this.#syncs, done]).then(
      () => undefined,
      (cause: unknown) => {
        this.#failure ??= { cause }
      },
    )
    const leave = (): void => {
      syncing--
    }
    done.then(leave, leave)
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.cause
  }
}

async function writeAll(handle: FileHandle, block: Block, bytes: number, position: number): Promise<void> {
  let done = 0
  while (done < bytes) {
    const { bytesWritten } = await handle.write(
      new Uint8Array(block, done, bytes - done),
      0,
      bytes - done,
      position + done,
    )
    done += bytesWritten
  }
}
