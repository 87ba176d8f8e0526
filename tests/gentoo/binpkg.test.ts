import fc from 'fast-check'
import { expect, test } from 'vitest'
import { binpkgCpv, indexEntry, metadataText } from '../../src/gentoo/binpkg.ts'
import { parsePackagesIndex, renderPackagesIndex } from '../../src/gentoo/packages-index.ts'
import { SHOP_METADATA } from '../support/gpkgs.ts'

const INVALID = expect.objectContaining({ code: 'binpkg.invalid' })
const FILE = {
  path: 'app-acme/shop/shop-1.0.0_p1-3.gpkg.tar',
  sizeBytes: 10240,
  mtimeSec: 1_795_337_146,
  md5: 'a'.repeat(32),
  sha1: 'b'.repeat(40),
  binpkgBuildId: 3,
}
const metadata = (changes: Readonly<Record<string, string | null>> = {}): ReadonlyMap<string, Buffer> =>
  new Map(
    Object.entries({ ...SHOP_METADATA, ...changes }).flatMap(([key, value]) =>
      value === null ? [] : [[key, Buffer.from(value)] as const],
    ),
  )

test('an entry has what Portage reads of the metadata, and the facts of the file', () => {
  const more = {
    DESCRIPTION: 'A shop\n',
    repository: 'hub-staging\n',
    IUSE: 'ssl  +web\n',
    USE: 'amd64 ssl\n',
    RDEPEND: 'ssl? ( dev-libs/openssl:= )\n\t!ssl? ( dev-libs/nothing )\n',
    'environment.bz2': 'BZh',
    CONTENTS: 'dir /opt\n',
    SIZE: '29\n',
    PATH: '/bin\n',
  }
  expect(indexEntry(metadata(more), FILE)).toEqual({
    BUILD_ID: '3',
    BUILD_TIME: '1795336822',
    CPV: 'app-acme/shop-1.0.0_p1',
    EAPI: '8',
    IUSE: 'ssl +web',
    KEYWORDS: 'amd64',
    MD5: FILE.md5,
    MTIME: '1795337146',
    PATH: FILE.path,
    RDEPEND: 'dev-libs/openssl:=',
    REPO: 'hub-staging',
    SHA1: FILE.sha1,
    SIZE: '10240',
    SLOT: '0',
    USE: 'amd64 ssl',
  })
})

test('the build id is the binhost’s, else the package’s own, else none', () => {
  const idOf = (own: string | null, given: number | null) =>
    indexEntry(metadata({ BUILD_ID: own }), { ...FILE, binpkgBuildId: given })['BUILD_ID']
  expect([idOf('7\n', 3), idOf('7\n', null), idOf(null, null)]).toEqual(['3', '7', undefined])
})

test('a package without EAPI is of EAPI 0', () => {
  expect(indexEntry(metadata({ EAPI: null }), FILE)['EAPI']).toBe('0')
})

test('white space is what Python takes for it', () => {
  const text = (value: string): string => metadataText(new Map([['USE', Buffer.from(value)]]), 'USE')
  expect(text(' a\u00a0b\u2028c\x1cd\x85e\r\n\n')).toBe('a b c d e')
  expect(text('a\ufeffb')).toBe('a\ufeffb')
})

test('a package is called by its CATEGORY and PF', () => {
  expect(binpkgCpv(metadata())).toBe('app-acme/shop-1.0.0_p1')
})

test.each([
  ['no CATEGORY', { CATEGORY: null }],
  ['no PF', { PF: null }],
  ['a PF without version', { PF: 'shop\n' }],
  ['a PF that leads elsewhere', { PF: '../shop-1\n' }],
  ['no SLOT', { SLOT: '\n' }],
  ['a BUILD_ID that is none', { BUILD_ID: '1a\n' }],
  ['a dependency that cannot be read', { RDEPEND: '( a/b\n' }],
  ['a dependency as large as a library', { DEPEND: 'a/b '.repeat(100_000) }],
  ['a value that breaks out of its line', { KEYWORDS: 'a\u0000b\n' }],
])('a package with %s is refused', (_what, changes: Readonly<Record<string, string | null>>) => {
  expect(() => indexEntry(metadata(changes), { ...FILE, binpkgBuildId: null })).toThrow(INVALID)
})

test('whatever the metadata says, an entry is refused or stays one block of an index', () => {
  const value = fc.string({ unit: 'binary', maxLength: 30 })
  const keys = fc.constantFrom(
    'CHOST',
    'KEYWORDS',
    'USE',
    'RDEPEND',
    'LICENSE',
    'repository',
    'SLOT',
    'PROVIDES',
  )
  fc.assert(
    fc.property(fc.dictionary(keys, value), (changes) => {
      const header = { VERSION: '0' }
      try {
        const entry = indexEntry(metadata(changes), FILE)
        const { packages } = parsePackagesIndex(renderPackagesIndex({ header, packages: [entry] }))
        expect(packages).toHaveLength(1)
      } catch (error) {
        expect(error).toEqual(INVALID)
      }
    }),
    { numRuns: 500 },
  )
})
