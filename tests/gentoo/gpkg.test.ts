import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkAgainstManifest,
  gpkgLayout,
  listedMembers,
  parseGpkgManifest,
  renderGpkgManifest,
} from '../../src/gentoo/gpkg.ts'

const INVALID = expect.objectContaining({ code: 'binpkg.invalid' })
const MISMATCH = expect.objectContaining({ code: 'binpkg.digest_mismatch' })
const SIGNED = [
  'gpkg-1',
  'metadata.tar.zst',
  'metadata.tar.zst.sig',
  'image.tar.xz',
  'image.tar.xz.sig',
  'Manifest',
]
const UNSIGNED = SIGNED.filter((name) => !name.endsWith('.sig'))
const members = (names: readonly string[], prefix = 'shop-1-2/') =>
  names.map((name, index) => ({
    name: `${prefix}${name}`,
    offset: index * 1024,
    sizeBytes: name === 'gpkg-1' ? 0 : 7,
  }))

describe('the members of a package', () => {
  test('are known by their names, in any order', () => {
    for (const names of [SIGNED, SIGNED.toReversed()]) {
      const layout = gpkgLayout(members(names))
      expect(layout.prefix).toBe('shop-1-2')
      expect(layout.metadata).toMatchObject({ name: 'shop-1-2/metadata.tar.zst', compression: '.zst' })
      expect(layout.image).toMatchObject({ name: 'shop-1-2/image.tar.xz', compression: '.xz' })
      expect(layout.metadataSignature?.name).toBe('shop-1-2/metadata.tar.zst.sig')
      expect(listedMembers(layout).map(({ name }) => name)).toEqual(
        SIGNED.slice(0, -1).map((name) => `shop-1-2/${name}`),
      )
    }
    expect(gpkgLayout(members(UNSIGNED)).imageSignature).toBeNull()
  })

  test.each(['', '.gz', '.bz2', '.xz', '.zst', '.lz4', '.lz'])('may be packed as .tar%s', (compression) => {
    const names = ['gpkg-1', `metadata.tar${compression}`, `image.tar${compression}`, 'Manifest']
    expect(gpkgLayout(members(names)).image.compression).toBe(compression)
  })

  test.each<readonly [string, readonly string[]]>([
    ['nothing at all', []],
    ...UNSIGNED.map((name) => [`no ${name}`, UNSIGNED.filter((one) => one !== name)] as const),
    ['a member twice', [...UNSIGNED, 'gpkg-1']],
    ['two images', [...UNSIGNED, 'image.tar.gz']],
    ['another member', [...UNSIGNED, 'evil']],
    ['a signature of nothing', [...UNSIGNED, 'gpkg-1.sig']],
    ['a member in a folder', [...UNSIGNED, 'x/y']],
    ['a way of packing that is not read', ['gpkg-1', 'metadata.tar.lzo', 'image.tar.lzo', 'Manifest']],
  ])('with %s are refused', (_what, names) => {
    expect(() => gpkgLayout(members(names))).toThrow(INVALID)
  })

  test.each(['', '/', './', '../', '/etc/', 'a/b/'])('are refused below %j', (prefix) => {
    expect(() => gpkgLayout(members(UNSIGNED, prefix))).toThrow(INVALID)
  })

  test('are refused in two folders, and with a marker that holds something', () => {
    const [marker, ...rest] = members(UNSIGNED)
    expect(() => gpkgLayout([...members(['gpkg-1'], 'other/'), ...rest])).toThrow(INVALID)
    expect(() => gpkgLayout([{ ...marker!, sizeBytes: 1 }, ...rest])).toThrow(INVALID)
  })
})

const hex = (letter: string): string => letter.repeat(128)
const LINE = `DATA gpkg-1 0 SHA512 ${hex('a')} BLAKE2B ${hex('b')}\n`

describe('a Manifest', () => {
  test('is read with its digests in any order, and others besides', () => {
    const other = `DATA image.tar.gz 7 BLAKE2B ${hex('c')} SHA1 ${'0'.repeat(40)} SHA512 ${hex('d')}\n`
    expect([...parseGpkgManifest(LINE + other)]).toEqual([
      ['gpkg-1', { sizeBytes: 0, blake2b: hex('b'), sha512: hex('a') }],
      ['image.tar.gz', { sizeBytes: 7, blake2b: hex('c'), sha512: hex('d') }],
    ])
  })

  test('is read out of its clear-signed form', () => {
    const signed = `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${LINE}-----BEGIN PGP SIGNATURE-----\n\nxxxx\n-----END PGP SIGNATURE-----\n`
    expect(parseGpkgManifest(signed)).toEqual(parseGpkgManifest(LINE))
  })

  test('that was rendered reads back to the same', () => {
    const digest = fc.stringMatching(/^[0-9a-f]{128}$/)
    const digests = fc.record({ sizeBytes: fc.nat(), blake2b: digest, sha512: digest })
    const lines = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z0-9.-]{1,20}$/), digests), {
      selector: ([name]) => name,
      maxLength: 5,
    })
    fc.assert(
      fc.property(lines, (all) => {
        expect([...parseGpkgManifest(renderGpkgManifest(new Map(all)))]).toEqual(all)
      }),
      { numRuns: 50 },
    )
  })

  test.each([
    ['no line end', LINE.trimEnd()],
    ['an empty line', `${LINE}\n`],
    ['another first word', LINE.replace('DATA', 'MISC')],
    ['two blanks', LINE.replace(' 0 ', '  0 ')],
    ['a size that is none', LINE.replace(' 0 ', ' 0x ')],
    ['no BLAKE2B', LINE.replace('BLAKE2B', 'BLAKE2S')],
    ['no SHA512', LINE.replace('SHA512', 'SHA3_512')],
    ['a short digest', LINE.replace(hex('a'), 'aa')],
    ['upper-case digits, which nobody writes', LINE.replace(hex('a'), hex('A'))],
    ['a digest twice', LINE.replace('BLAKE2B', 'SHA512')],
    ['a member twice', LINE + LINE],
    ['a signature cut off', `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${LINE}`],
    ['text before the signed one', `DATA\n-----BEGIN PGP SIGNED MESSAGE-----\n\n${LINE}`],
  ])('with %s is refused', (_what, text) => {
    expect(() => parseGpkgManifest(text)).toThrow(INVALID)
  })

  test('must list each member with its size, and no other', () => {
    const layout = gpkgLayout(members(UNSIGNED))
    const listed = (name: string, sizeBytes: number) =>
      [name, { sizeBytes, blake2b: hex('a'), sha512: hex('b') }] as const
    const right = [listed('gpkg-1', 0), listed('metadata.tar.zst', 7), listed('image.tar.xz', 7)]
    checkAgainstManifest(layout, new Map(right))
    for (const wrong of [
      right.slice(1),
      [...right, listed('more', 1)],
      [...right, listed('Manifest', 7)],
      [...right.slice(1), listed('gpkg-1', 1)],
    ])
      expect(() => checkAgainstManifest(layout, new Map(wrong))).toThrow(MISMATCH)
  })
})
