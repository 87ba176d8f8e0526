/** A thread that verifies archives: inflating and judging 200,000 entries would hold up every request. */
import { parentPort } from 'node:worker_threads'
import { HubError } from '../errors.ts'
import { verifyArchive } from './verify-archive.ts'
import type { VerifyMessage, VerifyReply } from './verify-in-worker.ts'

const running = new Map<number, AbortController>()

async function verify(job: number, request: Extract<VerifyMessage, { kind: 'verify' }>): Promise<void> {
  const controller = new AbortController()
  running.set(job, controller)
  const reply = await outcome(verifyArchive(request.path, request.limits, controller.signal))
  running.delete(job)
  parentPort?.postMessage({ ...reply, job })
}

async function outcome(verdict: ReturnType<typeof verifyArchive>): Promise<VerifyReply> {
  try {
    return { kind: 'contents', contents: await verdict }
  } catch (error) {
    if (error instanceof HubError) {
      return { kind: 'refusal', code: error.code, detail: error.message, extra: error.extra }
    }
    return { kind: 'fault', cause: error instanceof Error ? error : new Error(String(error)) }
  }
}

parentPort?.on('message', (message: VerifyMessage & { readonly job: number }) => {
  if (message.kind === 'verify') void verify(message.job, message)
  else running.get(message.job)?.abort()
})
