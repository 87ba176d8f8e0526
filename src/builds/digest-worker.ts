/**
 * A thread that follows growing files and computes their digests. It reads what is written from the page cache, so
 * that the thread which receives an upload neither computes nor copies. The messages are those of `digest-file.ts`.
 */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import type { FollowerMessage } from './digest-file.ts'

interface Follower {
  readonly job: number
  readonly fd: number
  readonly hashes: ReadonlyMap<string, Hash>
  position: number
  written: number
  ended: boolean
}

const block = Buffer.allocUnsafeSlow(1 << 20)
const followers = new Map<number, Follower>()
let turnPlanned = false

function open(job: number, path: string, algorithms: readonly string[]): void {
  const hashes = new Map(algorithms.map((algorithm) => [algorithm, createHash(algorithm)]))
  followers.set(job, { job, fd: openSync(path, 'r'), hashes, position: 0, written: 0, ended: false })
}

function drop(follower: Follower): void {
  followers.delete(follower.job)
  closeSync(follower.fd)
}

function readBlock(follower: Follower): void {
  const wanted = Math.min(block.length, follower.written - follower.position)
  const got = readSync(follower.fd, block, 0, wanted, follower.position)
  if (got === 0)
    throw new Error(`The file ends at ${follower.position} bytes, before what was said to be written.`)
  for (const hash of follower.hashes.values()) hash.update(block.subarray(0, got))
  follower.position += got
}

function finish(follower: Follower): void {
  const digests = Object.fromEntries([...follower.hashes].map(([name, hash]) => [name, hash.digest('hex')]))
  drop(follower)
  parentPort?.postMessage({ job: follower.job, digests })
}

function attempt(job: number, work: () => void): void {
  try {
    work()
  } catch (error) {
    const follower = followers.get(job)
    if (follower !== undefined) drop(follower)
    parentPort?.postMessage({ job, failure: error instanceof Error ? error.message : String(error) })
  }
}

/** One block of every file in turn, so that no upload waits for another's end and messages are heard in between. */
function turn(): void {
  turnPlanned = false
  for (const follower of [...followers.values()]) {
    attempt(follower.job, () => {
      if (follower.position < follower.written) readBlock(follower)
      if (follower.ended && follower.position === follower.written) finish(follower)
    })
  }
  if ([...followers.values()].some((one) => one.position < one.written)) planTurn()
}

function planTurn(): void {
  if (turnPlanned) return
  turnPlanned = true
  setImmediate(turn)
}

parentPort?.on('message', (message: FollowerMessage & { readonly job: number }) => {
  if (message.kind === 'follow')
    attempt(message.job, () => open(message.job, message.path, message.algorithms))
  const follower = followers.get(message.job)
  if (follower === undefined) return
  if (message.kind === 'written') follower.written = message.bytes
  if (message.kind === 'end') Object.assign(follower, { written: message.bytes, ended: true })
  if (message.kind === 'cancel') drop(follower)
  else planTurn()
})
