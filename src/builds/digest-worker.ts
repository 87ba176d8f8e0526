/** A thread that digests blocks of shared memory. The messages are those of `digest-blocks.ts`. */
import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { BLOCK_BYTES } from './blocks.ts'
import type { DigestMessage, DigestReply } from './digest-blocks.ts'

interface Sequence {
  readonly hashes: ReadonlyMap<string, Hash>
  readonly memory: SharedArrayBuffer
}

const sequences = new Map<number, Sequence>()

function answer(job: number, reply: DigestReply): void {
  parentPort?.postMessage({ job, ...reply })
}

function start(algorithms: readonly string[], memory: SharedArrayBuffer): Sequence {
  return { hashes: new Map(algorithms.map((name) => [name, createHash(name)])), memory }
}

function digest({ hashes, memory }: Sequence, block: number, bytes: number): void {
  const content = new Uint8Array(memory, block * BLOCK_BYTES, bytes)
  for (const hash of hashes.values()) hash.update(content)
}

parentPort?.on('message', (message: DigestMessage & { readonly job: number }) => {
  const { job } = message
  if (message.kind === 'start') {
    sequences.set(job, start(message.algorithms, message.memory))
    return
  }
  const sequence = sequences.get(job)
  if (sequence === undefined) return
  if (message.kind === 'block') {
    digest(sequence, message.block, message.bytes)
    answer(job, {})
    return
  }
  sequences.delete(job)
  if (message.kind === 'end') {
    const digests = [...sequence.hashes].map(([name, hash]) => [name, hash.digest('hex')] as const)
    answer(job, { digests: Object.fromEntries(digests) })
  }
})
