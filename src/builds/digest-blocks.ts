/**
 * Size and digests of a sequence of blocks: BLAKE2B and SHA512 for the Manifest (GLEP 74), SHA256 for those who compare
 * with their CI. Two threads compute them, so that a 1 GiB upload does not hold up other requests; what fits one block is
 * done at once, which takes less than handing it over.
 */
import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { Blocks } from './blocks.ts'
import { type Lease, ThreadPool } from './thread-pool.ts'

/** Digests in lower-case hexadecimal; `blake2b` is BLAKE2b-512. */
export interface Digests {
  readonly sizeBytes: number
  readonly blake2b: string
  readonly sha512: string
  readonly sha256: string
}

/** What a thread is told of one sequence; it answers each block, and the end. */
export type DigestMessage =
  | { readonly kind: 'start'; readonly algorithms: readonly string[]; readonly memory: SharedArrayBuffer }
  | { readonly kind: 'block'; readonly block: number; readonly bytes: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'cancel' }

/** `digests` ends the sequence; without it a block is read and may be used again. */
export interface DigestReply {
  readonly digests?: Readonly<Record<string, string>>
}

/** What each thread computes, by OpenSSL's names. BLAKE2B with SHA256 takes about as long as SHA512 alone. */
const SHARES = [['blake2b512', 'sha256'], ['sha512']] as const

const threads = new ThreadPool(
  new URL('./digest-worker.ts', import.meta.url),
  Math.max(2, availableParallelism()),
)

/** Digests of bytes in memory. */
export function digestBytes(bytes: Uint8Array): Digests {
  const hex = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex')
  return {
    sizeBytes: bytes.byteLength,
    blake2b: hex('blake2b512'),
    sha512: hex('sha512'),
    sha256: hex('sha256'),
  }
}

/** Ends the threads; uploads that they serve fail. Calling it twice is harmless; a later digest starts new ones. */
export async function closeDigestWorkers(): Promise<void> {
  await threads.close()
}

/** One sequence. Disposing it before its end gives up the work; after it, it does nothing. */
export class BlockDigests implements Disposable {
  readonly #shares: readonly Share[]
  #sizeBytes = 0

  /** @param shares the algorithms of each thread, if not those of `Digests`; `finishAll` tells them. */
  constructor({ memory }: Blocks, shares: readonly (readonly string[])[] = SHARES) {
    this.#shares = shares.map((algorithms) => new Share(algorithms, memory))
  }

  /**
   * Digests the first `bytes` of the block, after all blocks before. The block may be changed when this resolves.
   * @throws {Error} if a thread died: the upload cannot be kept then.
   */
  async add(block: number, bytes: number): Promise<void> {
    this.#sizeBytes += bytes
    await Promise.all(this.#shares.map(async (share) => await share.add(block, bytes)))
  }

  /** The digests of all blocks. Call it once. @throws {Error} if a thread died. */
  async finish(): Promise<Digests> {
    const { blake2b512, sha512, sha256 } = await this.finishAll()
    return {
      sizeBytes: this.#sizeBytes,
      blake2b: blake2b512 ?? '',
      sha512: sha512 ?? '',
      sha256: sha256 ?? '',
    }
  }

  /** The same by OpenSSL's names of the algorithms, in place of `finish`. */
  async finishAll(): Promise<Readonly<Record<string, string>>> {
    const shares = await Promise.all(this.#shares.map(async (share) => await share.finish()))
    return Object.assign({}, ...shares) as Readonly<Record<string, string>>
  }

  [Symbol.dispose](): void {
    for (const share of this.#shares) share[Symbol.dispose]()
  }
}

interface Waiting {
  readonly resolve: (reply: DigestReply) => void
  readonly reject: (error: Error) => void
}

/** One thread's work on one sequence. It answers in the order in which it was asked. */
class Share implements Disposable {
  readonly #lease: Lease
  readonly #waiting: Waiting[] = []
  #death: Error | null = null

  constructor(algorithms: readonly string[], memory: SharedArrayBuffer) {
    this.#lease = threads.lease({
      reply: (message) => this.#waiting.shift()?.resolve(message as DigestReply),
      died: (error) => {
        this.#death = error
        for (const { reject } of this.#waiting.splice(0)) reject(error)
      },
    })
    this.#lease.post({ kind: 'start', algorithms, memory } satisfies DigestMessage)
  }

  async add(block: number, bytes: number): Promise<void> {
    await this.#ask({ kind: 'block', block, bytes })
  }

  async finish(): Promise<Readonly<Record<string, string>>> {
    const { digests } = await this.#ask({ kind: 'end' })
    this.#lease[Symbol.dispose]()
    return digests ?? {}
  }

  async #ask(message: DigestMessage): Promise<DigestReply> {
    if (this.#death) throw this.#death
    const { promise, resolve, reject } = Promise.withResolvers<DigestReply>()
    this.#waiting.push({ resolve, reject })
    this.#lease.post(message)
    return await promise
  }

  [Symbol.dispose](): void {
    this.#lease.post({ kind: 'cancel' } satisfies DigestMessage)
    this.#lease[Symbol.dispose]()
  }
}
