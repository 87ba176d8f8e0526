import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeTreeDelta } from '../../src/git/delta.ts'
import { encodeTree, objectId } from '../../src/git/objects.ts'
import type { Oid } from '../../src/git/objects.ts'
import { diffTrees, newObjects, objectsOf } from '../../src/git/tree-diff.ts'
import { applyChanges, EMPTY_TREE, listFiles, lookup, treeFromFiles } from '../../src/git/tree.ts'
import type { Tree } from '../../src/git/tree.ts'
import { blobOf, git, temporaryFolder } from './support.ts'

type Changes = ReadonlyMap<string, Oid | null>

/** Names whose order differs between git, UTF-16 and a plain sort of paths. */
const name = fc.constantFrom(
  'foo',
  'foo.bar',
  'foo-bar',
  'foo0',
  'Foo',
  'a',
  'ä',
  '\u{1f600}',
  '\uffee',
  '.github',
)
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const content = fc.option(
  fc.constantFrom('1', '2', '3').map((text) => blobOf(text).oid),
  { freq: 2 },
)
const changes = fc.array(fc.tuple(path, content), { maxLength: 6 }).map((list): Changes => new Map(list))
const sequences = fc.array(changes, { minLength: 1, maxLength: 12 })

/** The files after a change; null when a file and a folder would have one name. */
function changedFiles(files: ReadonlyMap<string, Oid>, change: Changes): ReadonlyMap<string, Oid> | null {
  const after = new Map(files)
  for (const [at, oid] of change) {
    if (oid) after.set(at, oid)
    else after.delete(at)
  }
  const clash = [...after.keys()].some((file) =>
    [...after.keys()].some((other) => other.startsWith(`${file}/`)),
  )
  return clash ? null : after
}

/** Trees after each change that could be made, with the files that each should have. */
function play(sequence: readonly Changes[]): { tree: Tree; files: ReadonlyMap<string, Oid> }[] {
  const states: { tree: Tree; files: ReadonlyMap<string, Oid> }[] = [{ tree: EMPTY_TREE, files: new Map() }]
  for (const change of sequence) {
    const { tree, files } = states.at(-1) as { tree: Tree; files: ReadonlyMap<string, Oid> }
    const after = changedFiles(files, change)
    if (after) states.push({ tree: applyChanges(tree, change), files: after })
    else
      expect(() => applyChanges(tree, change)).toThrow(
        expect.objectContaining({ code: 'overlay.path_refused' }),
      )
  }
  return states
}

/** Every tree object in it is the encoding of its entries and has its id; folders are never empty. */
function expectSound(tree: Tree): void {
  expect(tree.content).toEqual(encodeTree(tree.entries))
  expect(tree.oid).toBe(objectId('tree', tree.content))
  for (const { tree: folder } of tree.entries) {
    if (!folder) continue
    expect(folder.entries.length).toBeGreaterThan(0)
    expectSound(folder)
  }
}

describe('an edited tree', () => {
  test('is the tree made from scratch of the same files', () => {
    fc.assert(
      fc.property(sequences, (sequence) => {
        for (const { tree, files } of play(sequence)) {
          expect(tree.oid).toBe(treeFromFiles(files).oid)
          expect(new Map(listFiles(tree))).toEqual(files)
          expectSound(tree)
          for (const [file, oid] of files) expect(lookup(tree, file)?.oid).toBe(oid)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('is the tree that git writes of the same files', async () => {
    await using folder = await temporaryFolder()
    await git(folder.path, ['init', '-q'])
    await fc.assert(
      fc.asyncProperty(sequences, async (sequence) => {
        const { tree, files } = play(sequence).at(-1) as { tree: Tree; files: ReadonlyMap<string, Oid> }
        await git(folder.path, ['read-tree', '--empty'])
        const input = Array.from(files, ([file, oid]) => `100644 ${oid}\t${file}\0`).join('')
        await git(folder.path, ['update-index', '-z', '--index-info'], { input })
        expect(await git(folder.path, ['write-tree', '--missing-ok'])).toBe(tree.oid)
        const top = tree.entries.map(
          (entry) => `${entry.mode} ${entry.tree ? 'tree' : 'blob'} ${entry.oid}\t${entry.name}\0`,
        )
        expect(
          await git(folder.path, ['mktree', '-z', '--missing'], { input: top.toReversed().join('') }),
        ).toBe(tree.oid)
      }),
      { numRuns: 40 },
    )
  })

  test('lists files in the order of git', async () => {
    await using folder = await temporaryFolder()
    await git(folder.path, ['init', '-q'])
    const files = [
      'foo',
      'foo.bar',
      'foo-bar/x',
      'foo0',
      'Foo/a',
      '\u{1f600}',
      '\uffee',
      'b/foo/x',
      'b/foo.x',
      'b/foo-x',
    ]
    const input = files.map((file) => `100644 ${blobOf('1').oid}\t${file}\0`).join('')
    await git(folder.path, ['update-index', '-z', '--index-info'], { input })
    const tree = treeFromFiles(files.map((file) => [file, blobOf('1').oid]))
    expect(Array.from(listFiles(tree), ([file]) => file)).toEqual(
      (await git(folder.path, ['ls-files', '-z'])).split('\0').slice(0, -1),
    )
  })

  test('shares the folders that did not change', () => {
    const before = treeFromFiles([
      ['a/x', blobOf('1').oid],
      ['b/y', blobOf('1').oid],
    ])
    const after = applyChanges(
      before,
      new Map([
        ['b/y', blobOf('2').oid],
        ['a/x', blobOf('1').oid],
      ]),
    )
    expect(lookup(after, 'a')).toBe(lookup(before, 'a'))
    expect(applyChanges(after, new Map([['nothing/here', null]]))).toBe(after)
  })

  test('is empty when its last file goes', () => {
    const tree = treeFromFiles([['a/b/c', blobOf('1').oid]])
    expect(applyChanges(tree, new Map([['a/b/c', null]]))).toBe(EMPTY_TREE)
  })
})

test.each([
  '',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  'a/./b',
  '.git',
  '.GIT/config',
  'a/.git/hooks',
  'git~1/x',
  '.git ',
  'a\0b',
  'a\nb',
  'a\\b',
  '\ud800',
  'x/'.repeat(40) + 'x',
  'y'.repeat(256),
  `${'z'.repeat(200)}/`.repeat(6) + 'z',
])('the path %j is refused', (unsafe) => {
  for (const oid of [blobOf('1').oid, null]) {
    expect(() => applyChanges(EMPTY_TREE, new Map([[unsafe, oid]]))).toThrow(
      expect.objectContaining({ code: 'overlay.path_refused' }),
    )
  }
})

describe('the difference of two trees', () => {
  test('names the files that differ, and no others', () => {
    fc.assert(
      fc.property(sequences, (sequence) => {
        const states = play(sequence)
        for (const before of states.slice(0, 3)) {
          const after = states.at(-1) as (typeof states)[number]
          const expected = new Map<string, unknown>()
          for (const file of new Set([...before.files.keys(), ...after.files.keys()])) {
            const change = {
              path: file,
              before: before.files.get(file) ?? null,
              after: after.files.get(file) ?? null,
            }
            if (change.before !== change.after) expected.set(file, change)
          }
          const found = diffTrees(before.tree, after.tree)
          expect(new Map(found.map((change) => [change.path, change]))).toEqual(expected)
          expect(found.length).toBe(expected.size)
        }
      }),
    )
  })

  test('and what one has are all objects of the other', () => {
    fc.assert(
      fc.property(sequences, (sequence) => {
        const [before, after] = [play(sequence.slice(0, 4)).at(-1)?.tree, play(sequence).at(-1)?.tree] as [
          Tree,
          Tree,
        ]
        const ids = ({ trees, blobs }: ReturnType<typeof objectsOf>): Oid[] => [
          ...trees.map(({ tree }) => tree.oid),
          ...blobs,
        ]
        const sent = ids(newObjects(before, after))
        const has = new Set([...ids(objectsOf(before)), ...sent])
        expect(ids(objectsOf(after)).filter((oid) => !has.has(oid))).toEqual([])
        expect(new Set(sent).size).toBe(sent.length)
      }),
    )
  })
})

/** Follows the instructions as gitformat-pack(5) describes them. */
function followDelta(base: Buffer, delta: Buffer): Buffer {
  let at = 0
  const byte = (): number => delta[at++] as number
  const size = (): number => {
    let value = 0
    for (let shift = 0, more = true; more; shift += 7) {
      const next = byte()
      value |= (next & 0x7f) << shift
      more = next >= 0x80
    }
    return value
  }
  expect(size()).toBe(base.byteLength)
  const target = size()
  const parts: Buffer[] = []
  while (at < delta.byteLength) {
    const op = byte()
    if (op < 0x80) {
      parts.push(delta.subarray(at, at + op))
      at += op
      continue
    }
    let [offset, length] = [0, 0]
    for (let bit = 0; bit < 4; bit++) if (op & (1 << bit)) offset |= byte() << (8 * bit)
    for (let bit = 0; bit < 3; bit++) if (op & (0x10 << bit)) length |= byte() << (8 * bit)
    parts.push(base.subarray(offset, offset + (length || 0x10000)))
  }
  const made = Buffer.concat(parts)
  expect(made.byteLength).toBe(target)
  return made
}

test('a delta of two folders makes the one out of the other', () => {
  fc.assert(
    fc.property(sequences, sequences, (some, more) => {
      const before = play(some).at(-1)?.tree ?? EMPTY_TREE
      const after = play([...some, ...more]).at(-1)?.tree ?? EMPTY_TREE
      expect(followDelta(before.content, encodeTreeDelta(before, after))).toEqual(after.content)
    }),
  )
  const many = treeFromFiles(
    Array.from({ length: 5000 }, (_, at) => [`file-${at}`, blobOf(`${at % 7}`).oid] as const),
  )
  const changed = applyChanges(
    many,
    new Map([
      ['file-2500', null],
      ['file-77', blobOf('x').oid],
      ['new', blobOf('x').oid],
    ]),
  )
  const delta = encodeTreeDelta(many, changed)
  expect(followDelta(many.content, delta)).toEqual(changed.content)
  expect(delta.byteLength).toBeLessThan(200)
})

test('a path that runs through a file leads nowhere', () => {
  const tree = treeFromFiles([['a/b', blobOf('1').oid]])
  for (const missing of ['a/b/c', 'x', 'x/y', 'a/', '']) expect(lookup(tree, missing)).toBeUndefined()
  expect(lookup(tree, 'a')?.tree?.entries).toHaveLength(1)
})
