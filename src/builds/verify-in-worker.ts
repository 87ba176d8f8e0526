/** `verifyArchive` on a thread of its own; at most two at a time, since each may take some hundred MiB of memory. */
import type { ArchiveContents } from './archive-contents.ts'
import type { ArchiveLimits } from './archive-limits.ts'
import { JudgeThreads } from './judge-threads.ts'

export interface VerifyQuestion {
  readonly path: string
  readonly limits: ArchiveLimits
}

const threads = new JudgeThreads<VerifyQuestion, ArchiveContents>(
  new URL('./verify-worker.ts', import.meta.url),
  { atATime: 2, fault: 'The archive could not be verified.' },
)

/**
 * As `verifyArchive`, without holding up this thread. Waits for its turn if two are running.
 * @throws as `verifyArchive`, with code, detail and extra intact; `Error` if the thread died.
 */
export async function verifyArchiveInWorker(
  path: string,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<ArchiveContents> {
  return await threads.ask({ path, limits }, signal)
}

/** Ends the threads; whoever waits for a verdict gets an error. A later call starts new ones. */
export async function closeVerifyWorkers(): Promise<void> {
  await threads.close()
}
