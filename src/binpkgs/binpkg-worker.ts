/** A thread that reads binary packages: an image of gigabytes would hold up every request. */
import { answerOnThread } from '../builds/answer-on-thread.ts'
import { judgeImage, readBinpkg } from './read-binpkg.ts'
import type { BinpkgQuestion } from './read-in-worker.ts'

answerOnThread(async (question: BinpkgQuestion, signal) =>
  question.kind === 'package' ? await readBinpkg(question.path) : await judgeImage(question.claim, signal),
)
