/** Code in colours: every text stays what it is, in the words of a grammar or without. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { code, numberedCode } from '../../src/web/code.ts'
import { diff } from '../../src/web/components.ts'
import type { Language } from '../../src/web/code.ts'

const EBUILD = 'EAPI=8\n# a comment\nDESCRIPTION="for ${PV}"\n'

/** The text that a browser shows and copies, of the part that keeps its lines. */
function shown(page: string): string {
  const [, inside = ''] = /<code>([^]*)<\/code>/.exec(page) ?? []
  const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' }
  return inside
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/&([^;]+);/g, (_, name: string) => entities[name] ?? '?')
}

test('an ebuild has its comments, strings and variables in colours', () => {
  const page = code(EBUILD, 'bash', 'shop.ebuild').toString()
  expect(page).toContain('<span class="hljs-comment"># a comment</span>')
  expect(page).toContain(
    '<span class="hljs-string">&quot;for </span><span class="hljs-variable">${PV}</span>',
  )
  expect(shown(page)).toBe(EBUILD)
})

test('a Manifest has a grammar of its own', () => {
  const page = code(`DIST a.tar 12 BLAKE2B ${'a'.repeat(128)}\n`, 'manifest', 'Manifest').toString()
  expect(page).toContain('<span class="hljs-keyword">DIST</span> a.tar')
  expect(page).toContain(`<span class="hljs-string">${'a'.repeat(128)}</span>`)
})

test('lines have numbers that lead to them and are no part of the text', () => {
  const page = numberedCode(`${EBUILD}last`, 'bash', 'shop.ebuild').toString()
  expect(page.match(/id="L\d+"/g)).toEqual(['id="L1"', 'id="L2"', 'id="L3"', 'id="L4"'])
  expect(page).toContain('<a href="#L2" data-number="2" aria-label="Line 2"></a>')
  expect(shown(page)).toBe(`${EBUILD}last`)
})

test.each<Language | null>(['bash', 'xml', 'yaml', 'markdown', 'javascript', 'manifest', null])(
  'any text in %s is the same text, and none of it is HTML',
  (language) => {
    const words = fc.constantFrom('<script>', '</code>', '"', "'", '`', '\n', '&amp;', '# ', '${x', '\u202e')
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string()), { maxLength: 12 }), (pieces) => {
        const text = pieces.join('').toWellFormed().replaceAll('\0', '')
        const page = code(text, language, 'x').toString()
        expect(shown(page)).toBe(text)
        expect(page.match(/<(?!\/?(?:span|figure|figcaption|bdi|button|pre|code)\b)/g)).toBeNull()
      }),
      { numRuns: 50 },
    )
  },
)

test('a text that a grammar would take for ever for stays without colours, and the next one has them', () => {
  const slow = `${'('.repeat(1000)}\n`.repeat(8)
  const page = code(slow, 'javascript', 'slow').toString()
  expect(shown(page)).toBe(slow)
  expect(page).not.toContain('hljs-')
  expect(code('const a = 1', 'javascript', 'a').toString()).toContain('hljs-keyword')
})

test('a text that is nested as deeply as it can be is shown all the same', () => {
  const deep = '"#{'.repeat(19_000)
  expect(shown(code(deep, 'ruby', 'deep').toString())).toBe(deep)
})

test('a long text stays without colours', () => {
  const page = code('# a comment\n'.repeat(10_000), 'bash', 'long').toString()
  expect(page).not.toContain('hljs-')
})

test('of a difference with very many lines the first are shown, and it says how many are not', () => {
  const page = diff(`--- a/x\n+++ b/x\n${'+\n'.repeat(100_000)}`, 'x').toString()
  expect(page.match(/<span class="added">/g)).toHaveLength(20_000 - 2)
  expect(page).toContain('80002 lines more are not shown')
})
