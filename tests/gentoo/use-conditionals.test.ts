import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { reduceByUse } from '../../src/gentoo/use-conditionals.ts'

const INVALID = expect.objectContaining({ code: 'request.invalid' })
const GOLDEN = new URL('../golden/use-reduced.tsv', import.meta.url)
const judged = readFileSync(GOLDEN, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as [text: string, use: string, reduced: string])

const reduce = (text: string, use = ''): string =>
  reduceByUse(text, new Set(use.split(' ').filter((flag) => flag !== '')))

test('dependencies are reduced as Portage reduces them', () => {
  expect(judged).toHaveLength(2401)
  const others = judged.filter(([text, use, reduced]) => reduce(text, use) !== reduced)
  // In each of these Portage leaves a bracket that says nothing; without it both are the same.
  expect(others).toHaveLength(7)
  for (const [text, use, reduced] of others) expect(reduce(text, use)).toBe(reduce(reduced, use))
})

test('what is reduced has nothing more to reduce', () => {
  for (const [text, use] of judged) expect(reduce(reduce(text, use), use)).toBe(reduce(text, use))
})

test.each([
  ['ssl? ( a/b )', 'ssl', 'a/b'],
  ['ssl? ( a/b ) !ssl? ( c/d )', '', 'c/d'],
  ['|| ( ssl? ( a/b ) c/d )', '', 'c/d'],
  ['|| ( ( a/b c/d ) e/f )', '', '|| ( ( a/b c/d ) e/f )'],
  ['a/b[ssl?,!test?,doc=,!x11=]', 'ssl x11', 'a/b[ssl,-test,-doc,-x11]'],
  ['a/b[ssl?]', '', 'a/b'],
  ['mirror strip bindist? ( bindist )', '', 'mirror strip'],
])('%s with USE="%s" is %j', (text, use, reduced) => {
  expect(reduce(text, use)).toBe(reduced)
})

describe('refused are', () => {
  test.each([
    ['a group that is not closed', '( a/b'],
    ['a group that was not opened', 'a/b )'],
    ['an empty group', '|| ( )'],
    ['a condition without a group', 'ssl? a/b'],
    ['|| without a group', '||'],
    ['a condition that is none', '-? ( a/b )'],
    ['a USE dependency that is none', 'a/b[ssl??]'],
    ['groups without end', '( '.repeat(100_000)],
    ['a text without end', 'a/b '.repeat(100_000)],
  ])('%s', (_what, text) => {
    expect(() => reduce(text)).toThrow(INVALID)
  })
})

test('any text is reduced or refused', () => {
  const word = fc.constantFrom('(', ')', '||', 'ssl?', '!ssl?', 'a/b', 'c/d[ssl?]', '[', '?', '!')
  fc.assert(
    fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 6 })), { maxLength: 20 }), (words) => {
      try {
        reduce(words.join(' '), 'ssl')
      } catch (error) {
        expect(error).toEqual(INVALID)
      }
    }),
  )
})
