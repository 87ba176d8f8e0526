import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  countText,
  durationText,
  facts,
  harmless,
  onOneLine,
  sizeText,
  table,
  timeText,
  tookText,
} from '../../src/cli/format.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1024 * 1024 - 1, '1.0 MiB'],
  [30_000_000, '28.6 MiB'],
  [5 * 2 ** 30, '5.0 GiB'],
  [3 * 2 ** 50, '3.0 PiB'],
])('%i bytes are shown as %s', (bytes, shown) => {
  expect(sizeText(bytes)).toBe(shown)
})

test.each([
  [0, '0 s', '0.0 s'],
  [9.7, '10 s', '9.7 s'],
  [59.4, '59 s', '59 s'],
  [59.6, '1 min 0 s', '1 min 0 s'],
  [200, '3 min 20 s', '3 min 20 s'],
  [7500, '2 h 5 min', '2 h 5 min'],
])('%d seconds are shown as %s when they are left, as %s when they are over', (seconds, left, over) => {
  expect([durationText(seconds), tookText(seconds)]).toEqual([left, over])
})

test('times are shown to the minute, and none as a dash', () => {
  expect([timeText('2026-01-02T03:04:05Z'), timeText(null)]).toEqual(['2026-01-02 03:04', '-'])
})

test('one thing is counted without an s', () => {
  expect([countText(1, 'build'), countText(0, 'build'), countText(2, 'entry', 'entries')]).toEqual([
    '1 build',
    '0 builds',
    '2 entries',
  ])
})

interface Row {
  readonly name: string
  readonly size: number
  readonly note: string | null
}

const COLUMNS = [
  { title: 'NAME', value: ({ name }: Row) => name },
  { title: 'SIZE', value: ({ size }: Row) => size },
  { title: 'NOTE', value: ({ note }: Row) => note, cut: true },
]

test('a table aligns its columns, numbers to the right, and has no blanks at the ends of lines', () => {
  const rows = [
    { name: 'shop', size: 5, note: null },
    { name: 'a-longer-name', size: 1200, note: 'x' },
  ]
  expect(table(COLUMNS, rows, Infinity)).toBe(
    'NAME           SIZE  NOTE\nshop              5\na-longer-name  1200  x',
  )
})

test('what is urgent is marked where it stands, its column aligned as before', () => {
  const columns = [
    { title: 'NOTE', value: ({ note }: { readonly note: string }) => note, isUrgent: true },
    { title: 'NAME', value: () => 'shop' },
  ]
  const marked = table(columns, [{ note: 'LATE' }, { note: '' }], Infinity, (text) => `<${text}>`)
  expect(marked).toBe('NOTE  NAME\n<LATE>  shop\n      shop')
})

test('a column without any value is left out', () => {
  expect(table(COLUMNS, [{ name: 'shop', size: 5, note: null }], Infinity)).toBe('NAME  SIZE\nshop     5')
})

test('a table fits the terminal by cutting the column that may be cut, and nothing else', () => {
  const row = { name: 'shop', size: 5, note: 'a note that is far too long for a narrow terminal' }
  const lines = table(COLUMNS, [row], 40).split('\n')
  expect(lines[1]).toBe('shop     5  a note that is far too long…')
  expect(Math.max(...lines.map((line) => Array.from(line).length))).toBe(40)
})

test('every row of a table is one line, whatever its values', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ name: fc.string({ unit: 'binary' }), size: fc.nat(), note: fc.string() }), {
        minLength: 1,
      }),
      fc.integer({ min: 20, max: 200 }),
      (rows, width) => {
        expect(table(COLUMNS, rows, width).split('\n')).toHaveLength(rows.length + 1)
      },
    ),
  )
})

test('text of somebody else cannot steer the terminal', () => {
  expect(onOneLine('a\x1b[2Jb\nc\u202ed')).toBe('a?[2Jb?c?d')
  expect(harmless('a\x1b[2Jb\n\tc\r\u202ed')).toBe('a?[2Jb\n\tc??d')
})

test('facts align, and those that are not there are left out', () => {
  expect(
    facts([
      ['id', 'x'],
      ['branch', null],
      ['commit', 'abc'],
    ]),
  ).toBe('  id      x\n  commit  abc')
})
