import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  MOST_EXTENSION_BYTES,
  paddedBytes,
  readExtension,
  readTarBlock,
  renderPadding,
  renderTarEnd,
  renderTarHeader,
} from '../../src/gentoo/tar-member.ts'
import { hasGnuTar, paxHeader, tarEntry } from '../support/tarballs.ts'

const CORRUPT = expect.objectContaining({ code: 'archive.corrupt' })
const GIB = 2 ** 30
const headerOf = (block: Buffer): Buffer => block.subarray(0, 512)

test.each([0, 1, 512, 7 * GIB, 8 * GIB - 1, 8 * GIB, 2 ** 50])(
  'a size of %d is written and read',
  (sizeBytes) => {
    const block = renderTarHeader({ name: 'shop-1/image.tar.zst', sizeBytes, mtimeSec: 1 })
    expect(readTarBlock(block)).toEqual({ kind: 'file', name: 'shop-1/image.tar.zst', sizeBytes })
  },
)

test('what was rendered reads back to the same, long names too', () => {
  const part = fc.stringMatching(/^[a-z0-9_.+-]{1,100}$/)
  const member = { prefix: part, name: part, sizeBytes: fc.maxSafeNat(), mtimeSec: fc.nat() }
  fc.assert(
    fc.property(fc.record(member), ({ prefix, name, ...rest }) => {
      const full = `${prefix}/${name}`
      expect(readTarBlock(renderTarHeader({ name: full, ...rest }))).toMatchObject({
        name: full,
        sizeBytes: rest.sizeBytes,
      })
    }),
  )
})

test.skipIf(!hasGnuTar)('GNU tar lists what was rendered, a member of 9 GiB included', () => {
  const header = renderTarHeader({ name: 'a/b', sizeBytes: 3, mtimeSec: 86_400 })
  const whole = Buffer.concat([header, Buffer.from('abc'), renderPadding(3), renderTarEnd()])
  const list = (input: Buffer) => spawnSync('tar', ['--utc', '-tvf', '-'], { input, encoding: 'utf8' }).stdout
  expect(list(whole)).toMatch(/^-rw-r--r-- 0\/0 +3 1970-01-02 00:00 a\/b\n$/)
  expect(list(renderTarHeader({ name: 'a/b', sizeBytes: 9 * GIB, mtimeSec: 0 }))).toMatch(/ 9663676416 /)
})

test('any byte of a header that changes is noticed', () => {
  const whole = renderTarHeader({ name: 'shop-1/gpkg-1', sizeBytes: 1234, mtimeSec: 1_700_000_000 })
  for (let at = 0; at < whole.length; at++) {
    for (const bit of [1, 0x20, 0x80]) {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] ?? 0) ^ bit
      expect(() => readTarBlock(changed), `${at} ${bit}`).toThrow(CORRUPT)
    }
  }
})

test('a block of zeros is the end', () => {
  expect(readTarBlock(Buffer.alloc(512))).toEqual({ kind: 'end' })
})

test('content takes whole blocks', () => {
  expect([0, 1, 511, 512, 513].map(paddedBytes)).toEqual([0, 512, 512, 512, 1024])
})

test.each(['1', '2', '3', '5', '6', 'S', 'g', 'K', 'V'])('a member of type %s is refused', (type) => {
  expect(() => readTarBlock(headerOf(tarEntry({ name: 'a/b', type })))).toThrow(CORRUPT)
})

test.each([
  ['a short block', Buffer.alloc(511)],
  ['text', Buffer.alloc(512, 'x')],
  ['the old form without magic', tarEntry({ name: 'a/b', magic: 'v7' })],
  ['a size that is none', tarEntry({ name: 'a/b', raw: { size: 'abc' } })],
  ['a negative size', tarEntry({ name: 'a/b', raw: { size: Buffer.alloc(12, 0xff) } })],
  [
    'a size of 2⁸⁸',
    tarEntry({ name: 'a/b', raw: { size: Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0x7f)]) } }),
  ],
  ['a mode that is none', tarEntry({ name: 'a/b', raw: { mode: 'rw-r--r-' } })],
  ['an owner beyond all', tarEntry({ name: 'a/b', raw: { uid: Buffer.from([0x80, 0, 0, 1, 0, 0, 0, 0]) } })],
  ['an extended header without content', tarEntry({ name: 'x', type: 'x' })],
  [
    'an endless long name',
    tarEntry({ name: 'x', type: 'L', content: Buffer.alloc(MOST_EXTENSION_BYTES + 1) }),
  ],
])('%s is refused', (_what, block) => {
  expect(() => readTarBlock(block.subarray(0, 512))).toThrow(CORRUPT)
})

test('extended headers say name and size', () => {
  const content = paxHeader([
    ['path', 'shop-1/imäge.tar'],
    ['size', '9663676416'],
    ['mtime', '1.5'],
  ]).subarray(512)
  const bytes = content.subarray(0, content.indexOf(0))
  expect(readExtension('pax', bytes)).toEqual({ name: 'shop-1/imäge.tar', sizeBytes: 9 * GIB })
  expect(readExtension('longName', Buffer.from('a/b\0'))).toEqual({ name: 'a/b' })
})

test.each([
  ['pax', 'no record'],
  ['pax', '99 path=a\n'],
  ['pax', '9 path=a\n9 path=b\n'],
  ['pax', '10 size=-1\n'],
  ['pax', '25 GNU.sparse.realsize=1\n'],
  ['longName', ''],
  ['longName', 'a\0b'],
] as const)('the %s header %j is refused', (kind, content) => {
  expect(() => readExtension(kind, Buffer.from(content))).toThrow(CORRUPT)
})

test.each(['', 'x'.repeat(101), `${'y'.repeat(156)}/x`, 'a/b\0', 'a/b\n'])(
  'a member cannot be called %j',
  (name) => {
    const invalid = expect.objectContaining({ code: 'request.invalid' })
    expect(() => renderTarHeader({ name, sizeBytes: 0, mtimeSec: 0 })).toThrow(invalid)
  },
)
