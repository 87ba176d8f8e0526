/** What a package would install, and what is refused of it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openBinpkg } from '../../src/binpkgs/open-binpkg.ts'
import type { Gpkg } from '../../src/binpkgs/open-binpkg.ts'
import { readImage } from '../../src/binpkgs/read-image.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../src/builds/archive-limits.ts'
import { temporaryFolder } from '../git/support.ts'
import { GOLDEN_BINPKGS, goldenPackages, gpkgOf, programsOf, shopParts } from '../support/gpkgs.ts'
import { testWith } from '../support/programs.ts'
import { paxHeader, tarEntry, tarOf } from '../support/tarballs.ts'

const ROOT = { uid: 0, gid: 0, userName: 'root', groupName: 'root' }
const NAMELESS = { uid: 0, gid: 0, userName: '', groupName: '' }

async function imageOf(tar: Buffer, limits = DEFAULT_ARCHIVE_LIMITS) {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'package')
  await writeFile(path, gpkgOf(shopParts({ 'image.tar.gz': gzipSync(tar) })))
  return await readImage((await openBinpkg(path)) as Gpkg, limits)
}

for (const name of goldenPackages('gpkg')) {
  testWith(...programsOf(name))(`the image of ${name} is listed`, async () => {
    const binpkg = (await openBinpkg(join(GOLDEN_BINPKGS, name))) as Gpkg
    expect(await readImage(binpkg, DEFAULT_ARCHIVE_LIMITS)).toEqual([
      { path: 'opt', type: 'directory', mode: 0o755, sizeBytes: 0, owner: ROOT },
      { path: 'opt/shop', type: 'directory', mode: 0o755, sizeBytes: 0, owner: ROOT },
      { path: 'opt/shop/bin', type: 'directory', mode: 0o755, sizeBytes: 0, owner: ROOT },
      { path: 'opt/shop/bin/shop', type: 'file', mode: 0o755, sizeBytes: 29, owner: ROOT },
    ])
  })
}

test('links are listed with where they lead: on the system, or to a file of the image', async () => {
  const tar = tarOf(
    { name: 'image', type: '5' },
    { name: 'image/opt/a', content: 'abc', mode: 0o640 },
    { name: 'image/opt/b', type: '1', link: 'image/opt/a' },
    { name: 'image/usr/bin/a', type: '2', link: '/opt/a' },
  )
  expect(await imageOf(tar)).toEqual([
    { path: 'opt/a', type: 'file', mode: 0o640, sizeBytes: 3, owner: NAMELESS },
    { path: 'opt/b', type: 'hardlink', mode: 0o640, sizeBytes: 3, target: 'opt/a', owner: NAMELESS },
    { path: 'usr/bin/a', type: 'symlink', mode: 0o777, sizeBytes: 0, target: '/opt/a', owner: NAMELESS },
  ])
})

test('the owner is whom unpacking would give it to, wherever the archive says so', async () => {
  const plain = tarEntry({ name: 'image/a', raw: { uid: '0001750\0', gid: '0000001\0' } })
  const owned = paxHeader([
    ['uid', '70000'],
    ['uname', 'postgres'],
  ])
  const later = tarEntry({ name: 'image/c' })
  const common = paxHeader([['gname', 'wheel']], 'g')
  const tar = tarOf(plain, owned, tarEntry({ name: 'image/b' }), common, later)
  expect((await imageOf(tar)).map(({ owner }) => owner)).toEqual([
    { ...NAMELESS, uid: 1000, gid: 1 },
    { ...NAMELESS, uid: 70_000, userName: 'postgres' },
    { ...NAMELESS, groupName: 'wheel' },
  ])
})

test.each<readonly [string, Buffer, string]>([
  ['no entries', tarOf(), 'archive.empty'],
  ['a file that is the image', tarOf({ name: 'image' }), 'archive.unsafe_path'],
  ['an absolute name', tarOf({ name: '/image/a' }), 'archive.unsafe_path'],
  ['a file beside the image', tarOf({ name: 'etc/passwd' }), 'archive.unsafe_path'],
  ['a file in what is only called so', tarOf({ name: 'images/a' }), 'archive.unsafe_path'],
  ['a way out', tarOf({ name: 'image/../../etc/passwd' }), 'archive.unsafe_path'],
  ['a way out further down', tarOf({ name: 'image/a/../b' }), 'archive.unsafe_path'],
  ['a file twice', tarOf({ name: 'image/a' }, { name: 'image/a' }), 'archive.duplicate_entry'],
  [
    'a folder twice',
    tarOf({ name: 'image/a/', type: '5' }, { name: 'image/a/', type: '5' }),
    'archive.duplicate_entry',
  ],
  ['a hard link to nothing', tarOf({ name: 'image/a', type: '1', link: 'image/b' }), 'archive.unsafe_link'],
  [
    'a hard link out of the image',
    tarOf({ name: 'image/a', type: '1', link: '/etc/shadow' }),
    'archive.unsafe_path',
  ],
  [
    'a file below a link',
    tarOf({ name: 'image/a', type: '2', link: '/etc' }, { name: 'image/a/b' }),
    'archive.unsafe_path',
  ],
  ['a block device', tarOf({ name: 'image/a', type: '4' }), 'archive.unsafe_type'],
  ['a pipe', tarOf({ name: 'image/a', type: '6' }), 'archive.unsafe_type'],
  ['a set-user-id file', tarOf({ name: 'image/a', mode: 0o4755 }), 'archive.unsafe_mode'],
  ['a set-group-id folder', tarOf({ name: 'image/a/', type: '5', mode: 0o2755 }), 'archive.unsafe_mode'],
  ['a name with a line end', tarOf({ name: 'image/a\nb' }), 'archive.unsafe_name'],
  ['no end', tarEntry({ name: 'image/a' }), 'archive.corrupt'],
])('an image with %s is refused', async (_what, tar, code) => {
  await expect(imageOf(tar)).rejects.toEqual(expect.objectContaining({ code }))
})

test('an image that unpacks to too much is refused before it is unpacked', async () => {
  const zeros = tarOf({ name: 'image/a', content: Buffer.alloc(80 << 20) })
  await expect(imageOf(zeros)).rejects.toEqual(expect.objectContaining({ code: 'archive.ratio_too_high' }))
  const limits = { ...DEFAULT_ARCHIVE_LIMITS, maxEntries: 1 }
  await expect(imageOf(tarOf({ name: 'image/a' }, { name: 'image/b' }), limits)).rejects.toEqual(
    expect.objectContaining({ code: 'archive.too_many_entries' }),
  )
})
