/** The tag that makes all HTML: nothing that is put in becomes anything but text. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { html } from '../../src/web/html.ts'
import type { HtmlValue } from '../../src/web/html.ts'

/** What a parser reads out of escaped text. */
function read(escaped: string): string {
  const characters: Readonly<Record<string, string>> = {
    ...{ '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&amp;': '&' },
  }
  return escaped.replaceAll(/&[^;]+;/g, (entity) => characters[entity] ?? `unknown ${entity}`)
}

test('any text stays text, between tags and in a quoted attribute', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const page = html`<p title="${text}">${text}</p>`.toString()
      const [, attribute = '', content = ''] = /^<p title="([^"]*)">([^<]*)<\/p>$/.exec(page) ?? []
      const told = text.toWellFormed().replaceAll('\0', '\u{fffd}')
      expect([read(attribute), read(content)]).toEqual([told, told])
    }),
  )
})

test('what the tag made is put in as it is, once', () => {
  const name = html`<b>${'<i>'}</b>`
  expect(html`<p>${name}</p>`.toString()).toBe('<p><b>&lt;i&gt;</b></p>')
})

test.each<[string, HtmlValue, string]>([
  ['null', null, ''],
  ['undefined', undefined, ''],
  ['false', false, ''],
  ['zero', 0, '0'],
  ['a list, nested', ['a', ['<', html`<br />`]], 'a&lt;<br />'],
  ['an empty list', [], ''],
])('%s', (_name, value, expected) => {
  expect(html`${value}`.toString()).toBe(expected)
})

test('an object that only looks like HTML is none', () => {
  const forged = { toString: () => '<script>' }
  expect(() => html`${forged as unknown as string}`.toString()).toThrow(TypeError)
})
