import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { createPaths } from '../../src/storage/paths.ts'
import { TreeStore } from '../../src/storage/tree-store.ts'
import { temporaryFolder } from '../git/support.ts'

const text = (content: string) => async () => Buffer.from(content)

async function openFixture() {
  const folder = await temporaryFolder()
  const paths = createPaths(folder.path)
  const root = paths.overlayTree('staging')
  return Object.assign(folder, {
    store: new TreeStore(paths),
    root,
    async put(path: string, content: string) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), content)
    },
    async show(): Promise<Readonly<Record<string, string>>> {
      const entries = await readdir(root, { recursive: true, withFileTypes: true })
      const files = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
      const pairs = files.map(
        async (file) => [file.slice(root.length + 1), await readFile(file, 'utf8')] as const,
      )
      return Object.fromEntries(await Promise.all(pairs))
    },
  })
}

test('the folder shows what was replaced and then changed, and which commit that is', async () => {
  await using at = await openFixture()
  await at.store.replace('staging', 'c1', new Map([['a/b', text('1')], ['c', text('2')]])) // prettier-ignore
  expect(await at.show()).toEqual({ 'a/b': '1', c: '2' })
  expect(await at.store.shown('staging')).toBe('c1')
  await at.store.apply('staging', 'c2', new Map([['a/b', null], ['c', text('3')], ['d/e', text('4')]])) // prettier-ignore
  expect(await at.show()).toEqual({ c: '3', 'd/e': '4' })
  expect(await readdir(at.root)).toEqual(['c', 'd'])
  expect(await at.store.shown('staging')).toBe('c2')
})

test('replacing takes away what does not belong there, and leaves hidden files', async () => {
  await using at = await openFixture()
  await at.put('.gitkeep', '')
  await at.put('old/file', 'x')
  await at.put('a', 'x')
  await at.store.replace('staging', 'c1', new Map([['a', text('1')]]))
  expect(await at.show()).toEqual({ '.gitkeep': '', a: '1' })
})

test('a change that fails on its way leaves the folder as one of unknown state', async () => {
  await using at = await openFixture()
  await at.store.replace('staging', 'c1', new Map([['a', text('1')]]))
  const lost = () => Promise.reject(new Error('lost'))
  await expect(at.store.apply('staging', 'c2', new Map([['a', lost]]))).rejects.toThrow('lost')
  expect(await at.store.shown('staging')).toBeNull()
  expect(await at.show()).toEqual({ a: '1' })
})

test('a folder that is gone, or empty, shows no commit', async () => {
  await using at = await openFixture()
  expect(await at.store.shown('staging')).toBeNull()
  await at.store.replace('staging', 'c1', new Map([['a', text('1')]]))
  await rm(at.root, { recursive: true })
  expect(await at.store.shown('staging')).toBeNull()
  await at.put('.gitkeep', '')
  expect(await at.store.shown('staging')).toBeNull()
})
