import { globSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseXpak, renderXpak, XPAK_END_BYTES, xpakTailBytes } from '../../src/gentoo/xpak.ts'

const CORRUPT = expect.objectContaining({ code: 'archive.corrupt' })
const GOLDEN = new URL('../golden/binpkgs/', import.meta.url)
const packages = globSync('xpak-*/**/*.{xpak,tbz2}', { cwd: GOLDEN }).sort()

function tailOf(name: string): Buffer {
  const file = readFileSync(new URL(name, GOLDEN))
  return file.subarray(file.length - xpakTailBytes(file.subarray(-XPAK_END_BYTES)))
}

test('there are packages of both names and each compression', () => {
  expect(packages).toHaveLength(5)
})

test.each(packages)('%s, made by quickpkg, is read, and rendered again to the same bytes', (name) => {
  const tail = tailOf(name)
  const values = parseXpak(tail)
  const text = (key: string): string | undefined => values.get(key)?.toString()
  expect([text('CATEGORY'), text('PF'), text('SLOT'), text('EAPI')]).toEqual([
    'app-acme\n',
    'shop-1.0.0_p1\n',
    '0\n',
    '8\n',
  ])
  expect(values.get('environment.bz2')?.toString('latin1', 0, 3)).toBe('BZh')
  expect(renderXpak(values).equals(tail)).toBe(true)
})

const key = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,20}$/)
const value = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes))
const entries = fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 8 })

test('what was rendered reads back to the same', () => {
  fc.assert(
    fc.property(entries, (all) => {
      expect([...parseXpak(renderXpak(new Map(all)))]).toEqual(all)
    }),
  )
})

test('damage is refused or read, and never anything else', () => {
  const whole = renderXpak(new Map([['PF', Buffer.from('shop-1\n')]]))
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, cut) => {
      const damaged = Buffer.from(whole)
      damaged[at] = byte
      for (const bytes of [damaged, whole.subarray(0, cut), whole.subarray(cut)]) {
        try {
          parseXpak(bytes)
        } catch (error) {
          expect(error).toEqual(CORRUPT)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test.each(['', '..', 'a/b', 'a b', '\0'])('a key %j is refused', (name) => {
  expect(() => parseXpak(renderXpak(new Map([[name, Buffer.from('x')]])))).toThrow(CORRUPT)
})

test('a key that comes twice is refused', () => {
  const once = renderXpak(
    new Map([
      ['AA', Buffer.from('1')],
      ['AB', Buffer.from('2')],
    ]),
  )
  const twice = Buffer.from(once.toString('latin1').replace('AB', 'AA'), 'latin1')
  expect(() => parseXpak(twice)).toThrow(CORRUPT)
})

test('a package that claims more than any has is refused before it is read', () => {
  const end = Buffer.from('XPAKSTOP\x7f\xff\xff\xffSTOP', 'latin1')
  expect(() => xpakTailBytes(end)).toThrow(CORRUPT)
})
