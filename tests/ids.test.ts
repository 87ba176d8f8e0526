import { expect, test } from 'vitest'
import { makeIdsAfter, newId } from '../src/ids.ts'

test('ids sort in the order of their making, within a millisecond too', () => {
  const times = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.001Z', '2027-01-01T00:00:00Z']
  const ids = times.flatMap((time) => Array.from({ length: 2000 }, () => newId('rel', new Date(time))))
  expect(ids.toSorted()).toEqual(ids)
  expect(new Set(ids).size).toBe(ids.length)
})

test('an id says its kind and has one length', () => {
  expect(newId('tok', new Date(0))).toMatch(/^tok_[0-9a-hjkmnp-tv-z]{22}$/)
})

test('ids keep their order when the clock goes back, and after a process whose clock was ahead', () => {
  const ahead = newId('rel', new Date('2027-06-01T00:00:00Z'))
  const back = newId('rel', new Date('2026-06-01T00:00:00Z'))
  const ofAnother = `pro_${newId('rel', new Date('2027-06-01T00:00:00Z')).slice(4, 8)}zzzzzzzzzzzzzzzzz0`
  makeIdsAfter(ofAnother)
  makeIdsAfter(back)
  const after = newId('pro', new Date('2026-06-01T00:00:00Z'))
  expect(back > ahead).toBe(true)
  expect(after > ofAnother).toBe(true)
})
