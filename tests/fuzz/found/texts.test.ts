/** Texts that were found by fuzzing: small, and dear to read. */
import { describe, expect, test } from 'vitest'
import { MAX_RECIPE_BYTES, parseRecipe } from '../../../src/builds/recipe.ts'
import { HubError } from '../../../src/errors.ts'
import { cleanText } from '../../../src/gentoo/quote.ts'
import { reduceByUse } from '../../../src/gentoo/use-conditionals.ts'
import { withinTheLimit } from '../support/within.ts'

const full = (piece: string, before = '', after = ''): string => {
  const room = MAX_RECIPE_BYTES - Buffer.byteLength(before + after)
  return before + piece.repeat(Math.floor(room / Buffer.byteLength(piece))) + after
}
const keys = (end: string): string =>
  Array.from({ length: 25_000 }, (_, number) => `key${number}${end}`).join('')

describe('a recipe of 256 KiB', () => {
  test.each([
    ['brackets', full('['), /nests too deep/],
    ['braces', full('{'), /nests too deep/],
    ['dashes', full('- '), /nests too deep/],
    ['question marks', full('? '), /nests too deep/],
    ['colons', full(': '), /nests too deep/],
    ['brackets that close nothing', full(']\n'), /closes nothing/],
    ['anchors', full('&a '), /more than 100 anchors/],
    ['aliases', full('*a,', 'a: &a 1\nlicense: [', ']'), /more than 100 anchors/],
    ['aliases of no name', full('*,', 'license: [', ']'), /more than 100 anchors/],
    ['tags', full('!a '), /more than 100 anchors/],
    ['directives', full('%a b\n'), /more than 100 anchors/],
    ['empty groups', full('{},', 'license: [', ']'), /more than 60000 words/],
    ['keys', keys(':\n'), /unknown key/],
    ['keys of a group', `{${keys(',')}}`, /unknown key/],
    ['values that have values', full('a: /b', '- |\n'), /no YAML of the plain kind/],
    ['tabs', full('\t\t@\n', 'license: [', ']'), /no YAML of the plain kind/],
    ['lines in quotes', full('@\n', 'license: ["', '"]'), /no YAML of the plain kind/],
    ['comments and empty lines', full('#\n\n'), /more than 60000 comments and line ends/],
    ['faults', full('a: b: c\n'), /no YAML of the plain kind/],
  ])('of %s is refused at once', async (_, text, why) => {
    const error: unknown = await withinTheLimit(() => parseRecipe(text)).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(HubError)
    expect((error as HubError).code).toBe('recipe.invalid')
    expect((error as HubError).message).toMatch(why)
  })

  test('that is one long fault is not repeated to its sender', () => {
    expect(() => parseRecipe(full('|'))).toThrow(/^.{1,400}$/)
  })

  test('that is full of control characters shows none to its sender', () => {
    expect(() => parseRecipe('- |\u001b[31m\t\n')).toThrow(/^[^\p{Cc}]+$/u)
  })

  test('of combining marks is read at once', async () => {
    const recipe = await withinTheLimit(() => parseRecipe(full('\u0301\u0327', 'description: "', '"')))
    expect(recipe.description).toHaveLength(30)
  })

  test('of some thousand comments and empty lines is none', async () => {
    expect(await withinTheLimit(() => parseRecipe('#\n\n'.repeat(15_000)))).toEqual({})
  })
})

describe('what a plain recipe may have', () => {
  test.each([
    ['a few aliases', 'license: &l [MIT]\nkeywords: [&k amd64, "~arm64"]\nslot: "0"\ndescription: *k'],
    [
      'a block of text that looks like signs',
      'backup:\n  commands:\n    - |\n      [ -e x ]\n      *a &b ]\n',
    ],
    ['JSON on one line', `{"install":{"executables":[${'"a","b",'.repeat(300)}"c"]}}`],
  ])('%s', (_, text) => {
    expect(() => parseRecipe(text)).not.toThrow()
  })

  test('a key twice is refused by its line', () => {
    expect(() => parseRecipe('slot: "0"\nlicense: MIT\nslot: "1"\n')).toThrow(/unique at line 3/)
    expect(() => parseRecipe('install: {prefix: /a, prefix: /b}')).toThrow(/unique at line 1/)
  })
})

describe('clean text', () => {
  test('keeps 30 marks on a letter, also of those that are two when taken apart, and stays so', () => {
    for (const mark of ['\u0301', '\u0344']) {
      const once = cleanText(`a${mark.repeat(100)}b`, 4000)
      expect(once.match(/\p{M}/gu)?.length).toBeLessThanOrEqual(31)
      expect(cleanText(once, 4000)).toBe(once)
    }
  })

  test('does not join the halves of an invisible character that a control character kept apart', () => {
    expect(cleanText('\udb40\u0000\udc41A shop', 80)).toBe('A shop')
  })
})

describe('a dependency of 128 Ki characters', () => {
  test.each([
    ['slashes', '/'.repeat(128 * 1024)],
    ['packages without a space between', 'a/b'.repeat(43_000)],
    ['brackets that are open', 'a/b['.repeat(32_000)],
    ['brackets and slashes', `${'a/b['.repeat(32_000)}x`],
  ])('of %s is one word, and read at once', async (_, text) => {
    expect(await withinTheLimit(() => reduceByUse(text, new Set()))).toBe(text)
  })
})
