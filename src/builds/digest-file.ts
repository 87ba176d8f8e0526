/** Size and digests of a file on disk. */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { type Block, BLOCK_BYTES, BlockUser } from './blocks.ts'
import { BlockDigests, digestBytes } from './digest-blocks.ts'
import type { Digests } from './digest-blocks.ts'

export type { Digests }

/**
 * Digests of a whole file, with memory bounded. Two blocks are in use: one is read while the other is digested.
 * @throws the file system's error if it cannot be read; `Error` if a thread died.
 */
export async function digestFile(path: string): Promise<Digests> {
  await using file = await open(path)
  using memory = new BlockUser()
  const first = memory.take()
  const firstBytes = await fill(file, first, 0)
  if (firstBytes < BLOCK_BYTES) {
    const digests = digestBytes(Buffer.from(first, 0, firstBytes))
    memory.give(first)
    return digests
  }
  return await digestBlocks(file, memory, first)
}

async function digestBlocks(file: FileHandle, memory: BlockUser, first: Block): Promise<Digests> {
  using digests = new BlockDigests()
  let [current, other] = [first, memory.take()]
  let position = BLOCK_BYTES
  let bytes = BLOCK_BYTES
  while (bytes > 0) {
    const [next] = await Promise.all([fill(file, other, position), digests.add(current, bytes)])
    position += next
    bytes = next
    ;[current, other] = [other, current]
  }
  const found = await digests.finish()
  memory.give(current)
  memory.give(other)
  return found
}

/** Reads as much as there is from `position`; less than a block only at the file's end. */
async function fill(file: FileHandle, block: Block, position: number): Promise<number> {
  let bytes = 0
  while (bytes < BLOCK_BYTES) {
    const view = new Uint8Array(block, bytes, BLOCK_BYTES - bytes)
    const { bytesRead } = await file.read(view, 0, view.length, position + bytes)
    if (bytesRead === 0) break
    bytes += bytesRead
  }
  return bytes
}
