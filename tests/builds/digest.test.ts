import { createHash } from 'node:crypto'
import { mkdtempDisposable, open, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { closeDigestWorkers, type Digests, digestFile, startDigest } from '../../src/builds/digest-file.ts'

afterAll(closeDigestWorkers)

const folder = async () => await mkdtempDisposable(join(tmpdir(), 'digest-'))

function bytesOf(sizeBytes: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 31 + seed) >>> 3))
}

function expected(bytes: Buffer): Digests {
  const hex = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex')
  return { sizeBytes: bytes.length, blake2b: hex('blake2b512'), sha512: hex('sha512'), sha256: hex('sha256') }
}

async function receive(path: string, bytes: Buffer, chunkBytes: number): Promise<Digests> {
  await using file = await open(path, 'w')
  await using digester = startDigest(path)
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes)
    await file.write(chunk)
    digester.update(chunk)
  }
  return await digester.finish()
}

const MiB = 1 << 20
test.each([0, 1, 511, MiB - 1, MiB, MiB + 1, 3 * MiB + 7])(
  'digests %d bytes on their way in',
  async (sizeBytes) => {
    await using temp = await folder()
    const bytes = bytesOf(sizeBytes, 1)
    expect(await receive(join(temp.path, 'file'), bytes, 65_536)).toEqual(expected(bytes))
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
  const uploads = Array.from({ length: 12 }, (_, n) => bytesOf(2 * MiB + n * 1000, n))
  const digests = await Promise.all(
    uploads.map((bytes, n) => receive(join(temp.path, String(n)), bytes, 100_000)),
  )
  expect(digests).toEqual(uploads.map(expected))
})

test('digests a file that lies there already', async () => {
  await using temp = await folder()
  const bytes = bytesOf(MiB + 5, 3)
  await writeFile(join(temp.path, 'file'), bytes)
  expect(await digestFile(join(temp.path, 'file'))).toEqual(expected(bytes))
  await writeFile(join(temp.path, 'none'), '')
  expect(await digestFile(join(temp.path, 'none'))).toEqual(expected(Buffer.alloc(0)))
})

test('a digester that is given up leaves the next one unharmed', async () => {
  await using temp = await folder()
  const bytes = bytesOf(2 * MiB, 4)
  await writeFile(join(temp.path, 'file'), bytes)
  {
    await using digester = startDigest(join(temp.path, 'file'))
    digester.update(bytes)
  }
  expect(await receive(join(temp.path, 'file'), bytes, 65_536)).toEqual(expected(bytes))
})

test('fails when the file is not there or shorter than said', async () => {
  await using temp = await folder()
  await using gone = startDigest(join(temp.path, 'gone'))
  gone.update(bytesOf(2 * MiB, 5))
  await expect(gone.finish()).rejects.toThrow('ENOENT')

  await writeFile(join(temp.path, 'short'), bytesOf(2 * MiB, 6))
  await truncate(join(temp.path, 'short'), MiB)
  await using short = startDigest(join(temp.path, 'short'))
  short.update(bytesOf(2 * MiB, 6))
  await expect(short.finish()).rejects.toThrow('before what was said to be written')
})

test('a thread that dies fails the uploads that used it, and is replaced', async () => {
  await using temp = await folder()
  const bytes = bytesOf(2 * MiB, 7)
  await writeFile(join(temp.path, 'file'), bytes)
  await using digester = startDigest(join(temp.path, 'file'))
  digester.update(bytes)
  await closeDigestWorkers()
  await expect(digester.finish()).rejects.toThrow('worker thread ended')
  expect(await digestFile(join(temp.path, 'file'))).toEqual(expected(bytes))
})
