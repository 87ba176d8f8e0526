/** A thread that verifies archives: inflating and judging 200,000 entries would hold up every request. */
import { answerOnThread } from './answer-on-thread.ts'
import { verifyArchive } from './verify-archive.ts'
import type { VerifyQuestion } from './verify-in-worker.ts'

answerOnThread(async ({ path, limits }: VerifyQuestion, signal) => await verifyArchive(path, limits, signal))
