/** How rounds are run and what a report makes of their figures. */
import { describe, expect, test } from 'vitest'
import { describeMachine } from '../../bench/support/machine.ts'
import { Report, shortNumber } from '../../bench/support/report.ts'
import { alternate, quantile, summarise } from '../../bench/support/rounds.ts'

describe('rounds', () => {
  test('contestants take turns, and every other round goes the other way', async () => {
    const order: string[] = []
    const contestant = (name: string, rates: number[]) => async () => {
      order.push(name)
      return { rate: rates.shift() ?? NaN }
    }
    const contestants = { hub: contestant('hub', [3, 9, 6]), peer: contestant('peer', [1, 1, 4]) }
    const results = await alternate({ rounds: 3, contestants, progress: () => undefined })
    expect(order).toEqual(['hub', 'peer', 'peer', 'hub', 'hub', 'peer'])
    expect(results.hub.rate).toEqual({ median: 6, min: 3, max: 9, values: [3, 9, 6] })
    expect(results.peer.rate.median).toBe(1)
  })

  test('a quantile lies between its neighbours', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
    expect(quantile([4, 1, 3, 2], 0)).toBe(1)
    expect(quantile([4, 1, 3, 2], 1)).toBe(4)
    expect(() => summarise([])).toThrow('nothing was measured')
  })
})

describe('a report', () => {
  const machine = describeMachine(import.meta.dirname)

  test.each([
    ['more is better', { better: 'more', hub: 50, peer: 100, target: { ratio: 0.25 } }, 0.5, true],
    ['less is better', { better: 'less', hub: 50, peer: 100, target: { ratio: 3 } }, 2, false],
    ['no peer', { better: 'less', hub: 24, target: { atMost: 25 } }, null, true],
    ['at least', { better: 'more', hub: summarise([1, 2, 3]), target: { atLeast: 2.5 } }, null, false],
    ['no target', { better: 'more', hub: 1, peer: 2 }, 0.5, null],
  ] as const)(
    'says how many times better the hub is, and whether that is enough: %s',
    (_, row, ratio, reached) => {
      const report = new Report('sample', 'a sample')
      report.row({ measured: 'it', unit: 'ms', ...row })
      expect(report.rows).toMatchObject([{ ratio, reached }])
    },
  )

  test('is a table for people, with the peers and the machine below', () => {
    const report = new Report('sample', 'a sample')
    const rates = { hub: summarise([1200, 1000, 1100]), peer: summarise([2200]), peerName: 'nginx' }
    report.row({ measured: 'GET', unit: 'requests/s', better: 'more', ...rates, target: { ratio: 0.25 } })
    report.peer('nginx, as it is')
    expect(report.toText(machine)).toContain(
      '| GET, requests/s | 1 100 (1 000–1 200) | nginx: 2 200 | 0.5   | ratio ≥ 0.25 | yes     |',
    )
    expect(report.toText(machine)).toContain('- Peer: nginx, as it is\n- Machine: ')
  })

  test('numbers have three digits that count', () => {
    const texts = [1234567.8, 123.4, 12.345, 0.012345, 0].map(shortNumber)
    expect(texts).toEqual(['1 234 568', '123', '12.3', '0.0123', '0'])
  })
})
