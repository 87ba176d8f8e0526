/**
 * Size and digests of a file, computed while it is received: BLAKE2B and SHA512 for the Manifest (GLEP 74), SHA256
 * for those who compare with their CI. Small files are hashed where they are received; larger ones by two threads that
 * follow the file on disk, so that a 1 GiB upload does not hold up other requests.
 */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { type Lease, ThreadPool } from './thread-pool.ts'

/** Digests in lower-case hexadecimal; `blake2b` is BLAKE2b-512. */
export interface Digests {
  readonly sizeBytes: number
  readonly blake2b: string
  readonly sha512: string
  readonly sha256: string
}

/** What the receiving thread tells a follower. */
export type FollowerMessage =
  | { readonly kind: 'follow'; readonly path: string; readonly algorithms: readonly string[] }
  | { readonly kind: 'written' | 'end'; readonly bytes: number }
  | { readonly kind: 'cancel' }

/** Up to here hashing takes less than handing the file over: about 3 ms. */
const INLINE_BYTES = 1 << 20
/** A sender of tiny chunks must not make a long list of them. */
const INLINE_CHUNKS = 256
/** A follower hears of progress once per so many bytes. */
const NOTICE_BYTES = 1 << 20
/** BLAKE2B with SHA256 takes about as long as SHA512 alone. */
const SHARES = [['blake2b512', 'sha256'], ['sha512']] as const

const threads = new ThreadPool(
  new URL('./digest-worker.ts', import.meta.url),
  Math.max(2, availableParallelism()),
)

/**
 * Starts the digests of a file that is about to be written from its start.
 * @param path of the file; it is opened again once it has more than 1 MiB, so it must exist by then.
 */
export function startDigest(path: string): StreamDigester {
  return new StreamDigester(path)
}

/**
 * Digests of a whole file on disk.
 * @throws the file system's error if it cannot be read, or `Error` if it shrinks meanwhile.
 */
export async function digestFile(path: string): Promise<Digests> {
  const { size } = await stat(path)
  await using follower = new Following(path)
  return await follower.finish(size)
}

/** Ends the threads; uploads that they serve fail. Calling it twice is harmless; a later digest starts new ones. */
export async function closeDigestWorkers(): Promise<void> {
  await threads.close()
}

/** Follows one file. Disposing it before `finish` gives up the work; after it, it does nothing. */
export class StreamDigester implements AsyncDisposable {
  readonly #path: string
  #head: Buffer[] = []
  #sizeBytes = 0
  #noticed = 0
  #following: Following | null = null

  constructor(path: string) {
    this.#path = path
  }

  /** Says that `chunk` is now in the file, after all chunks said before. The chunk must not be changed later. */
  update(chunk: Buffer): void {
    this.#sizeBytes += chunk.length
    const small = this.#sizeBytes <= INLINE_BYTES && this.#head.length < INLINE_CHUNKS
    if (this.#following === null && small) this.#head.push(chunk)
    else this.#follow()
  }

  /**
   * Waits for the digests of all that `update` was told. Call it once.
   * @throws {Error} if the file could not be read to that end, or a thread died: the upload cannot be kept then.
   */
  async finish(): Promise<Digests> {
    if (this.#following !== null) return await this.#following.finish(this.#sizeBytes)
    const digest = (algorithm: string): string =>
      this.#head.reduce((hash, chunk) => hash.update(chunk), createHash(algorithm)).digest('hex')
    return {
      sizeBytes: this.#sizeBytes,
      blake2b: digest('blake2b512'),
      sha512: digest('sha512'),
      sha256: digest('sha256'),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#following?.[Symbol.asyncDispose]()
  }

  #follow(): void {
    this.#following ??= new Following(this.#path)
    this.#head = []
    if (this.#sizeBytes - this.#noticed < NOTICE_BYTES) return
    this.#noticed = this.#sizeBytes
    this.#following.written(this.#sizeBytes)
  }
}

/** The two threads' work on one file. */
class Following implements AsyncDisposable {
  readonly #leases: readonly Lease[]
  readonly #shares: Promise<readonly Readonly<Record<string, string>>[]>

  constructor(path: string) {
    const started = SHARES.map((algorithms) => startShare(path, algorithms))
    this.#leases = started.map(({ lease }) => lease)
    this.#shares = Promise.all(started.map(({ digests }) => digests))
    // A failure is told by `finish`; a digester that is given up must not end the process.
    this.#shares.catch(() => undefined)
  }

  written(bytes: number): void {
    this.#post({ kind: 'written', bytes })
  }

  async finish(sizeBytes: number): Promise<Digests> {
    this.#post({ kind: 'end', bytes: sizeBytes })
    const found = Object.assign({}, ...(await this.#shares)) as Readonly<Record<string, string>>
    const { blake2b512: blake2b = '', sha512 = '', sha256 = '' } = found
    return { sizeBytes, blake2b, sha512, sha256 }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#post({ kind: 'cancel' })
    for (const lease of this.#leases) lease[Symbol.dispose]()
  }

  #post(message: FollowerMessage): void {
    for (const lease of this.#leases) lease.post(message)
  }
}

interface Share {
  readonly lease: Lease
  readonly digests: Promise<Readonly<Record<string, string>>>
}

function startShare(path: string, algorithms: readonly string[]): Share {
  const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, string>>>()
  const lease = threads.lease({
    reply: (message) => {
      const { digests, failure } = message as { digests?: Record<string, string>; failure?: string }
      lease[Symbol.dispose]()
      if (digests !== undefined) resolve(digests)
      else reject(new Error(`The digests of the received file could not be computed: ${failure}`))
    },
    died: reject,
  })
  lease.post({ kind: 'follow', path, algorithms } satisfies FollowerMessage)
  return { lease, digests: promise }
}
