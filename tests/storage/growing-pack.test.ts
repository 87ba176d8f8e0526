/** Revisions that are written one after another into one pack: small on disk, and whole to git at every moment. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeTreeDelta } from '../../src/git/delta.ts'
import { encodeCommit, objectId } from '../../src/git/objects.ts'
import type { Oid } from '../../src/git/objects.ts'
import { newObjects } from '../../src/git/tree-diff.ts'
import { EMPTY_TREE, applyChanges } from '../../src/git/tree.ts'
import type { Tree } from '../../src/git/tree.ts'
import { GitRepository } from '../../src/storage/git-repository.ts'
import type { PackedObject } from '../../src/storage/git-repository.ts'
import { blobOf, git, temporaryFolder } from '../git/support.ts'

/** An overlay with one large flat folder, as that of the cache is. */
class LargeOverlay {
  readonly repository: GitRepository
  #tree: Tree = EMPTY_TREE
  #commit: Oid | null = null
  #count = 0

  constructor(repository: GitRepository) {
    this.repository = repository
  }

  async publish(files: Readonly<Record<string, string>>): Promise<void> {
    const blobs = Object.entries(files).map(([path, text]) => [path, blobOf(text)] as const)
    const tree = applyChanges(this.#tree, new Map(blobs.map(([path, { oid }]) => [path, oid])))
    const author = { name: 'Hub', email: 'hub@example.org' }
    const message = `revision ${++this.#count}`
    const content = encodeCommit({
      tree: tree.oid,
      parent: this.#commit,
      author,
      timeSec: this.#count,
      message,
    })
    const commit = objectId('commit', content)
    await this.repository.growPack([
      { type: 'commit', oid: commit, content },
      ...newObjects(this.#tree, tree).trees.map(({ tree: folder, base }): PackedObject => {
        const object = { type: 'tree', oid: folder.oid, content: folder.content } as const
        if (!base) return object
        return { ...object, delta: { base: base.oid, encode: () => encodeTreeDelta(base, folder) } }
      }),
      ...blobs.map(([, { oid, content: text }]) => ({ type: 'blob' as const, oid, content: text })),
    ])
    await this.repository.updateTip(commit, this.#commit)
    this.#tree = tree
    this.#commit = commit
  }
}

function manyFiles(count: number): Record<string, string> {
  const names = Array.from({ length: count }, (_, at) => `cache/app-${String(at).padStart(5, '0')}`)
  return Object.fromEntries(names.map((name) => [name, name]))
}

async function packBytes(path: string): Promise<number> {
  const folder = join(path, 'objects/pack')
  const packs = (await readdir(folder)).filter((name) => name.endsWith('.pack'))
  const sizes = await Promise.all(packs.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

test('a revision of a large folder costs what it changes', async () => {
  await using folder = await temporaryFolder()
  const overlay = new LargeOverlay(await GitRepository.open(folder.path))
  await overlay.publish(manyFiles(4000))
  const before = await packBytes(folder.path)
  for (let at = 0; at < 20; at++) await overlay.publish({ [`cache/new-${at}`]: `${at}` })
  expect(await packBytes(folder.path)).toBeLessThan(before * 1.25)
  expect(await overlay.repository.packCount()).toBe(1)
  expect(await git(folder.path, ['fsck', '--strict', '--full', '--no-dangling'])).toBe('')
  expect(await git(folder.path, ['rev-list', '--count', 'main'])).toBe('21')
})

test('a pack that has grown enough is left, and the next one has what its deltas lead to', async () => {
  await using folder = await temporaryFolder()
  const overlay = new LargeOverlay(await GitRepository.open(folder.path))
  await overlay.publish(manyFiles(300))
  for (let at = 0; at < 130; at++) {
    await overlay.publish({ [`cache/new-${at}`]: `${at}`.repeat(500 + at), 'profiles/repo_name': `${at}` })
  }
  expect(await overlay.repository.packCount()).toBeGreaterThan(1)
  expect(await overlay.repository.packCount()).toBeLessThan(65)
  expect(await git(folder.path, ['fsck', '--strict', '--full', '--no-dangling'])).toBe('')
  for (const name of await readdir(join(folder.path, 'objects/pack')))
    if (name.endsWith('.idx')) await git(folder.path, ['verify-pack', join('objects/pack', name)])
})

test('after a start, and after git has joined the packs, revisions go on', async () => {
  await using folder = await temporaryFolder()
  const overlay = new LargeOverlay(await GitRepository.open(folder.path))
  await overlay.publish(manyFiles(1000))
  await overlay.publish({ 'cache/a': 'a' })
  await overlay.repository.repack()
  await overlay.publish({ 'cache/b': 'b' })
  expect(await git(folder.path, ['fsck', '--strict', '--full', '--no-dangling'])).toBe('')
  expect(await git(folder.path, ['ls-tree', '-r', '--name-only', 'main', 'cache/a', 'cache/b'])).toBe(
    'cache/a\ncache/b',
  )
})

test('the same revision again makes no second pack', async () => {
  await using folder = await temporaryFolder()
  const repository = await GitRepository.open(folder.path)
  const { oid, content } = blobOf('x')
  for (let times = 0; times < 3; times++) await repository.growPack([{ type: 'blob', oid, content }])
  await repository.growPack([])
  expect(await repository.packCount()).toBe(1)
  expect(await git(folder.path, ['cat-file', 'blob', oid])).toBe('x')
})
