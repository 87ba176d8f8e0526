/** Packages on disk: those that Portage made, hostile ones, and one of 2 GiB. */
import { readFileSync } from 'node:fs'
import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openBinpkg, readManifestText, readMetadata } from '../../src/binpkgs/open-binpkg.ts'
import { readIndexEntry } from '../../src/binpkgs/read-index-entry.ts'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { parsePackagesIndex, renderIndexEntry } from '../../src/gentoo/packages-index.ts'
import { renderTarEnd, renderTarHeader } from '../../src/gentoo/tar-member.ts'
import { renderXpak } from '../../src/gentoo/xpak.ts'
import { temporaryFolder } from '../git/support.ts'
import {
  GOLDEN_BINPKGS,
  goldenPackages,
  gpkgOf,
  metadataTar,
  programsOf,
  SHOP_METADATA,
  shopParts,
} from '../support/gpkgs.ts'
import { testWith } from '../support/programs.ts'
import { gnuLongName, paxHeader, tarEntry, tarOf } from '../support/tarballs.ts'

const coded = (code: string): unknown => expect.objectContaining({ code })

async function withFile<T>(bytes: Buffer, use: (path: string) => Promise<T>): Promise<T> {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'package')
  await writeFile(path, bytes)
  return await use(path)
}

const readWhole = async (path: string) => await readMetadata(await openBinpkg(path))

describe('packages that Portage made', () => {
  test('are there of both formats, all ways of packing and both names', () => {
    expect(goldenPackages('gpkg')).toHaveLength(7)
    expect(goldenPackages('xpak')).toHaveLength(5)
  })

  for (const name of goldenPackages()) {
    testWith(...programsOf(name))(`${name} has the entry that Portage wrote`, async () => {
      const text = readFileSync(join(GOLDEN_BINPKGS, name.split('/', 1)[0] ?? '', 'Packages'), 'utf8')
      const { header, packages } = parsePackagesIndex(text)
      const [theirs = {}] = packages
      const path = name.split('/').slice(1).join('/')
      const mtimeSec = Number(theirs['MTIME'])
      const ours = await readIndexEntry(join(GOLDEN_BINPKGS, name), { path, mtimeSec, binpkgBuildId: null })
      // The same package under two names stands there once.
      expect(renderIndexEntry(ours, header)).toBe(renderIndexEntry({ ...theirs, PATH: path }, header))
    })
  }

  for (const name of goldenPackages('gpkg')) {
    testWith(...programsOf(name))(`${name} is what its Manifest says`, async () => {
      const { layout, manifest } = await verifyGpkg(join(GOLDEN_BINPKGS, name))
      expect(layout.prefix).toBe('shop-1.0.0_p1')
      expect([...manifest.keys()]).toHaveLength(3)
      const metadata = await readWhole(join(GOLDEN_BINPKGS, name))
      expect(metadata.get('environment.bz2')?.toString('latin1', 0, 3)).toBe('BZh')
      expect(metadata.get('CONTENTS')?.toString()).toContain('obj /opt/shop/bin/shop')
    })
  }
})

describe('the outer archive', () => {
  const whole = gpkgOf()

  test('may have its names in extended headers, and any padding behind it', async () => {
    const parts = shopParts()
    const long = gnuLongName('shop-1.0.0_p1/gpkg-1')
    const pax = paxHeader([['path', 'shop-1.0.0_p1/metadata.tar.gz']])
    const first = tarEntry({ name: 'cut', content: '' })
    const second = tarEntry({ name: 'cut', content: parts['metadata.tar.gz'] ?? '' })
    const image = gpkgOf(parts).subarray(
      512 + tarEntry({ name: '', content: parts['metadata.tar.gz'] ?? '' }).length,
    )
    const bytes = Buffer.concat([long, first, pax, second, image, Buffer.alloc(10_240)])
    await withFile(bytes, async (path) => {
      expect((await readWhole(path)).get('PF')?.toString()).toBe(SHOP_METADATA['PF'])
      await verifyGpkg(path)
    })
  })

  test('any byte that changes is refused, at the latest when it is verified', async () => {
    await withFile(whole, async (path) => {
      await using file = await open(path, 'r+')
      for (let at = 0; at < whole.length; at++) {
        await file.write(Buffer.from([(whole[at] ?? 0) ^ (1 << (at % 8))]), 0, 1, at)
        await expect(verifyGpkg(path), `byte ${at}`).rejects.toEqual(
          expect.objectContaining({ code: expect.stringMatching(/^(archive|binpkg)\./) as string }),
        )
        await file.write(whole, at, 1, at)
      }
      await verifyGpkg(path)
    })
  })

  test('cut off anywhere it is refused', async () => {
    await withFile(whole, async (path) => {
      for (let length = whole.length - 513; length >= 0; length -= 97) {
        await truncate(path, length)
        await expect(openBinpkg(path), `${length} bytes`).rejects.toEqual(
          expect.objectContaining({
            code: expect.stringMatching(/^(archive\.corrupt|binpkg\.invalid)$/) as string,
          }),
        )
      }
    })
  })

  test.each<readonly [string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'archive.corrupt'],
    ['text', Buffer.alloc(2000, 'x'), 'archive.corrupt'],
    ['an archive of nothing', tarOf(), 'binpkg.invalid'],
    ['a compressed one', gzipSync(whole), 'archive.corrupt'],
    ['a symbolic link in it', tarOf({ name: 'p/gpkg-1', type: '2', link: '/etc/passwd' }), 'archive.corrupt'],
    ['a folder in it', tarOf({ name: 'p/', type: '5' }), 'archive.corrupt'],
    ['something behind its end', Buffer.concat([whole, Buffer.from('x')]), 'archive.corrupt'],
    ['a megabyte of zeros behind its end', Buffer.concat([whole, Buffer.alloc(1 << 20)]), 'archive.corrupt'],
    ['many members', tarOf(...Array.from({ length: 9 }, (_, n) => ({ name: `p/${n}` }))), 'binpkg.invalid'],
    ['a name announced and no member', tarOf(gnuLongName('p/x')), 'archive.corrupt'],
    [
      'a name announced twice',
      tarOf(gnuLongName('p/x'), gnuLongName('p/y'), { name: 'x' }),
      'archive.corrupt',
    ],
    [
      'a member larger than the file',
      renderTarHeader({ name: 'p/x', sizeBytes: 2 ** 50, mtimeSec: 0 }),
      'archive.corrupt',
    ],
    ['xpak’s end alone', Buffer.from('XPAKSTOP\0\0\0\x20STOP', 'latin1'), 'archive.corrupt'],
  ])('%s is refused', async (_what, bytes, code) => {
    await withFile(bytes, async (path) => {
      await expect(openBinpkg(path)).rejects.toEqual(coded(code))
    })
  })

  test('a Manifest is small and ASCII', async () => {
    for (const Manifest of ['x'.repeat(64 * 1024 + 1), 'DATA ä 1\n', 'DATA\0']) {
      await withFile(gpkgOf(shopParts({ Manifest })), async (path) => {
        await expect(verifyGpkg(path)).rejects.toEqual(coded('binpkg.invalid'))
      })
    }
  })
})

describe('the metadata', () => {
  const read = async (tar: Buffer) =>
    await withFile(gpkgOf(shopParts({ 'metadata.tar.gz': gzipSync(tar) })), readWhole)

  test.each<readonly [string, Buffer, string]>([
    ['its own folder, which readers die of', tarOf({ name: 'metadata/', type: '5' }), 'binpkg.invalid'],
    ['a file elsewhere', tarOf({ name: 'SLOT', content: '0' }), 'binpkg.invalid'],
    ['a file further down', tarOf({ name: 'metadata/a/SLOT', content: '0' }), 'binpkg.invalid'],
    ['a file above', tarOf({ name: 'metadata/..', content: '0' }), 'binpkg.invalid'],
    ['a link', tarOf({ name: 'metadata/SLOT', type: '2', link: '/etc/passwd' }), 'binpkg.invalid'],
    ['a key twice', tarOf({ name: 'metadata/SLOT' }, { name: 'metadata/SLOT' }), 'binpkg.invalid'],
    ['a device', tarOf({ name: 'metadata/SLOT', type: '3' }), 'archive.unsafe_type'],
    [
      'a thousand keys and one',
      metadataTar(Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`K${n}`, '']))),
      'archive.too_many_entries',
    ],
    ['no end', metadataTar().subarray(0, -1024), 'archive.corrupt'],
    ['no archive', Buffer.from('no archive'), 'archive.unsupported_format'],
  ])('with %s is refused', async (_what, tar, code) => {
    await expect(read(tar)).rejects.toEqual(coded(code))
  })

  test('of more than 64 MiB is refused, however small it is packed', async () => {
    await expect(read(metadataTar({ BIG: Buffer.alloc((64 << 20) + 1) }))).rejects.toEqual(
      coded('archive.too_large_unpacked'),
    )
  })

  test('that is packed as nothing is refused', async () => {
    await withFile(gpkgOf(shopParts({ 'metadata.tar.gz': '' })), async (path) => {
      await expect(readWhole(path)).rejects.toEqual(coded('archive.corrupt'))
    })
  })

  test('is read where it is: what stands behind it in the file is not part of it', async () => {
    // A second frame of the same program follows, as the image.
    const { 'metadata.tar.gz': _, 'image.tar.gz': __, ...rest } = shopParts()
    const evil = zstdCompressSync(metadataTar({ SLOT: 'evil' }))
    const parts = {
      ...rest,
      'metadata.tar.zst': zstdCompressSync(metadataTar()),
      'image.tar.zst': evil,
    }
    expect((await withFile(gpkgOf(parts), readWhole)).get('SLOT')?.toString()).toBe('0\n')
  })
})

describe('an older package', () => {
  const tail = renderXpak(
    new Map(Object.entries(SHOP_METADATA).map(([key, value]) => [key, Buffer.from(value)])),
  )

  test('has its metadata behind the image', async () => {
    const metadata = await withFile(Buffer.concat([Buffer.alloc(3000, 1), tail]), readWhole)
    expect(metadata.get('PF')?.toString()).toBe(SHOP_METADATA['PF'])
  })

  test('has nothing to verify it by', async () => {
    await withFile(tail, async (path) => {
      await expect(verifyGpkg(path)).rejects.toEqual(coded('binpkg.invalid'))
    })
  })

  test('cannot have more metadata than it has bytes', async () => {
    await withFile(tail.subarray(20), async (path) => {
      await expect(openBinpkg(path)).rejects.toEqual(coded('archive.corrupt'))
    })
  })
})

test('of a package of 2 GiB the metadata is read, and not the image', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'large.gpkg.tar')
  const { 'image.tar.gz': _, ...parts } = shopParts()
  const front = gpkgOf({ ...parts, Manifest: '' }).subarray(0, -1024 - 512)
  const imageBytes = 2 ** 31
  const manifest = tarEntry({ name: 'shop-1.0.0_p1/Manifest', content: 'DATA\n' })
  await using file = await open(path, 'w')
  await file.write(front, 0, front.length, 0)
  const header = renderTarHeader({ name: 'shop-1.0.0_p1/image.tar.gz', sizeBytes: imageBytes, mtimeSec: 0 })
  await file.write(header, 0, 512, front.length)
  const behind = Buffer.concat([manifest, renderTarEnd()])
  await file.write(behind, 0, behind.length, front.length + 512 + imageBytes)

  const before = bytesRead()
  const binpkg = await openBinpkg(path)
  if (binpkg.format !== 'gpkg') throw new Error('it is a gpkg')
  expect(binpkg.layout.image.sizeBytes).toBe(imageBytes)
  expect((await readMetadata(binpkg)).get('PF')?.toString()).toBe(SHOP_METADATA['PF'])
  expect(await readManifestText(binpkg)).toBe('DATA\n')
  expect(bytesRead() - before).toBeLessThan(16 << 20)
})

/** How many bytes this process has read from files, as the kernel counts them: holes of a sparse file too. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}
