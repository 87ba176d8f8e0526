/** `digestEntries` on a thread of its own, two at a time; what was read is remembered, since archived bytes never change. */
import { ByteCache } from '../byte-cache.ts'
import type { ArchiveFormat } from './archive-contents.ts'
import type { EntryDigests } from './digest-entries.ts'
import { JudgeThreads } from './judge-threads.ts'

export interface DigestQuestion {
  readonly path: string
  readonly format: ArchiveFormat
}

const threads = new JudgeThreads<DigestQuestion, EntryDigests>(
  new URL('./digest-entries-worker.ts', import.meta.url),
  { atATime: 2, fault: 'The tarball could not be read.' },
)

const known = new ByteCache<EntryDigests>(64 * 1024 * 1024)
/** About what an entry of the map takes. */
const BYTES_PER_DIGEST = 300

/** Waits for its turn if two are running. @throws as `digestEntries`; `Error` if the thread died. */
export async function digestEntriesInWorker(
  question: DigestQuestion,
  signal: AbortSignal,
): Promise<EntryDigests> {
  const before = known.get(question.path)
  if (before) return before
  const digests = await threads.ask(question, signal)
  known.set(question.path, digests, digests.size * BYTES_PER_DIGEST)
  return digests
}
