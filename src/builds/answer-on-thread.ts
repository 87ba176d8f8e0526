/** The other end of `JudgeThreads`: what a thread does with the questions that come. */
import { parentPort } from 'node:worker_threads'
import { HubError } from '../errors.ts'
import type { ThreadMessage, ThreadReply } from './judge-threads.ts'

/**
 * Answers until the process ends. The signal fires when nobody waits for that answer any more.
 * @param answer takes what the thread's `JudgeThreads` is asked, and gives what that answers.
 */
export function answerOnThread(answer: (question: never, signal: AbortSignal) => Promise<unknown>): void {
  const running = new Map<number, AbortController>()
  const run = async (job: number, question: never): Promise<void> => {
    const controller = new AbortController()
    running.set(job, controller)
    const reply = await outcome(answer(question, controller.signal))
    running.delete(job)
    parentPort?.postMessage({ ...reply, job })
  }
  parentPort?.on('message', (message: ThreadMessage<never> & { readonly job: number }) => {
    if (message.kind === 'ask') void run(message.job, message.question)
    else running.get(message.job)?.abort()
  })
}

async function outcome(answer: Promise<unknown>): Promise<ThreadReply<unknown>> {
  try {
    return { kind: 'answer', answer: await answer }
  } catch (error) {
    if (error instanceof HubError) {
      return { kind: 'refusal', code: error.code, detail: error.message, extra: error.extra }
    }
    return { kind: 'fault', cause: error instanceof Error ? error : new Error(String(error)) }
  }
}
