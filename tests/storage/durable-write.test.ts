import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeDirectoryDurably, syncDirectory, writeFileDurably } from '../../src/storage/durable-write.ts'
import { temporaryFolder } from '../git/support.ts'

test('a file is written whole under its name, with the mode asked for, and nothing beside it', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'key')
  await writeFileDurably(path, 'first', 0o600)
  await writeFileDurably(path, Buffer.from('second'), 0o600)
  expect(await readFile(path, 'utf8')).toBe('second')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readdir(folder.path)).toEqual(['key'])
})

test('a write that fails leaves the old file and no other', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'is-a-folder')
  await mkdir(path)
  await writeFileDurably(join(path, 'file'), 'old')
  await expect(writeFileDurably(path, 'x')).rejects.toThrow()
  expect(await readdir(folder.path)).toEqual(['is-a-folder'])
  expect(await readFile(join(path, 'file'), 'utf8')).toBe('old')
})

test('a write to a folder that is not there fails', async () => {
  await using folder = await temporaryFolder()
  await expect(writeFileDurably(join(folder.path, 'none', 'file'), 'x')).rejects.toThrow(/ENOENT/)
})

test('folders are made as deep as asked, and again without complaint', async () => {
  await using folder = await temporaryFolder()
  const deep = join(folder.path, 'a', 'b', 'c')
  await makeDirectoryDurably(deep, 0o700)
  await makeDirectoryDurably(deep, 0o700)
  expect((await stat(deep)).mode & 0o777).toBe(0o700)
  await syncDirectory(deep)
})

test('a folder cannot be made where a file is', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  await writeFileDurably(path, 'x')
  await expect(makeDirectoryDurably(join(path, 'below'))).rejects.toThrow()
})
