/** Questions whose answer takes long, put to threads of their own: a few at a time, since each may take much memory. */
import { HubError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { ThreadPool } from './thread-pool.ts'

export type ThreadMessage<Question> =
  { readonly kind: 'ask'; readonly question: Question } | { readonly kind: 'abort' }

/** A class does not survive the way between threads, so a refusal travels as its parts. */
export type ThreadReply<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | {
      readonly kind: 'refusal'
      readonly code: ErrorCode
      readonly detail: string
      readonly extra: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'fault'; readonly cause: Error }

export interface JudgeThreadsOptions {
  /** So many threads, and questions under way; later ones wait for their turn. */
  readonly atATime: number
  /** What a fault is called: `The archive could not be verified.` */
  readonly fault: string
}

/** Questions and answers are plain values, copied on their way: a Buffer comes as a Uint8Array. */
export class JudgeThreads<Question extends object, Answer> {
  readonly #threads: ThreadPool
  readonly #options: JudgeThreadsOptions
  readonly #waiting: (() => void)[] = []
  #running = 0

  /** @param script which calls `answerOnThread`. */
  constructor(script: URL, options: JudgeThreadsOptions) {
    this.#threads = new ThreadPool(script, options.atATime)
    this.#options = options
  }

  /** @throws {HubError} the refusal, with code, detail and extra; `Error` with the cause of a fault, or if the thread died. */
  async ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    await this.#turn()
    try {
      signal?.throwIfAborted()
      return await this.#askThread(question, signal)
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }

  /** Ends the threads; whoever waits for an answer gets an error. A later question starts new ones. */
  async close(): Promise<void> {
    await this.#threads.close()
  }

  async #turn(): Promise<void> {
    while (this.#running >= this.#options.atATime)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running++
  }

  async #askThread(question: Question, signal?: AbortSignal): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<ThreadReply<Answer>>()
    const reply = (message: unknown): void => resolve(message as ThreadReply<Answer>)
    using lease = this.#threads.lease({ reply, died: reject })
    const abort = (): void => lease.post({ kind: 'abort' } satisfies ThreadMessage<Question>)
    signal?.addEventListener('abort', abort)
    try {
      lease.post({ kind: 'ask', question } satisfies ThreadMessage<Question>)
      const replied = await promise
      signal?.throwIfAborted()
      return this.#unwrap(replied)
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  #unwrap(reply: ThreadReply<Answer>): Answer {
    if (reply.kind === 'answer') return reply.answer
    if (reply.kind === 'refusal') throw new HubError(reply.code, reply.detail, reply.extra)
    throw new Error(this.#options.fault, { cause: reply.cause })
  }
}
