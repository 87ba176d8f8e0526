import { expect, test } from 'vitest'
import { Progress } from '../../src/cli/progress.ts'

function watched() {
  const drawn: string[] = []
  let ms = 0
  const terminal = { isWatched: true, draw: (text: string) => void drawn.push(text) }
  const progress = new Progress(terminal, () => ms)
  return { drawn, progress, at: (time: number) => void (ms = time) }
}

const MIB = 2 ** 20

test('a bar shows the part that is done, the rate and the time that is left', () => {
  const { drawn, progress, at } = watched()
  progress.bytes('sending', 0, 100 * MIB)
  at(2000)
  progress.bytes('sending', 25 * MIB, 100 * MIB)
  expect(drawn).toEqual([
    'sending  [                    ]   0 %  0 B of 100.0 MiB, 0 B/s',
    'sending  [=====               ]  25 %  25.0 MiB of 100.0 MiB, 12.5 MiB/s, 6 s left',
  ])
})

test('a bar is drawn ten times a second at the most, and always at its end', () => {
  const { drawn, progress, at } = watched()
  for (let done = 0; done <= 1000; done++) {
    at(done / 10)
    progress.count('files', done, 1000)
  }
  expect(drawn).toEqual([
    'files [                    ] 0 of 1000',
    'files [====================] 1000 of 1000',
  ])
})

test('new work begins a new rate', () => {
  const { drawn, progress, at } = watched()
  progress.bytes('checking', MIB, MIB)
  at(10_000)
  progress.bytes('sending', 0, MIB)
  at(11_000)
  progress.bytes('sending', MIB / 2, MIB)
  expect(drawn.at(-1)).toContain('512.0 KiB/s, 1 s left')
})

test('the bar goes when the work is over', () => {
  const { drawn, progress } = watched()
  {
    using bar = progress
    bar.count('builds', 3, null)
  }
  expect(drawn).toEqual(['builds 3', ''])
})

test('nobody watches: nothing is drawn', () => {
  const drawn: string[] = []
  using progress = new Progress({ isWatched: false, draw: (text) => void drawn.push(text) }, () => 0)
  progress.bytes('sending', 1, 2)
  expect(drawn).toEqual([])
})
