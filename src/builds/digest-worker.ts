/** A thread that digests blocks of shared memory. The messages are those of `digest-blocks.ts`. */
import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import type { DigestMessage, DigestReply } from './digest-blocks.ts'

const sequences = new Map<number, ReadonlyMap<string, Hash>>()

function answer(job: number, reply: DigestReply): void {
  parentPort?.postMessage({ job, ...reply })
}

function finish(job: number, hashes: ReadonlyMap<string, Hash>): void {
  sequences.delete(job)
  answer(job, { digests: Object.fromEntries([...hashes].map(([name, hash]) => [name, hash.digest('hex')])) })
}

parentPort?.on('message', (message: DigestMessage & { readonly job: number }) => {
  const { job } = message
  if (message.kind === 'start') {
    sequences.set(job, new Map(message.algorithms.map((name) => [name, createHash(name)])))
    return
  }
  const hashes = sequences.get(job)
  if (hashes === undefined) return
  if (message.kind === 'cancel') {
    sequences.delete(job)
    return
  }
  if (message.kind === 'end') {
    finish(job, hashes)
    return
  }
  const bytes = Buffer.from(message.block, 0, message.bytes)
  for (const hash of hashes.values()) hash.update(bytes)
  answer(job, {})
})
