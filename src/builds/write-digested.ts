/**
 * Writes a file and digests it in one pass: bytes are gathered into blocks, and each block is written by the thread pool
 * while two threads digest it. The disk is asked to keep what it has while more arrives, so that little is left to wait
 * for at the end.
 */
import type { FileHandle } from 'node:fs/promises'
import { BLOCK_BYTES, Blocks } from './blocks.ts'
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
  readonly #blocks = new Blocks()
  #digests: BlockDigests | null = null
  /** The block that is being filled, and how far. */
  #block: number
  #blockBytes = 0
  #position = 0
  #unsyncedBytes = 0
  /** Blocks that are being written and digested, oldest first; what fails is told by `#failure`. */
  readonly #busy: Promise<void>[] = []
  /** One write at a time: threads that write the same file at once only spin for its lock. */
  #writes: Promise<void> = Promise.resolve()
  #syncs: Promise<void> = Promise.resolve()
  #failure: { readonly cause: unknown } | null = null

  constructor(handle: FileHandle) {
    this.#handle = handle
    this.#block = this.#blocks.take()
  }

  /**
   * Takes the next bytes, which may be changed when this has returned nothing or what it returned resolves; it waits
   * while all blocks are busy.
   * It rejects with the file system's error, of these or of earlier bytes, or with an `Error` if a thread died.
   */
  write(chunk: Uint8Array): Promise<void> | undefined {
    if (chunk.length > BLOCK_BYTES - this.#blockBytes) return this.#writeAcross(chunk)
    this.#gather(chunk)
    return undefined
  }

  /** Waits until all bytes are on disk, to survive a power cut, and digested. Call it once. @throws as `write`. */
  async finish(): Promise<Digests> {
    if (this.#position === 0) return await this.#finishSmall()
    this.#passOn()
    await Promise.all(this.#busy)
    await this.#syncs
    this.#throwFailure()
    const [digests] = await Promise.all([this.#digests?.finish(), this.#handle.sync()])
    return digests ?? digestBytes(new Uint8Array())
  }

  [Symbol.dispose](): void {
    this.#digests?.[Symbol.dispose]()
    this.#blocks[Symbol.dispose]()
  }

  /** What fits one block is digested here, while the disk keeps it. */
  async #finishSmall(): Promise<Digests> {
    const content = this.#blocks.bytes(this.#block).subarray(0, this.#blockBytes)
    await writeAll(this.#handle, content, 0)
    const [, digests] = await Promise.all([this.#handle.sync(), Promise.resolve(digestBytes(content))])
    this.#blocks.give(this.#block)
    return digests
  }

  async #writeAcross(chunk: Uint8Array): Promise<void> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#blockBytes === BLOCK_BYTES) await this.#nextBlock()
      const piece = rest.subarray(0, BLOCK_BYTES - this.#blockBytes)
      this.#gather(piece)
      rest = rest.subarray(piece.length)
    }
  }

  #gather(piece: Uint8Array): void {
    this.#blocks.bytes(this.#block).set(piece, this.#blockBytes)
    this.#blockBytes += piece.length
  }

  async #nextBlock(): Promise<void> {
    this.#passOn()
    while (this.#blocks.areAllTaken && this.#failure === null) await this.#busy.shift()
    this.#throwFailure()
    this.#block = this.#blocks.take()
    this.#blockBytes = 0
  }

  #passOn(): void {
    this.#busy.push(this.#keep(this.#block, this.#blockBytes, this.#position))
    this.#position += this.#blockBytes
  }

  async #keep(block: number, bytes: number, position: number): Promise<void> {
    this.#digests ??= new BlockDigests(this.#blocks)
    const content = this.#blocks.bytes(block).subarray(0, bytes)
    this.#writes = this.#writes.then(async () => {
      await writeAll(this.#handle, content, position)
    })
    try {
      await Promise.all([this.#digests.add(block, bytes), this.#writes])
    } catch (cause) {
      // The block is not given back: the other of the two may still read it.
      this.#failure ??= { cause }
      return
    }
    this.#blocks.give(block)
    this.#unsyncedBytes += bytes
    if (this.#unsyncedBytes >= SYNC_BYTES && syncing < SYNCS_AT_A_TIME) this.#sync()
  }

  /** A sync that fails tells of lost bytes once only; so its failure is the upload's. */
  #sync(): void {
    this.#unsyncedBytes = 0
    syncing++
    const done = this.#handle.datasync()
    const leave = (): void => {
      syncing--
    }
    done.then(leave, leave)
    this.#syncs = Promise.all([this.#syncs, done]).then(
      () => undefined,
      (cause: unknown) => {
        this.#failure ??= { cause }
      },
    )
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.cause
  }
}

async function writeAll(handle: FileHandle, content: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < content.length) {
    const { bytesWritten } = await handle.write(content, done, content.length - done, position + done)
    done += bytesWritten
  }
}
