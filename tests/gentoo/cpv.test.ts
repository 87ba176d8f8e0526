import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  cp,
  formatCpv,
  parseAppName,
  parseCategory,
  parseCpv,
  parsePn,
  pf,
  splitPf,
} from '../../src/gentoo/cpv.ts'

function goldenLines(name: string): readonly (readonly string[])[] {
  const text = readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8')
  return text
    .replace(/\n$/, '') // not trimEnd: the last columns may be empty
    .split('\n')
    .map((line) => line.split('\t'))
}

function accepts(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text)
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'request.invalid' })
    return false
  }
}

const hostile = [
  'a\n',
  'a\nb',
  '\0',
  'a b',
  'a;b',
  '$(id)',
  "a'b",
  'é',
  'а',
  'a/../b',
  '..',
  '.',
  '',
  '-a',
  '+a',
]

describe('package names', () => {
  test('are those that Portage takes', () => {
    const wrong = goldenLines('names.tsv').filter(
      ([text, valid]) => accepts(parsePn, text!) !== (valid === '1'),
    )
    expect(wrong).toEqual([])
  })

  test.each(['api-2', 'app-20260822', 'foo-1_p2', 'my-app-1-2', 'foo-1-r2', 'a.b', ...hostile])(
    'refuse %j',
    (text) => {
      expect(() => parsePn(text)).toThrow(expect.objectContaining({ code: 'request.invalid' }))
    },
  )

  test.each(['api-v2', 'foo-r1', '9lives', 'gtk+', 'x'])('take %s', (text) => {
    expect(parsePn(text)).toBe(text)
  })

  test('are at most as long as a folder may be called', () => {
    expect(parsePn('a'.repeat(255))).toHaveLength(255)
    expect(() => parsePn('a'.repeat(256))).toThrow(expect.objectContaining({ code: 'request.invalid' }))
  })
})

describe('categories', () => {
  test.each(['app-acme', 'virtual', 'x+y_z.1', '9x', '_x'])('take %s', (text) => {
    expect(parseCategory(text)).toBe(text)
  })

  test.each([...hostile, '.git', 'a/b', 'a'.repeat(256)])('refuse %j', (text) => {
    expect(() => parseCategory(text)).toThrow(expect.objectContaining({ code: 'request.invalid' }))
  })
})

describe('names of apps', () => {
  test.each(['shop', 'shop-web', 'api-v2', 'a1-b2', 'a'.repeat(64)])('take %s', (text) => {
    expect(parseAppName(text)).toBe(text)
  })

  const refused = [
    'Shop',
    'shop_web',
    'shop-',
    'shop--web',
    '9lives',
    'api-2',
    'foo-1_p2',
    'shop+',
    'a'.repeat(65),
  ]
  test.each([...refused, ...hostile])('refuse %j', (text) => {
    expect(() => parseAppName(text)).toThrow(expect.objectContaining({ code: 'app.invalid_name' }))
  })

  test('are all package names', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9]{0,5}(-[a-z][a-z0-9]{0,5}){0,5}$/)
    fc.assert(fc.property(name, (text) => parsePn(parseAppName(text)) === text))
  })
})

describe('CPVs', () => {
  test('are split where Portage splits them', () => {
    for (const [text, category, pn, pvr] of goldenLines('cpvs.tsv')) {
      if (category === '') expect(accepts(parseCpv, text!), text).toBe(false)
      else expect(parseCpv(text!)).toEqual({ category, pn, pvr })
    }
  })

  test('are put together again as they were', () => {
    const cpv = parseCpv('app-acme/shop-web-1.4.0_p45-r1')
    expect(cpv).toEqual({ category: 'app-acme', pn: 'shop-web', pvr: '1.4.0_p45-r1' })
    expect(formatCpv(cpv)).toBe('app-acme/shop-web-1.4.0_p45-r1')
    expect(pf(cpv)).toBe('shop-web-1.4.0_p45-r1')
    expect(cp(cpv)).toBe('app-acme/shop-web')
    for (const [text, category] of goldenLines('cpvs.tsv')) {
      if (category !== '') expect(formatCpv(parseCpv(text!))).toBe(text)
    }
  })

  const refused = [
    'shop-1.0',
    'a/b',
    'a/b-1\n',
    'a/b-1-2',
    'a/b/c-1',
    '/b-1',
    'a/-1',
    'a/-r1',
    'a/b-1 ',
    '../b-1',
    'a/..-1',
  ]
  test.each([...refused, ...hostile])('refuse %j', (text) => {
    expect(() => parseCpv(text)).toThrow(expect.objectContaining({ code: 'request.invalid' }))
  })

  test('a package name before a version is cut off without being judged', () => {
    expect(splitPf('shop-1-2')).toEqual({ pn: 'shop-1', pvr: '2' })
    expect(splitPf('shop-r1')).toBeUndefined()
    expect(splitPf('r1')).toBeUndefined()
  })
})
