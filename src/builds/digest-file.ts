/** Size and digests of a file on disk. */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { BLOCK_BYTES, Blocks } from './blocks.ts'
import { BlockDigests, digestBytes } from './digest-blocks.ts'
import type { Digests } from './digest-blocks.ts'

/**
 * Digests of a whole file, with memory bounded. Two blocks are in use: one is read while the other is digested.
 * @throws the file system's error if it cannot be read; `Error` if a thread died.
 */
export async function digestFile(path: string): Promise<Digests> {
  await using file = await open(path)
  using blocks = new Blocks()
  const first = blocks.take()
  const firstBytes = await fill(file, blocks.bytes(first), 0)
  const digests =
    firstBytes < BLOCK_BYTES
      ? digestBytes(blocks.bytes(first).subarray(0, firstBytes))
      : await digestBlocks(file, blocks, first)
  blocks.give(first)
  return digests
}

async function digestBlocks(file: FileHandle, blocks: Blocks, first: number): Promise<Digests> {
  using digests = new BlockDigests(blocks)
  const second = blocks.take()
  let [current, other] = [first, second]
  let position = BLOCK_BYTES
  let bytes = BLOCK_BYTES
  while (bytes > 0) {
    const [next] = await Promise.all([fill(file, blocks.bytes(other), position), digests.add(current, bytes)])
    position += next
    bytes = next
    ;[current, other] = [other, current]
  }
  const found = await digests.finish()
  blocks.give(second)
  return found
}

/** Reads as much as there is from `position`; less than a block only at the file's end. */
async function fill(file: FileHandle, block: Uint8Array, position: number): Promise<number> {
  let bytes = 0
  while (bytes < block.length) {
    const { bytesRead } = await file.read(block, bytes, block.length - bytes, position + bytes)
    if (bytesRead === 0) break
    bytes += bytesRead
  }
  return bytes
}
