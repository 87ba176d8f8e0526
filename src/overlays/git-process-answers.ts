/**
 * Answers of `git upload-pack` to the questions that memory cannot answer. A repository only grows, so an
 * answer depends on the request and the tip alone and may be kept; one too large to keep goes to its asker as
 * it comes.
 */
import type { ByteCache } from '../byte-cache.ts'
import { HubError } from '../errors.ts'
import type { GitProcess } from '../storage/git-repository.ts'
import type { GitQuestion } from './serve-git.ts'
import { Flights, Places } from './shared-answers.ts'

/** What git says when the request, not the repository, is at fault. */
const REFUSALS =
  /no commits selected for shallow requests|deepen-not is not a ref|ambiguous deepen-not|invalid filter-spec|filtering capability not negotiated|cannot be used together|invalid shallow object [0-9a-f]+/

/** In an answer that failed: the client is told why in its own protocol. */
const TOLD_BY_GIT = 'ERR upload-pack: '

type Question = Pick<GitQuestion, 'overlay' | 'repository' | 'body' | 'protocolVersion' | 'signal'>

export class GitProcessAnswers {
  /** Processes started so far. */
  started = 0
  readonly #kept: ByteCache<Buffer>
  readonly #maxKeptBytes: number
  readonly #places: Places
  readonly #flights = new Flights<Buffer | LargeAnswer>()

  constructor(kept: ByteCache<Buffer>, maxKeptBytes: number, maxProcesses: number) {
    this.#kept = kept
    this.#maxKeptBytes = maxKeptBytes
    this.#places = new Places(maxProcesses)
  }

  /**
   * `normal` is the request by which answers are kept. @throws {HubError} `request.invalid` when git refuses
   * it.
   */
  async answer(question: Question, normal: string): Promise<Buffer | AsyncIterable<Buffer>> {
    const { repository, overlay, protocolVersion, signal } = question
    const key = JSON.stringify([repository.path, overlay.tip?.commit, protocolVersion, normal])
    const kept = this.#kept.get(key)
    if (kept) return kept
    const shared = await this.#flights.join(key, signal, (left) => this.#ask(question, key, left))
    if (!(shared instanceof LargeAnswer)) return shared
    // A stream has one reader: the others of the same question ask again, each for itself.
    if (shared.take()) return shared.read(signal)
    const own = await this.#ask(question, key, signal)
    return own instanceof LargeAnswer ? own.read(signal) : own
  }

  async #ask(
    question: Question,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<Buffer | LargeAnswer> {
    const giveBack = await this.#places.take(signal)
    try {
      this.started++
      const { repository, body, protocolVersion } = question
      const git = repository.uploadPack({ body, protocolVersion, ...(signal ? { signal } : {}) })
      return await this.#collect(git, key, signal)
    } finally {
      // A large answer goes at its reader's speed: a slow reader shall not keep others out.
      giveBack()
    }
  }

  async #collect(
    git: GitProcess,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<Buffer | LargeAnswer> {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    const rest = git.output[Symbol.asyncIterator]()
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      chunks.push(next.value)
      sizeBytes += next.value.byteLength
      if (sizeBytes > this.#maxKeptBytes) return new LargeAnswer(chunks, rest, git)
    }
    const { exitStatus, complaint } = await git.finished
    signal?.throwIfAborted()
    const answer = Buffer.concat(chunks)
    if (exitStatus === 0) this.#kept.set(key, answer, sizeBytes)
    else if (!answer.includes(TOLD_BY_GIT)) throw failure(exitStatus, complaint)
    return answer
  }
}

function failure(exitStatus: number | null, complaint: string): Error {
  const refusal = REFUSALS.exec(complaint)
  if (refusal) return new HubError('request.invalid', `git refuses this fetch: ${refusal[0]}.`)
  return new Error(`git upload-pack ended with ${exitStatus}: ${complaint}`)
}

/** An answer past the limit: what was read of it, and the process that goes on. */
class LargeAnswer {
  readonly #begin: readonly Buffer[]
  readonly #rest: AsyncIterator<Buffer>
  readonly #git: GitProcess
  #taken = false

  constructor(begin: readonly Buffer[], rest: AsyncIterator<Buffer>, git: GitProcess) {
    this.#begin = begin
    this.#rest = rest
    this.#git = git
  }

  /** True for the first who asks: the one reader. */
  take(): boolean {
    const first = !this.#taken
    this.#taken = true
    return first
  }

  /**
   * The whole answer. The process ends with it, with its reader, or with `signal`, even if nobody begins to
   * read.
   */
  read(signal: AbortSignal | undefined): AsyncIterable<Buffer> {
    const stop = (): void => this.#git.stop()
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    return this.#chunks(() => signal?.removeEventListener('abort', stop))
  }

  async *#chunks(forget: () => void): AsyncGenerator<Buffer> {
    try {
      yield* this.#begin
      for (let next = await this.#rest.next(); !next.done; next = await this.#rest.next()) yield next.value
      const { exitStatus, complaint } = await this.#git.finished
      if (exitStatus !== 0) throw new Error(`git upload-pack ended with ${exitStatus}: ${complaint}`)
    } finally {
      forget()
      this.#git.stop()
    }
  }
}
