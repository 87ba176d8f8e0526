/** `verifyArchive` on a thread of its own; at most two at a time, since each may take some hundred MiB of memory. */
import { type ErrorCode, HubError } from '../errors.ts'
import type { ArchiveContents } from './archive-contents.ts'
import type { ArchiveLimits } from './archive-limits.ts'
import { ThreadPool } from './thread-pool.ts'

export type VerifyMessage =
  | { readonly kind: 'verify'; readonly path: string; readonly limits: ArchiveLimits }
  | { readonly kind: 'abort' }

/** A class does not survive the way between threads, so a refusal travels as its parts. */
export type VerifyReply =
  | { readonly kind: 'contents'; readonly contents: ArchiveContents }
  | {
      readonly kind: 'refusal'
      readonly code: ErrorCode
      readonly detail: string
      readonly extra: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'fault'; readonly cause: Error }

const AT_A_TIME = 2
const threads = new ThreadPool(new URL('./verify-worker.ts', import.meta.url), AT_A_TIME)
const waiting: (() => void)[] = []
let running = 0

/**
 * As `verifyArchive`, without holding up this thread. Waits for its turn if two are running.
 * @throws as `verifyArchive`, with code, detail and extra intact; `Error` if the thread died.
 */
export async function verifyArchiveInWorker(
  path: string,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<ArchiveContents> {
  await turn()
  try {
    signal?.throwIfAborted()
    return await verifyOnThread(path, limits, signal)
  } finally {
    running--
    waiting.shift()?.()
  }
}

/** Ends the threads; whoever waits for a verdict gets an error. A later call starts new ones. */
export async function closeVerifyWorkers(): Promise<void> {
  await threads.close()
}

async function turn(): Promise<void> {
  while (running >= AT_A_TIME) await new Promise<void>((resolve) => waiting.push(resolve))
  running++
}

async function verifyOnThread(
  path: string,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<ArchiveContents> {
  const { promise, resolve, reject } = Promise.withResolvers<VerifyReply>()
  using lease = threads.lease({ reply: (message) => resolve(message as VerifyReply), died: reject })
  const abort = (): void => lease.post({ kind: 'abort' } satisfies VerifyMessage)
  signal?.addEventListener('abort', abort)
  try {
    lease.post({ kind: 'verify', path, limits } satisfies VerifyMessage)
    const reply = await promise
    signal?.throwIfAborted()
    return unwrap(reply)
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

function unwrap(reply: VerifyReply): ArchiveContents {
  if (reply.kind === 'contents') return reply.contents
  if (reply.kind === 'refusal') throw new HubError(reply.code, reply.detail, reply.extra)
  throw new Error('The archive could not be verified.', { cause: reply.cause })
}
