/** Size and digests of a file on disk, or of a part of one. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { BLOCK_BYTES, Blocks } from './blocks.ts'
import type { ByteRange } from './decompress.ts'
import { BlockDigests, digestBytes } from './digest-blocks.ts'
import type { Digests } from './digest-blocks.ts'

const WHOLE: ByteRange = { start: 0, bytes: Infinity }

/**
 * Digests of a file, or of a part of it, with memory bounded. Two blocks are in use: one is read while the other is
 * digested.
 * @throws the file system's error if it cannot be read; `Error` if a thread died.
 */
export async function digestFile(path: string, range = WHOLE): Promise<Digests> {
  return await digestWith(path, range, {
    small: digestBytes,
    start: (blocks) => new BlockDigests(blocks),
    finish: async (digests) => await digests.finish(),
  })
}

/**
 * Digests of a whole file by other algorithms, which OpenSSL knows by these names (`md5`), as lower-case hexadecimal. Each
 * has a thread of its own.
 * @throws as `digestFile`.
 */
export async function digestFileBy<Name extends string>(
  path: string,
  algorithms: readonly Name[],
): Promise<Readonly<Record<Name, string>>> {
  const hex = (bytes: Uint8Array) => (name: Name) => [name, createHash(name).update(bytes).digest('hex')]
  const found = await digestWith<Readonly<Record<string, string>>>(path, WHOLE, {
    small: (bytes) => Object.fromEntries(algorithms.map(hex(bytes))) as Record<string, string>,
    start: (blocks) =>
      new BlockDigests(
        blocks,
        algorithms.map((name) => [name]),
      ),
    finish: async (digests) => await digests.finishAll(),
  })
  return found
}

interface Way<T> {
  /** What fits one block is digested at once. */
  readonly small: (bytes: Uint8Array) => T
  readonly start: (blocks: Blocks) => BlockDigests
  readonly finish: (digests: BlockDigests) => Promise<T>
}

async function digestWith<T>(path: string, { start, bytes }: ByteRange, way: Way<T>): Promise<T> {
  await using file = await open(path)
  using blocks = new Blocks()
  const first = blocks.take()
  const content = blocks.bytes(first).subarray(0, bytes)
  const firstBytes = await fill(file, content, start)
  if (firstBytes < BLOCK_BYTES) {
    const found = way.small(content.subarray(0, firstBytes))
    blocks.give(first)
    return found
  }
  using digests = way.start(blocks)
  const second = blocks.take()
  await digestRest(file, { blocks, digests, first, second, start, end: start + bytes })
  const found = await way.finish(digests)
  blocks.give(first)
  blocks.give(second)
  return found
}

interface Rest {
  readonly blocks: Blocks
  readonly digests: BlockDigests
  /** The block that is filled already. */
  readonly first: number
  readonly second: number
  readonly start: number
  readonly end: number
}

async function digestRest(
  file: FileHandle,
  { blocks, digests, first, second, start, end }: Rest,
): Promise<void> {
  let [current, other] = [first, second]
  let position = start + BLOCK_BYTES
  let bytes = BLOCK_BYTES
  while (bytes > 0) {
    const room = blocks.bytes(other).subarray(0, end - position)
    const [next] = await Promise.all([fill(file, room, position), digests.add(current, bytes)])
    position += next
    bytes = next
    ;[current, other] = [other, current]
  }
}

/** Reads as much as there is from `position`; less than there is room for only at the file's end. */
async function fill(file: FileHandle, block: Uint8Array, position: number): Promise<number> {
  let bytes = 0
  while (bytes < block.length) {
    const { bytesRead } = await file.read(block, bytes, block.length - bytes, position + bytes)
    if (bytesRead === 0) break
    bytes += bytesRead
  }
  return bytes
}
