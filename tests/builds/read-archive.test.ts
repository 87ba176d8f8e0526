import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { ArchiveFormat } from '../../src/builds/archive-contents.ts'
import { type ArchivedFile, readArchiveFile } from '../../src/builds/read-archive-file.ts'
import { gnuLongName, tarOf } from '../support/tarballs.ts'

const LONG = 'l'.repeat(150)
const PLAIN = tarOf(
  { name: './app/', type: '5' },
  { name: './app/file', content: 'hello ☃', mode: 0o640 },
  { name: './app/empty', content: '' },
  { name: './app/hard', type: '1', link: './app/file' },
  { name: './app/harder', type: '1', link: 'app/hard' },
  { name: './app/soft', type: '2', link: 'file' },
  gnuLongName(`app/${LONG}`),
  { name: 'short', content: 'long' },
  { name: './app/big', content: Buffer.alloc(300_000, 'x') },
)

async function read(
  wanted: string,
  maxBytes = 1000,
  format: ArchiveFormat = 'tar',
  bytes = PLAIN,
): Promise<ArchivedFile> {
  await using temp = await mkdtempDisposable(join(tmpdir(), 'read-'))
  await writeFile(join(temp.path, 'archive'), bytes)
  return await readArchiveFile(join(temp.path, 'archive'), format, wanted, maxBytes)
}

test('gives the content of a file and what the list says of it', async () => {
  expect(await read('app/file')).toEqual({
    entry: { path: 'app/file', type: 'file', mode: 0o640, sizeBytes: 9 },
    content: Buffer.from('hello ☃'),
    truncated: false,
  })
  expect((await read('app/empty')).content).toEqual(Buffer.alloc(0))
  expect((await read(`app/${LONG}`)).content.toString()).toBe('long')
})

test('reads compressed archives too', async () => {
  expect((await read('app/file', 1000, 'tar.gz', gzipSync(PLAIN))).content.toString()).toBe('hello ☃')
  expect((await read('app/file', 1000, 'tar.zst', zstdCompressSync(PLAIN))).content.toString()).toBe(
    'hello ☃',
  )
})

test('cuts a large file and says so', async () => {
  const { entry, content, truncated } = await read('app/big', 70_000)
  expect([entry.sizeBytes, content.length, truncated]).toEqual([300_000, 70_000, true])
  expect(await read('app/file', 9)).toMatchObject({ truncated: false })
  expect(await read('app/file', 8)).toMatchObject({ truncated: true })
  expect((await read('app/file', 0)).content).toHaveLength(0)
})

test('follows hard links to their file', async () => {
  const { entry, content } = await read('app/harder')
  expect(entry).toEqual({
    path: 'app/harder',
    type: 'hardlink',
    mode: 0o640,
    sizeBytes: 9,
    target: 'app/hard',
  })
  expect(content.toString()).toBe('hello ☃')
})

test('stops at the file: damage behind it is not noticed, and nothing behind it is read', async () => {
  expect((await read('app/file', 1000, 'tar', Buffer.from(PLAIN.subarray(0, 2048)))).content.toString()).toBe(
    'hello ☃',
  )
})

test.each(['app', 'app/soft', 'app/none', '', '../app/file', './app/file', 'app/file/'])(
  '%j is no file of the archive',
  async (wanted) => {
    await expect(read(wanted)).rejects.toMatchObject({ code: 'archive.no_such_file' })
  },
)

test('hard links in a circle, which no verified archive has, come to an end', async () => {
  const circle = tarOf({ name: 'a', type: '1', link: 'b' }, { name: 'b', type: '1', link: 'a' })
  await expect(read('a', 10, 'tar', circle)).rejects.toMatchObject({ code: 'archive.no_such_file' })
})
