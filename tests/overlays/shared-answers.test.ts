import { expect, test } from 'vitest'
import { Flights, Places } from '../../src/overlays/shared-answers.ts'

test('work is stopped when the last who waits for it leaves, and begun anew for the next', async () => {
  const flights = new Flights<string>()
  const stopped: boolean[] = []
  let starts = 0
  const start = async (signal: AbortSignal): Promise<string> => {
    starts++
    return await new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        stopped.push(true)
        reject(signal.reason as Error)
      }),
    )
  }
  const [first, second] = [new AbortController(), new AbortController()]
  const waiting = [flights.join('key', first.signal, start), flights.join('key', second.signal, start)]
  first.abort()
  await expect(waiting[0]).rejects.toThrow(/abort/)
  expect(stopped).toEqual([])
  second.abort()
  await expect(waiting[1]).rejects.toThrow(/abort/)
  expect(stopped).toEqual([true])
  expect(await flights.join('key', undefined, async () => 'new')).toBe('new')
  expect(starts).toBe(1)
  await expect(flights.join('key', first.signal, start)).rejects.toThrow(/abort/)
  await expect(
    flights.join('key', undefined, async () => Promise.reject(new Error('fault'))),
  ).rejects.toThrow('fault')
})

test('who leaves the line is passed over, and a place is given back once', async () => {
  const places = new Places(1)
  const giveBack = await places.take()
  const left = new AbortController()
  const order: string[] = []
  const leaver = places.take(left.signal)
  const next = places.take().then((back) => (order.push('next'), back))
  left.abort()
  await expect(leaver).rejects.toThrow(/abort/)
  giveBack()
  giveBack()
  const nextBack = await next
  const last = places.take().then((back) => (order.push('last'), back))
  order.push('before last')
  nextBack()
  ;(await last)()
  expect(order).toEqual(['next', 'before last', 'last'])
})
