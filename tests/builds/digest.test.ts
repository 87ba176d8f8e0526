import { createHash } from 'node:crypto'
import { mkdtempDisposable, open, readFile, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { BLOCK_BYTES } from '../../src/builds/blocks.ts'
import { closeDigestWorkers, type Digests } from '../../src/builds/digest-blocks.ts'
import { digestFile, digestFileBy } from '../../src/builds/digest-file.ts'
import { DigestedWriter } from '../../src/builds/write-digested.ts'

afterAll(closeDigestWorkers)

const folder = async () => await mkdtempDisposable(join(tmpdir(), 'digest-'))

function bytesOf(sizeBytes: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 31 + seed) >>> 3))
}

function expected(bytes: Buffer): Digests {
  const hex = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex')
  return { sizeBytes: bytes.length, blake2b: hex('blake2b512'), sha512: hex('sha512'), sha256: hex('sha256') }
}

async function writeAll(writer: DigestedWriter, bytes: Buffer): Promise<Digests> {
  await writer.write(bytes)
  return await writer.finish()
}

/** Writes in chunks that are one buffer used again and again, as a source may. */
async function receive(path: string, bytes: Buffer, chunkBytes: number): Promise<Digests> {
  await using file = await open(path, 'w')
  using writer = new DigestedWriter(file)
  const chunk = Buffer.alloc(chunkBytes)
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    await writer.write(chunk.subarray(0, bytes.copy(chunk, 0, at, at + chunkBytes)))
  }
  return await writer.finish()
}

test.each([0, 1, 511, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 40 * BLOCK_BYTES + 7])(
  'writes and digests %d bytes in one pass',
  async (sizeBytes) => {
    await using temp = await folder()
    const bytes = bytesOf(sizeBytes, 1)
    const path = join(temp.path, 'file')
    expect(await receive(path, bytes, 65_521)).toEqual(expected(bytes))
    expect(bytes.equals(await readFile(path))).toBe(true)
    expect(await digestFile(path)).toEqual(expected(bytes))
  },
)

test.each([
  [0, 0],
  [7, 0],
  [7, 3 * BLOCK_BYTES],
  [BLOCK_BYTES, BLOCK_BYTES],
  [BLOCK_BYTES - 1, BLOCK_BYTES + 1],
  [3, 2 * BLOCK_BYTES + 5],
])('digests the part of a file that begins at %d and has %d bytes', async (start, sizeBytes) => {
  await using temp = await folder()
  const path = join(temp.path, 'file')
  const whole = bytesOf(4 * BLOCK_BYTES, 2)
  await writeFile(path, whole)
  expect(await digestFile(path, { start, bytes: sizeBytes })).toEqual(
    expected(whole.subarray(start, start + sizeBytes)),
  )
})

test.each([0, 100, BLOCK_BYTES, 3 * BLOCK_BYTES + 1])(
  'digests %d bytes by other algorithms',
  async (size) => {
    await using temp = await folder()
    const path = join(temp.path, 'file')
    const bytes = bytesOf(size, 3)
    await writeFile(path, bytes)
    const hex = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex')
    expect(await digestFileBy(path, ['md5', 'sha1'])).toEqual({ md5: hex('md5'), sha1: hex('sha1') })
  },
)

test('gives the digests of an empty file as coreutils does', async () => {
  await using temp = await folder()
  const { blake2b, sha256 } = await receive(join(temp.path, 'file'), Buffer.alloc(0), 1)
  expect(blake2b).toMatch(/^786a02f742015903c6c6fd852552d272/)
  expect(sha256).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test('takes a great number of tiny chunks', async () => {
  await using temp = await folder()
  const bytes = bytesOf(5_000, 2)
  expect(await receive(join(temp.path, 'file'), bytes, 3)).toEqual(expected(bytes))
})

test('keeps many uploads at the same time apart', async () => {
  await using temp = await folder()
  const uploads = Array.from({ length: 12 }, (_, n) => bytesOf(5 * BLOCK_BYTES + n * 1000, n))
  const digests = await Promise.all(
    uploads.map((bytes, n) => receive(join(temp.path, String(n)), bytes, 100_000)),
  )
  expect(digests).toEqual(uploads.map(expected))
})

test('an upload that is given up leaves the next one unharmed', async () => {
  await using temp = await folder()
  const bytes = bytesOf(3 * BLOCK_BYTES, 4)
  await using file = await open(join(temp.path, 'given-up'), 'w')
  {
    using writer = new DigestedWriter(file)
    await writer.write(bytes)
  }
  expect(await receive(join(temp.path, 'file'), bytes, 65_536)).toEqual(expected(bytes))
})

test('a file that is not there has no digests', async () => {
  await using temp = await folder()
  await expect(digestFile(join(temp.path, 'gone'))).rejects.toThrow('ENOENT')
})

test('a thread that dies fails the uploads that used it, and is replaced', async () => {
  await using temp = await folder()
  const bytes = bytesOf(3 * BLOCK_BYTES, 7)
  await using file = await open(join(temp.path, 'file'), 'w')
  using writer = new DigestedWriter(file)
  await writer.write(bytes.subarray(0, 2 * BLOCK_BYTES))
  await closeDigestWorkers()
  await expect(writeAll(writer, bytes)).rejects.toThrow('worker thread ended')
  expect(await receive(join(temp.path, 'other'), bytes, 65_536)).toEqual(expected(bytes))
})

/** A disk that fails once: `operation` of the given number. */
function failing(handle: FileHandle, operation: 'write' | 'datasync' | 'sync', number: number): FileHandle {
  let count = 0
  return new Proxy(handle, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (name === operation && count++ === number)
          return Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }))
        return Reflect.apply(value as () => unknown, target, args) as unknown
      }
    },
  })
}

test.each([
  ['write', 0],
  ['write', 36],
  ['datasync', 0],
  ['sync', 0],
] as const)('a failed %s (number %d) is never a success', async (operation, number) => {
  await using temp = await folder()
  const bytes = bytesOf(40 * BLOCK_BYTES, 9)
  await using file = await open(join(temp.path, 'file'), 'w')
  using writer = new DigestedWriter(failing(file, operation, number))
  await expect(writeAll(writer, bytes)).rejects.toThrow('EIO')
})
