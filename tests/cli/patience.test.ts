import { expect, test } from 'vitest'
import { Patience } from '../../src/cli/patience.ts'

test('pauses grow from half a second to ten, half of each left to chance', () => {
  const patience = new Patience(3_600_000)
  const full = [500, 1000, 2000, 4000, 8000, 10_000, 10_000]
  for (const most of full) {
    const pause = patience.nextPauseMs(0) ?? -1
    expect(pause).toBeGreaterThanOrEqual(most / 2)
    expect(pause).toBeLessThanOrEqual(most)
  }
})

test('it ends when nothing moved for so long, with a try at the very end', () => {
  const patience = new Patience(3000)
  expect(patience.nextPauseMs(1000)).not.toBeNull()
  expect(patience.nextPauseMs(3900)).toBe(100)
  expect(patience.nextPauseMs(4000)).toBeNull()
})

test('what moves gives it back whole', () => {
  const patience = new Patience(3000)
  patience.nextPauseMs(0)
  patience.renew()
  expect(patience.nextPauseMs(100_000)).toBeLessThanOrEqual(500)
  expect(patience.nextPauseMs(102_999)).not.toBeNull()
  expect(patience.nextPauseMs(103_000)).toBeNull()
})

test('none at all ends at once', () => {
  expect(new Patience(0).nextPauseMs(5)).toBeNull()
})
