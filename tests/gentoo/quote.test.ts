import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cleanText, hasHiddenCharacters, quoteShell, quoteShellLine } from '../../src/gentoo/quote.ts'
import { injectionCorpus } from '../support/injection-corpus.ts'

const CORPUS = injectionCorpus('/nonexistent/canary')
const anyText = fc.oneof(fc.constantFrom(...CORPUS), fc.string({ unit: 'binary' }), fc.string())

/** The words that bash makes of a text, each ended by a NUL. */
function bashWords(words: readonly string[]): readonly string[] {
  const script = `printf '%s\\0' ${words.join(' ')}`
  const run = spawnSync('/bin/bash', ['--norc', '-s'], {
    input: script,
    env: { LC_ALL: 'C.UTF-8' },
    encoding: 'utf8',
  })
  expect(run.stderr).toBe('')
  return run.stdout.split('\0').slice(0, -1)
}

test('bash reads every quoted text back as one word', () => {
  const texts = CORPUS.filter((text) => !text.includes('\0') && text.isWellFormed())
  expect(bashWords(texts.map(quoteShell))).toEqual(texts)
  const lines = texts.filter((text) => !hasHiddenCharacters(text.replace(/[\n\t]/g, '')))
  expect(bashWords(lines.map(quoteShellLine))).toEqual(lines)
  expect(lines.map(quoteShellLine).join('')).not.toMatch(/[\n\t]/)
})

test('what cannot be quoted is refused', () => {
  for (const text of ['\0', 'a\0b'])
    expect(() => quoteShell(text)).toThrow(expect.objectContaining({ code: 'ebuild.unsafe' }))
  for (const text of ['\0', 'a\rb', '\n\u0001', '\u009b']) {
    expect(() => quoteShellLine(text)).toThrow(expect.objectContaining({ code: 'ebuild.unsafe' }))
  }
})

test.each([
  ['  two\n\twords ', 'two words'],
  ['a\u2028b\u2029c\u0085d\u00a0e', 'a b c d e'],
  ['-n -e --x text -y', 'text -y'],
  ['-n', ''],
  ['e\u0301', 'é'],
  ['a\u202eb\u2066c\u200ed\u061ce\u200bf\ufeffg', 'abcdefg'],
  ['a\0b\u001b[31mc\u007f\u009b', 'ab[31mc'],
  ['e\u200b\u0301', 'é'],
  ['👩‍🚀', '👩‍🚀'],
  ['\ud800a', 'a'],
])('%j is cleaned to %j', (text, clean) => {
  expect(cleanText(text, 80)).toBe(clean)
})

test('a clean text is cut at whole characters, and not left with a space at its end', () => {
  expect(cleanText('😀😀😀', 2)).toBe('😀😀')
  expect(cleanText('ab cd', 3)).toBe('ab')
})

test('clean text is one visible line, and cleaning it again changes nothing', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 1, max: 100 }), (text, max) => {
      const clean = cleanText(text, max)
      expect(cleanText(clean, max)).toBe(clean)
      expect(hasHiddenCharacters(clean)).toBe(false)
      expect(clean).not.toMatch(/^[\s-]|\s\s|[^\S ]|\s$/)
      expect(Array.from(clean).length).toBeLessThanOrEqual(max)
      expect(clean).toBe(clean.normalize('NFC'))
    }),
  )
})
