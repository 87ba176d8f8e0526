import { expect, test } from 'vitest'
import { newId } from '../src/ids.ts'

test('ids sort in the order of their making, within a millisecond too', () => {
  const times = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.001Z', '2027-01-01T00:00:00Z']
  const ids = times.flatMap((time) => Array.from({ length: 2000 }, () => newId('rel', new Date(time))))
  expect(ids.toSorted()).toEqual(ids)
  expect(new Set(ids).size).toBe(ids.length)
})

test('an id says its kind and has one length', () => {
  expect(newId('tok', new Date(0))).toMatch(/^tok_0{10}[0-9a-hjkmnp-tv-z]{12}$/)
})
