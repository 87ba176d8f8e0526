/** A thread that digests what is in tarballs: hundreds of megabytes of it would hold up every request. */
import { answerOnThread } from './answer-on-thread.ts'
import { digestEntries } from './digest-entries.ts'
import type { DigestQuestion } from './digest-entries-in-worker.ts'

answerOnThread(async ({ path, format }: DigestQuestion, signal) => await digestEntries(path, format, signal))
