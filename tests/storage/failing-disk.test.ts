/** What the cellar leaves of an operation whose disk fails: nothing, and nothing that keeps the next one from working. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Oid } from '../../src/git/objects.ts'
import { BlobStore } from '../../src/storage/blob-store.ts'
import { makeDirectoryDurably, writeFileDurably } from '../../src/storage/durable-write.ts'
import { GitRepository } from '../../src/storage/git-repository.ts'
import { createPaths } from '../../src/storage/paths.ts'
import { blobOf, temporaryFolder } from '../git/support.ts'
import { diskError, watchedDisk } from '../support/watched-disk.ts'
import type { Operation } from '../support/watched-disk.ts'

const COMMIT = '1'.repeat(40) as Oid
const NEXT = '2'.repeat(40) as Oid

/** A disk on which the operations that `wanted` chooses fail while `isFailing`. */
function failingDisk(wanted: (operation: Operation, path: string) => boolean) {
  const state = { isFailing: true }
  const disk = watchedDisk((operation, path) => {
    if (state.isFailing && wanted(operation, path)) throw diskError('EIO', operation, path)
  })
  return { disk, state }
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

test('a file whose fsync fails is not there, and the one before stays', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  const { disk, state } = failingDisk((operation) => operation === 'handle.sync')
  await expect(writeFileDurably(path, 'new', 0o644, disk)).rejects.toMatchObject({ code: 'EIO' })
  expect(await filesIn(folder.path)).toEqual([])
  state.isFailing = false
  await writeFileDurably(path, 'new', 0o644, disk)
  expect(await filesIn(folder.path)).toEqual(['file'])
})

test('a folder that could not be made durable is taken back, so that the next try makes it durable', async () => {
  await using folder = await temporaryFolder()
  const { disk } = failingDisk((operation, path) => operation === 'handle.sync' && path === folder.path)
  const deep = join(folder.path, 'a', 'b')
  await expect(makeDirectoryDurably(deep, 0o755, disk)).rejects.toMatchObject({ code: 'EIO' })
  expect(await readdir(folder.path)).toEqual([])
})

test.each<[string, (operation: Operation, path: string) => boolean]>([
  ['the folder of uploads', (operation, path) => operation === 'handle.sync' && path.endsWith('/uploads')],
  ['the folder of the blob', (operation, path) => operation === 'handle.sync' && /archive\/..$/.test(path)],
  ['the link', (operation) => operation === 'link'],
])('an adoption that fails at %s leaves neither blob nor upload', async (_where, wanted) => {
  await using folder = await temporaryFolder()
  const { disk } = failingDisk(wanted)
  const store = await BlobStore.open(createPaths(folder.path), { disk })
  const { path, handle } = await store.createUpload()
  await handle.close()
  await expect(store.adopt(path, 'ab'.repeat(64))).rejects.toMatchObject({ code: 'EIO' })
  expect(await filesIn(folder.path)).toEqual([])
})

test('a blob that is there already counts only when its folder is fsynced once more', async () => {
  await using folder = await temporaryFolder()
  const { disk, state } = failingDisk(
    (operation, path) => /archive\/../.test(path) && (operation === 'handle.sync' || operation === 'rm'),
  )
  const store = await BlobStore.open(createPaths(folder.path), { disk })
  const adopt = async () => {
    const { path, handle } = await store.createUpload()
    await handle.close()
    return await store.adopt(path, 'ab'.repeat(64))
  }
  // The disk neither keeps the blob for good nor lets it be removed.
  await expect(adopt()).rejects.toMatchObject({ code: 'EIO' })
  expect(await store.sizeBytes('ab'.repeat(64))).toBe(0)
  await expect(adopt()).rejects.toMatchObject({ code: 'EIO' })
  state.isFailing = false
  await (await adopt()).settle()
})

describe('a repository', () => {
  test.each<Operation>(['handle.write', 'handle.sync', 'rename'])(
    'has no half of a pack after a failed %s',
    async (failing) => {
      await using folder = await temporaryFolder()
      const { disk, state } = failingDisk(
        (operation, path) => operation === failing && path.includes('/pack/'),
      )
      const repository = await GitRepository.open(folder.path, { disk })
      const objects = [{ type: 'blob', ...blobOf('text') }] as const
      await expect(repository.writePack(objects)).rejects.toMatchObject({ code: 'EIO' })
      expect(await filesIn(join(folder.path, 'objects'))).toEqual([])
      state.isFailing = false
      await repository.writePack(objects)
      expect(await filesIn(join(folder.path, 'objects'))).toHaveLength(2)
    },
  )

  test.each(['even its removal', 'its write alone'])(
    'is not locked by a ref that failed: %s',
    async (how) => {
      await using folder = await temporaryFolder()
      const { disk, state } = failingDisk(
        (operation, path) =>
          path.endsWith('main.lock') &&
          (operation === 'handle.write' || (operation === 'rm' && how.startsWith('even'))),
      )
      const repository = await GitRepository.open(folder.path, { disk })
      await expect(repository.updateTip(COMMIT, null)).rejects.toMatchObject({ code: 'EIO' })
      state.isFailing = false
      await repository.updateTip(COMMIT, null)
      await repository.updateTip(NEXT, COMMIT)
      expect(await repository.readTip()).toBe(NEXT)
    },
  )
})
