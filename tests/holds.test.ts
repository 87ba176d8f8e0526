import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Holds } from '../src/holds.ts'

const SILENCE_MS = 50

test('a key that nobody holds is taken at once, and again when it is free', async () => {
  const holds = new Holds(SILENCE_MS)
  {
    using hold = await holds.take('a', () => {})
    expect(hold).not.toBeNull()
    expect([holds.isHeld('a'), holds.isHeld('b')]).toEqual([true, false])
  }
  expect(holds.isHeld('a')).toBe(false)
  using again = await holds.take('a', () => {})
  expect(again).not.toBeNull()
})

test('a holder that gets bytes keeps it; one that fell silent is stopped and waited for', async () => {
  const holds = new Holds(SILENCE_MS)
  const stopped = Promise.withResolvers<undefined>()
  const first = await holds.take('a', () => {
    stopped.resolve(undefined)
  })
  const signs = setInterval(() => first?.progressed(), 1)
  expect(await holds.take('a', () => {})).toBeNull()
  expect(await holds.isAtWork('a')).toBe(true)
  clearInterval(signs)
  let isFree = false
  const next = holds
    .take('a', () => {})
    .then((hold) => {
      expect(isFree).toBe(true)
      return hold
    })
  await stopped.promise
  await sleep(1)
  isFree = true
  first?.[Symbol.dispose]()
  expect(await next).not.toBeNull()
  expect(holds.isHeld('a')).toBe(true)
})

test('a holder that comes to its end is waited for, however silent it is, and not stopped', async () => {
  const holds = new Holds(SILENCE_MS)
  const first = await holds.take('a', () => {
    throw new Error('stopped')
  })
  first?.finishing()
  const next = holds.take('a', () => {})
  await sleep(3 * SILENCE_MS)
  expect(await Promise.race([next, Promise.resolve('waits')])).toBe('waits')
  first?.[Symbol.dispose]()
  expect(await next).not.toBeNull()
})

test('of many that wait, each gets it once and never two at a time', async () => {
  const holds = new Holds(SILENCE_MS)
  let inside = 0
  const works = Array.from({ length: 20 }, async () => {
    using hold = await holds.take('a', () => {})
    if (hold === null) return 0
    hold.finishing()
    expect(++inside).toBe(1)
    await sleep(1)
    inside--
    return 1
  })
  expect(await Promise.all(works)).toEqual(Array.from({ length: 20 }, () => 1))
})

test('an end stops everybody, silent or not', async () => {
  const holds = new Holds(SILENCE_MS)
  const taken = new Map<string, Disposable | null>()
  for (const key of ['a', 'b'])
    taken.set(key, await holds.take(key, () => taken.get(key)?.[Symbol.dispose]()))
  await holds.endAll()
  expect([holds.isHeld('a'), holds.isHeld('b')]).toEqual([false, false])
})
