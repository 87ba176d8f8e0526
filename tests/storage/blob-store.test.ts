import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BlobStore } from '../../src/storage/blob-store.ts'
import { createPaths } from '../../src/storage/paths.ts'
import type { Paths } from '../../src/storage/paths.ts'

const NEVER = () => Promise.resolve(false)
const ALWAYS = () => Promise.resolve(true)

interface Fixture extends AsyncDisposable {
  readonly store: BlobStore
  readonly paths: Paths
  /** Receives bytes as an upload and gives its path and digest. */
  receive(text: string): Promise<{ path: string; sha512: string }>
  files(): Promise<readonly string[]>
}

async function openFixture(): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-blobs-'))
  const paths = createPaths(folder)
  const store = await BlobStore.open(paths)
  return {
    store,
    paths,
    async receive(text) {
      const { path, handle } = await store.createUpload()
      await handle.writeFile(text)
      await handle.close()
      return { path, sha512: createHash('sha512').update(text).digest('hex') }
    },
    async files() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
        .sort()
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function listed(store: BlobStore): Promise<readonly string[]> {
  const found: string[] = []
  for await (const sha512 of store.list()) found.push(sha512)
  return found
}

describe('an adopted upload', () => {
  test('is a blob under its digest that nobody may write, and no upload any more once settled', async () => {
    await using at = await openFixture()
    const { path, sha512 } = await at.receive('bytes')
    const adoption = await at.store.adopt(path, sha512)
    expect(await at.files()).toHaveLength(2)
    await adoption.settle()
    expect(await at.files()).toEqual([`distfiles/archive/${sha512.slice(0, 2)}/${sha512}`])
    expect(await readFile(at.store.path(sha512), 'utf8')).toBe('bytes')
    expect((await stat(at.store.path(sha512))).mode & 0o777).toBe(0o444)
    expect(await at.store.sizeBytes(sha512)).toBe(5)
    expect(await listed(at.store)).toEqual([sha512])
  })

  test('that is undone leaves nothing', async () => {
    await using at = await openFixture()
    const { path, sha512 } = await at.receive('bytes')
    const adoption = await at.store.adopt(path, sha512)
    await adoption.undo()
    expect(await at.files()).toEqual([])
    expect(await at.store.sizeBytes(sha512)).toBeNull()
  })

  test('that is undone leaves a blob that was there before', async () => {
    await using at = await openFixture()
    const first = await at.receive('bytes')
    await (await at.store.adopt(first.path, first.sha512)).settle()
    const second = await at.receive('bytes')
    await (await at.store.adopt(second.path, second.sha512)).undo()
    expect(await listed(at.store)).toEqual([first.sha512])
    expect(await at.files()).toHaveLength(1)
  })

  test('is never written over', async () => {
    await using at = await openFixture()
    const first = await at.receive('bytes')
    await (await at.store.adopt(first.path, first.sha512)).settle()
    const before = await stat(at.store.path(first.sha512))
    const second = await at.receive('bytes')
    await (await at.store.adopt(second.path, second.sha512)).settle()
    expect((await stat(at.store.path(first.sha512))).ino).toBe(before.ino)
  })

  test('leaves nothing when the archive cannot be written', async () => {
    await using at = await openFixture()
    const { path, sha512 } = await at.receive('bytes')
    await writeFile(at.paths.blobDirectory(sha512), 'a file where a folder should be')
    await expect(at.store.adopt(path, sha512)).rejects.toThrow(/ENOTDIR/)
    expect(await at.files()).toEqual([at.paths.blobDirectory(sha512).slice(at.paths.data.length + 1)])
  })
})

describe('sweeping', () => {
  test('takes what was half received', async () => {
    await using at = await openFixture()
    await at.receive('half')
    await at.store.sweep(ALWAYS)
    expect(await at.files()).toEqual([])
  })

  test.each([
    ['whose row was written stays', ALWAYS, 1],
    ['whose row was never written goes', NEVER, 0],
  ])('an adopted blob %s', async (_what, isRecorded, count) => {
    await using at = await openFixture()
    const { path, sha512 } = await at.receive('bytes')
    await at.store.adopt(path, sha512)
    await at.store.sweep(isRecorded)
    expect(await at.files()).toHaveLength(count)
  })

  test('asks about nothing else than leftovers: a blob without a marker is not touched', async () => {
    await using at = await openFixture()
    const { path, sha512 } = await at.receive('bytes')
    await (await at.store.adopt(path, sha512)).settle()
    await at.store.sweep(() => Promise.reject(new Error('nobody should ask')))
    expect(await listed(at.store)).toEqual([sha512])
  })
})

describe('a mirror', () => {
  test('shows a blob under the distfile’s name, as the same bytes on disk', async () => {
    await using at = await openFixture()
    const { path, sha512 } = await at.receive('bytes')
    await (await at.store.adopt(path, sha512)).settle()
    expect(await at.store.mirrored('staging')).toEqual([])
    await at.store.linkIntoMirror('staging', 'hub-shop-1.tar.gz', sha512)
    await at.store.linkIntoMirror('staging', 'hub-shop-1.tar.gz', sha512)
    expect(await at.store.mirrored('staging')).toEqual(['hub-shop-1.tar.gz'])
    const inode = async (file: string) => (await stat(file)).ino
    expect(await inode(at.paths.mirrorFile('staging', 'hub-shop-1.tar.gz'))).toBe(
      await inode(at.store.path(sha512)),
    )
    await at.store.unlinkFromMirror('staging', 'hub-shop-1.tar.gz')
    await at.store.unlinkFromMirror('staging', 'hub-shop-1.tar.gz')
    expect(await at.store.mirrored('staging')).toEqual([])
    expect(await listed(at.store)).toEqual([sha512])
  })

  test('does not show what the archive lacks', async () => {
    await using at = await openFixture()
    await expect(at.store.linkIntoMirror('staging', 'x.tar.gz', 'ab'.repeat(64))).rejects.toThrow(/ENOENT/)
    expect(await at.store.mirrored('staging')).toEqual([])
  })
})

test('discarding an upload twice is no error, and its folder is closed to others', async () => {
  await using at = await openFixture()
  const { path } = await at.receive('bytes')
  await at.store.discard(path)
  await at.store.discard(path)
  expect(await at.files()).toEqual([])
  expect((await stat(at.paths.uploads)).mode & 0o777).toBe(0o700)
})

test('what lies in the archive by mistake is not listed as a blob', async () => {
  await using at = await openFixture()
  await writeFile(join(at.paths.archive, 'README'), 'x')
  const { path, sha512 } = await at.receive('bytes')
  await (await at.store.adopt(path, sha512)).settle()
  await writeFile(join(at.paths.blobDirectory(sha512), `${sha512}.x.tmp`), 'half a copy')
  expect(await listed(at.store)).toEqual([sha512])
})
