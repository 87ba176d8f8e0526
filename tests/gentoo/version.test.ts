import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  comparePvr,
  isPvr,
  parsePv,
  parsePvr,
  pvOf,
  shown,
  splitPvr,
  withRevision,
} from '../../src/gentoo/version.ts'
import type { Pvr } from '../../src/gentoo/version.ts'

const golden = readFileSync(new URL('../golden/vercmp.tsv', import.meta.url), 'utf8')
const goldenPairs = golden
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as [string, string, string])

// Few and close values, so that equal and nearly equal versions come up often.
const number = fc.constantFrom(
  '0',
  '1',
  '2',
  '9',
  '10',
  '01',
  '010',
  '00',
  '100',
  '20260822',
  '1234567890123456789012',
)
const suffix = fc
  .tuple(fc.constantFrom('_alpha', '_beta', '_pre', '_rc', '_p'), fc.option(number, { nil: '' }))
  .map((parts) => parts.join(''))
const pvText = fc
  .tuple(
    fc.array(number, { minLength: 1, maxLength: 4 }).map((numbers) => numbers.join('.')),
    fc.constantFrom('', '', '', 'a', 'b', 'z'),
    fc.array(suffix, { maxLength: 3 }).map((suffixes) => suffixes.join('')),
  )
  .map((parts) => parts.join(''))
const revision = fc.constantFrom('', '', '-r0', '-r1', '-r01', '-r2', '-r10')
const pvr = fc.tuple(pvText, revision).map((parts) => parsePvr(parts.join('')))

function compare(a: string, b: string): number {
  return comparePvr(parsePvr(a), parsePvr(b))
}

describe('order', () => {
  test('agrees with Portage on all golden pairs, both ways round', () => {
    const wrong = goldenPairs.filter(
      ([a, b, order]) => compare(a, b) !== Number(order) || compare(b, a) + Number(order) !== 0,
    )
    expect(goldenPairs).toHaveLength(4000)
    expect(wrong).toEqual([])
  })

  // Each line is in rising order; "=" joins versions that are equal though written differently.
  test.each([
    '1.0 < 1.0.0',
    '1.9.0 < 1.10.0',
    '1.0.9 < 1.0.10',
    '1.02 < 1.1',
    '1.010 = 1.01',
    '1.0.0 = 1.00.0',
    '1.2 < 1.2a < 1.2b < 1.2.5',
    '1.0_alpha < 1.0_beta < 1.0_pre < 1.0_rc < 1.0 < 1.0_p0 = 1.0_p < 1.0_p1',
    '1.0_rc = 1.0_rc0',
    '1.0_p045 = 1.0_p45',
    '1.0-r0 = 1.0 < 1.0-r1',
    '1.4.0_rc2 < 1.4.0_rc2_p45 < 1.4.0_rc2_p46 < 1.4.0_rc10_p1 < 1.4.0_p1',
    '1.4.0_p45 < 1.4.0_p45-r1 < 1.4.0_p46',
    '1.4.0_alpha1_p2_p45 < 1.4.0_alpha1_p45',
    '1.4.0_alpha1_beta1_p1 < 1.4.0_alpha1_p1',
    '007 = 7 < 08',
  ])('%s', (line) => {
    const words = line.split(' ')
    for (let i = 0; i + 2 < words.length; i += 2) {
      expect(compare(words[i]!, words[i + 2]!)).toBe(words[i + 1] === '<' ? -1 : 0)
      expect(compare(words[i + 2]!, words[i]!)).toBe(words[i + 1] === '<' ? 1 : 0)
    }
  })

  test('every version equals itself', () => {
    fc.assert(fc.property(pvr, (a) => comparePvr(a, a) === 0))
  })

  test('turning a pair round turns the answer round', () => {
    fc.assert(fc.property(pvr, pvr, (a, b) => comparePvr(a, b) + comparePvr(b, a) === 0))
  })

  test('is transitive, for equal versions too', () => {
    fc.assert(
      fc.property(pvr, pvr, pvr, (...versions) => {
        const [a, b, c] = versions.sort(comparePvr)
        expect(comparePvr(a, c)).toBe(Math.min(comparePvr(a, b), comparePvr(b, c)))
      }),
      { numRuns: 2000 },
    )
  })

  test('a higher revision is a higher version, and below every higher version without revision', () => {
    fc.assert(
      fc.property(pvText, fc.nat(), fc.integer({ min: 1, max: 1000 }), (text, n, more) => {
        const pv = parsePv(text)
        expect(comparePvr(withRevision(pv, n), withRevision(pv, n + more))).toBe(-1)
        expect(comparePvr(withRevision(pv, n), parsePvr(`${text}_p`))).toBe(-1)
      }),
    )
  })

  test('numbers past 2^53 are compared exactly', () => {
    expect(compare('1.0_p9007199254740993', '1.0_p9007199254740992')).toBe(1)
    expect(compare('9007199254740993', '9007199254740992')).toBe(1)
    expect(compare('1-r9007199254740993', '1-r9007199254740992')).toBe(1)
  })

  test('numbers of 10,000 digits are compared, though none so long can be parsed', () => {
    const zeros = '0'.repeat(10_000)
    const long = (text: string): Pvr => text as Pvr
    expect(comparePvr(long(`1${zeros}`), long(`1${zeros}1`))).toBe(-1)
    expect(comparePvr(long(`1.0${zeros}1`), long(`1.0${zeros}`))).toBe(1)
    expect(comparePvr(long(`1.0${zeros}`), long('1.0'))).toBe(0)
    expect(comparePvr(long(`1_p${zeros}7`), long('1_p7'))).toBe(0)
  })
})

describe('grammar', () => {
  test('every golden version parses to itself', () => {
    for (const [a, b] of goldenPairs) expect([parsePvr(a), parsePvr(b)]).toEqual([a, b])
  })

  const invalid = [
    '1.0-rc1',
    '1.0_rc.1',
    'v1.0',
    '1.0+b1',
    '1.0A',
    '1.0ab',
    '1..0',
    '1.0_r1',
    '',
    '.1',
    '1.',
    '1.a',
    'a',
    '-r1',
    '1-r',
    '1-r1-r2',
    '1-R1',
    '1_',
    '1_P1',
    '1_p1a',
    '1-1',
    '1~2',
    '1*',
    ' 1',
    '1 ',
    '1\n',
    '1\r',
    '1\n2',
    '\n1',
    '1-r1\n',
    '1\0',
    '1\u2028',
    '１',
    '١',
    '1.٠',
    '1.0_p１',
    '1.0ａ',
    '$(id)',
    '1;id',
    '../1',
    '9'.repeat(513),
  ]
  test.each(invalid)('refuses %j', (text) => {
    expect(isPvr(text)).toBe(false)
    expect(() => parsePvr(text)).toThrow(expect.objectContaining({ code: 'version.invalid' }))
    expect(() => parsePv(text)).toThrow(expect.objectContaining({ code: 'version.invalid' }))
  })

  test('a version without revision is not read from one that has a revision', () => {
    expect(parsePv('1.0_rc1_p2')).toBe('1.0_rc1_p2')
    expect(() => parsePv('1.0-r1')).toThrow(expect.objectContaining({ code: 'version.invalid' }))
  })

  test('a hostile text of a megabyte is refused at once and repeated in part only', () => {
    try {
      parsePvr('1_p'.repeat(400_000))
      expect.unreachable()
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(250)
    }
  })

  test('a refused value is repeated with its control characters escaped', () => {
    expect(shown('a\n\u0007')).toBe(String.raw`"a\n\u0007"`)
  })
})

describe('revision', () => {
  test('splitting and adding are inverse, and cutting gives the version alone', () => {
    fc.assert(
      fc.property(pvText, fc.nat(), (text, n) => {
        const pv = parsePv(text)
        expect(splitPvr(withRevision(pv, n))).toEqual({ pv, revision: n })
        expect(pvOf(withRevision(pv, n))).toBe(pv)
      }),
    )
  })

  test('the missing revision is 0, and 0 is not written', () => {
    expect(splitPvr(parsePvr('1.0'))).toEqual({ pv: '1.0', revision: 0 })
    expect(splitPvr(parsePvr('1.0-r0'))).toEqual({ pv: '1.0', revision: 0 })
    expect(withRevision(parsePv('1.0'), 0)).toBe('1.0')
  })

  test.each([-1, 1.5, NaN, Infinity, 2 ** 53])('%d is refused as a revision to add', (n) => {
    expect(() => withRevision(parsePv('1.0'), n)).toThrow(
      expect.objectContaining({ code: 'version.invalid' }),
    )
  })

  test('a revision past 2^53 is a version, but not a number', () => {
    const pvrText = parsePvr('1.0-r9007199254740993')
    expect(pvOf(pvrText)).toBe('1.0')
    expect(() => splitPvr(pvrText)).toThrow(expect.objectContaining({ code: 'version.invalid' }))
  })
})
