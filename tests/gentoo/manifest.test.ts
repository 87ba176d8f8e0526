import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkDistfileName, parseManifest, renderManifest } from '../../src/gentoo/manifest.ts'
import type { Distfile } from '../../src/gentoo/manifest.ts'
import { injectionCorpus } from '../support/injection-corpus.ts'

const INVALID = expect.objectContaining({ code: 'request.invalid' })
const hex = (digit: string): string => digit.repeat(128)
const web: Distfile = {
  name: 'acme-web-1.4.0_p46.tar.gz',
  sizeBytes: 10485760,
  blake2b: hex('a'),
  sha512: hex('0'),
}

test('a Manifest has one line per distfile, sorted by name', () => {
  expect(renderManifest([web, { ...web, name: 'acme-web-1.4.0_p45.tar.gz' }])).toBe(
    `DIST acme-web-1.4.0_p45.tar.gz 10485760 BLAKE2B ${hex('a')} SHA512 ${hex('0')}\n` +
      `DIST acme-web-1.4.0_p46.tar.gz 10485760 BLAKE2B ${hex('a')} SHA512 ${hex('0')}\n`,
  )
  expect(renderManifest([])).toBe('')
})

test('a Manifest reads back to what was rendered', () => {
  const digest = fc.string({
    unit: fc.constantFrom(...Array.from('0123456789abcdef')),
    minLength: 128,
    maxLength: 128,
  })
  const distfile = fc.record({
    name: fc.stringMatching(/^[A-Za-z0-9_+][A-Za-z0-9._+-]{0,20}$/),
    sizeBytes: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    blake2b: digest,
    sha512: digest,
  })
  fc.assert(
    fc.property(fc.uniqueArray(distfile, { selector: ({ name }) => name, maxLength: 5 }), (distfiles) => {
      const text = renderManifest(distfiles)
      expect(renderManifest(parseManifest(text))).toBe(text)
      expect(parseManifest(text)).toHaveLength(distfiles.length)
    }),
  )
})

test.each([
  ['upper-case hex', { ...web, sha512: hex('A') }],
  ['a short digest', { ...web, blake2b: 'ab' }],
  ['an empty file', { ...web, sizeBytes: 0 }],
  ['half a byte', { ...web, sizeBytes: 1.5 }],
  ['a name with a slash', { ...web, name: 'a/b' }],
])('%s is refused', (_what, distfile) => {
  expect(() => renderManifest([distfile])).toThrow(INVALID)
})

test('two distfiles of one name are refused', () => {
  expect(() => renderManifest([web, web])).toThrow(INVALID)
  expect(() => parseManifest(renderManifest([web]).repeat(2))).toThrow(INVALID)
})

test('a line that Portage would silently skip is refused, by its number', () => {
  const line = renderManifest([web])
  for (const bad of [
    line.replace(' ', '  '),
    line.trimEnd(),
    `${line}\n`,
    line.replace('DIST', 'EBUILD'),
    line.replace(/a/g, 'A'),
  ]) {
    expect(() => parseManifest(bad)).toThrow(INVALID)
  }
  expect(() => parseManifest(`${line}x\n`)).toThrow(/line 2/i)
})

test('no hostile name can add a line or a field', () => {
  for (const name of injectionCorpus('/x')) {
    let text: string
    try {
      text = renderManifest([{ ...web, name }])
    } catch (error) {
      expect(error).toEqual(INVALID)
      continue
    }
    expect(text.split('\n')).toHaveLength(2)
    expect(text.split(' ')).toHaveLength(7)
  }
  for (const name of ['', '-x', '.x', '..', 'a b', 'é', 'a'.repeat(256)])
    expect(() => checkDistfileName(name)).toThrow(INVALID)
})
