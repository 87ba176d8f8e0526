import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { objectId } from '../../src/git/objects.ts'
import type { Oid } from '../../src/git/objects.ts'
import type { PackedObject } from '../../src/storage/git-repository.ts'
import { GitRepository } from '../../src/storage/git-repository.ts'
import { git, OverlayFixture, temporaryFolder } from '../git/support.ts'

const FILES = {
  'profiles/repo_name': 'hub\n',
  'app-acme/shop/Manifest': 'DIST\n',
  'app-acme/shop-x': 'x',
  'app-acme/shop.x': 'x',
}

async function openFixture(): Promise<OverlayFixture & AsyncDisposable> {
  const folder = await temporaryFolder()
  const fixture = new OverlayFixture(await GitRepository.open(join(folder.path, 'a', 'hub.git')))
  return Object.assign(fixture, folder)
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort()
}

test('git finds nothing wrong with what is written, and reads it back', async () => {
  await using fixture = await openFixture()
  const { path } = fixture.repository
  await fixture.publish(FILES, 'first')
  await fixture.publish({ 'app-acme/shop/Manifest': 'DIST 2\n' }, 'second')
  expect(await git(path, ['fsck', '--strict', '--full'])).toBe('')
  expect(await git(path, ['log', '--format=%s'])).toBe('second\nfirst')
  expect(await git(path, ['cat-file', 'blob', 'main:app-acme/shop/Manifest'])).toBe('DIST 2')
  expect(await git(path, ['ls-tree', '-r', '--name-only', 'main'])).toBe(
    'app-acme/shop-x\napp-acme/shop.x\napp-acme/shop/Manifest\nprofiles/repo_name',
  )
  expect(await fixture.repository.readTip()).toBe(fixture.tip?.commit)
  for (const name of await readdir(join(path, 'objects/pack'))) {
    if (name.endsWith('.idx')) await git(path, ['verify-pack', join('objects/pack', name)])
  }
})

test('opening makes a skeleton that git takes, and opening again changes nothing', async () => {
  await using fixture = await openFixture()
  const { path } = fixture.repository
  expect(await fixture.repository.readTip()).toBeNull()
  expect(await git(path, ['rev-parse', '--is-bare-repository'])).toBe('true')
  expect(await git(path, ['symbolic-ref', 'HEAD'])).toBe('refs/heads/main')
  expect(await git(path, ['config', 'uploadpack.allowFilter'])).toBe('true')
  await fixture.publish(FILES)
  const again = await GitRepository.open(path)
  expect(await again.readTip()).toBe(fixture.tip?.commit)
  expect((await filesBelow(path)).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

test('objects of every size survive the way through a pack', async () => {
  await using folder = await temporaryFolder()
  const repository = await GitRepository.open(folder.path)
  const sizes = [0, 1, 15, 16, 2047, 2048, 40_000, 300_000]
  const objects = sizes.map((size): PackedObject => {
    const content = Buffer.from(Array.from({ length: size }, (_, at) => (at * 7919) % 253))
    return { type: 'blob', oid: objectId('blob', content), content }
  })
  await repository.writePack([...objects, ...objects])
  for (const { oid, content } of objects) {
    expect(await git(folder.path, ['cat-file', '-s', oid])).toBe(`${content.byteLength}`)
  }
  expect(await git(folder.path, ['fsck', '--strict', '--no-dangling'])).toBe('')
})

test('the same objects again make no second pack', async () => {
  await using fixture = await openFixture()
  const content = Buffer.from('x')
  const objects: PackedObject[] = [{ type: 'blob', oid: objectId('blob', content), content }]
  const name = await fixture.repository.writePack(objects)
  expect(await fixture.repository.writePack(objects)).toBe(name)
  expect(await fixture.repository.packCount()).toBe(1)
  expect(await fixture.repository.writePack([])).toBeNull()
})

test('the tip moves only from where it is expected', async () => {
  await using fixture = await openFixture()
  const { commit } = await fixture.publish(FILES)
  const other = 'b'.repeat(40) as Oid
  await expect(fixture.repository.updateTip(other, null)).rejects.toThrow(/not at null/)
  await expect(fixture.repository.updateTip(other, other)).rejects.toThrow(/not at b/)
  expect(await fixture.repository.readTip()).toBe(commit)
  await writeFile(join(fixture.repository.path, 'refs/heads/main.lock'), '')
  await expect(fixture.repository.updateTip(other, commit)).rejects.toThrow(/EEXIST/)
  expect(await fixture.repository.readTip()).toBe(commit)
})

test('a tip that someone packed is read', async () => {
  await using fixture = await openFixture()
  await fixture.publish(FILES)
  const { commit } = await fixture.publish({ a: '1' })
  await git(fixture.repository.path, ['pack-refs', '--all'])
  expect(await fixture.repository.readTip()).toBe(commit)
  await fixture.publish({ a: '2' })
  expect(await git(fixture.repository.path, ['rev-parse', 'main'])).toBe(fixture.tip?.commit)
})

test('sweeping removes what a crash left, and nothing else', async () => {
  await using fixture = await openFixture()
  await fixture.publish(FILES)
  const { path } = fixture.repository
  const before = await filesBelow(path)
  const leftovers = [
    'objects/pack/tmp_pack_1',
    'objects/pack/tmp_idx_1',
    'objects/pack/.tmp-77-pack-1.pack',
    `objects/pack/pack-${'1'.repeat(40)}.pack`,
    `objects/pack/pack-${'2'.repeat(40)}.idx`,
    'refs/heads/main.lock',
    'packed-refs.lock',
    'config.0.tmp',
  ]
  for (const leftover of leftovers) await writeFile(join(path, leftover), 'half')
  await fixture.repository.sweep()
  expect(await filesBelow(path)).toEqual(before)
  await fixture.publish({ a: '1' })
  expect(await git(path, ['fsck', '--strict'])).toBe('')
})

test('a pack whose index a crash cut off is written again', async () => {
  await using fixture = await openFixture()
  const content = Buffer.from('x')
  const objects: PackedObject[] = [{ type: 'blob', oid: objectId('blob', content), content }]
  const name = await fixture.repository.writePack(objects)
  await rm(join(fixture.repository.path, `objects/pack/pack-${name}.idx`))
  await fixture.repository.writePack(objects)
  expect(await git(fixture.repository.path, ['cat-file', 'blob', objects[0]?.oid ?? ''])).toBe('x')
})

test('repacking keeps the packs few and every revision readable, also while more are written', async () => {
  await using fixture = await openFixture()
  for (let number = 0; number < 30; number++) await fixture.publish({ ...FILES, a: `${number}` })
  expect(await fixture.repository.packCount()).toBe(30)
  const repacking = fixture.repository.repack()
  for (let number = 30; number < 35; number++) await fixture.publish({ a: `${number}` })
  await repacking
  await fixture.repository.repack()
  expect(await fixture.repository.packCount()).toBeLessThan(6)
  expect(await git(fixture.repository.path, ['fsck', '--strict', '--full'])).toBe('')
  expect(await git(fixture.repository.path, ['rev-list', '--count', '--objects', 'main'])).toBe(
    `${35 * 3 + 6}`,
  )
})

test('a repack that fails says what git said', async () => {
  await using fixture = await openFixture()
  await fixture.publish(FILES)
  await rm(join(fixture.repository.path, 'HEAD'))
  await expect(fixture.repository.repack()).rejects.toThrow(/not a git repository/)
})

test('git is looked for in the search path alone and sees nothing of the environment of the hub', async () => {
  await using fixture = await openFixture()
  await using folder = await temporaryFolder()
  await expect(
    (await GitRepository.open(fixture.repository.path, { searchPath: folder.path })).repack(),
  ).rejects.toThrow(/ENOENT/)
  const seen = join(folder.path, 'seen')
  await mkdir(join(folder.path, 'bin'))
  const fake = join(folder.path, 'bin', 'git')
  await writeFile(fake, `#!/bin/sh\nexport -p > ${seen}\n`)
  await chmod(fake, 0o755)
  await symlink('/bin/sh', join(folder.path, 'bin', 'sh'))
  process.env['GIT_DIR'] = '/elsewhere'
  process.env['HUB_SECRET'] = 'secret'
  try {
    await (
      await GitRepository.open(fixture.repository.path, { searchPath: join(folder.path, 'bin') })
    ).repack()
  } finally {
    delete process.env['GIT_DIR']
    delete process.env['HUB_SECRET']
  }
  const environment = await readFile(seen, 'utf8')
  expect(environment).not.toMatch(/GIT_DIR|HUB_SECRET/)
  expect(environment).toMatch(/GIT_CONFIG_GLOBAL='\/dev\/null'/)
})
