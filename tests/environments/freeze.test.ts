import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextOpen, WEEKDAYS, windowAt } from '../../src/environments/freeze.ts'
import type { Freeze } from '../../src/environments/freeze.ts'

const HOUR = 3_600_000
const freeze = (from: string, to: string, timeZone = 'Europe/Berlin'): Freeze => ({
  ...{ from, to, timeZone },
  reason: 'r',
})
const spanAt = (one: Freeze, at: string): string[] | null => {
  const window = windowAt(one, Date.parse(at))
  return window && [window.start, window.end].map((time) => new Date(time).toISOString().slice(0, 16))
}

describe('a window', () => {
  const weekend = freeze('Fri 16:00', 'Mon 08:00')
  test.each([
    ['2026-01-02T14:59:59Z', null],
    ['2026-01-02T15:00:00Z', ['2026-01-02T15:00', '2026-01-05T07:00']],
    ['2026-01-05T06:59:59Z', ['2026-01-02T15:00', '2026-01-05T07:00']],
    ['2026-01-05T07:00:00Z', null],
    // Clocks go forward in it, and back: it lasts 63 hours and 65.
    ['2026-03-29T12:00:00Z', ['2026-03-27T15:00', '2026-03-30T06:00']],
    ['2026-10-25T12:00:00Z', ['2026-10-23T14:00', '2026-10-26T07:00']],
  ])('of a weekend in Berlin at %s', (at, span) => {
    expect(spanAt(weekend, at)).toEqual(span)
  })

  test.each([
    // 02:30 is never shown: the change of the clock, at 01:00 UTC, stands for it.
    [freeze('Sun 02:30', 'Sun 06:00'), '2026-03-29T02:00:00Z', ['2026-03-29T01:00', '2026-03-29T04:00']],
    [freeze('Sat 22:00', 'Sun 02:30'), '2026-03-29T00:30:00Z', ['2026-03-28T21:00', '2026-03-29T01:00']],
    // 02:30 is shown twice: it begins with the first and ends with the last.
    [freeze('Sun 02:30', 'Sun 06:00'), '2026-10-25T00:45:00Z', ['2026-10-25T00:30', '2026-10-25T05:00']],
    [freeze('Sat 22:00', 'Sun 02:30'), '2026-10-25T01:15:00Z', ['2026-10-24T20:00', '2026-10-25T01:30']],
    // Half an hour of daylight saving; a day that was left out (30 December 2011, a Friday).
    [
      freeze('Sun 02:15', 'Sun 03:00', 'Australia/Lord_Howe'),
      '2026-10-03T15:45:00Z',
      ['2026-10-03T15:30', '2026-10-03T16:00'],
    ],
    [
      freeze('Fri 10:00', 'Sat 12:00', 'Pacific/Apia'),
      '2011-12-30T11:00:00Z',
      ['2011-12-30T10:00', '2011-12-30T22:00'],
    ],
    // Almost a week, and within a day.
    [
      freeze('Mon 10:00', 'Mon 09:00', 'UTC'),
      '2026-01-05T08:00:00Z',
      ['2025-12-29T10:00', '2026-01-05T09:00'],
    ],
    [
      freeze('Mon 10:00', 'Mon 10:01', 'UTC'),
      '2026-01-05T10:00:30Z',
      ['2026-01-05T10:00', '2026-01-05T10:01'],
    ],
  ])('%j at %s', (one, at, span) => {
    expect(spanAt(one, at)).toEqual(span)
  })
})

test('what is open next is behind every window that follows on', () => {
  const now = Date.parse('2026-01-02T20:00:00Z')
  const both = [freeze('Fri 16:00', 'Mon 08:00'), freeze('Mon 07:00', 'Tue 12:00')]
  expect(nextOpen([], now)).toBe(now)
  expect(nextOpen(both, now)).toBe(Date.parse('2026-01-06T11:00:00Z'))
  expect(
    nextOpen([freeze('Mon 10:00', 'Fri 10:00', 'UTC'), freeze('Fri 10:00', 'Mon 10:00', 'UTC')], now),
  ).toBe(null)
  expect(
    nextOpen([freeze('Mon 10:00', 'Fri 10:00', 'UTC'), freeze('Fri 10:00', 'Mon 09:59', 'UTC')], now),
  ).toBe(Date.parse('2026-01-05T09:59:00Z'))
})

/** What the clocks of the zone show, in minutes since Monday: the plain rule, which only a change of the clocks breaks. */
function shown(timeZone: string, at: number): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    ...{ timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  }).formatToParts(at)
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? ''
  const day = WEEKDAYS.findIndex((weekday) => weekday === part('weekday'))
  return day * 1440 + Number(part('hour')) * 60 + Number(part('minute'))
}

const moment = fc.record({ day: fc.nat(6), minutes: fc.nat(1439) })
const momentText = ({ day, minutes }: { day: number; minutes: number }): string => {
  const two = (value: number) => String(value).padStart(2, '0')
  return `${WEEKDAYS[day] ?? ''} ${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
const zone = fc.constantFrom(
  ...[
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'Pacific/Chatham',
    'America/St_Johns',
  ],
)
const time = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2035, 0, 1) })

test('away from a change of the clocks a window is what the clocks say', () => {
  fc.assert(
    fc.property(moment, moment, zone, time, (from, to, timeZone, at) => {
      const [begin, end] = [from.day * 1440 + from.minutes, to.day * 1440 + to.minutes]
      fc.pre(begin !== end)
      const now = shown(timeZone, at)
      // The same clock a day before and after: no change within reach of a boundary.
      fc.pre(
        [-30, -24, -3, 3, 24, 30].every((hours) => {
          const there = (shown(timeZone, at + hours * HOUR) - now - hours * 60) % 10_080
          return there === 0 || Math.abs(there) === 10_080
        }),
      )
      const inside = begin < end ? begin <= now && now < end : now >= begin || now < end
      expect(
        windowAt({ from: momentText(from), to: momentText(to), timeZone, reason: 'r' }, at) !== null,
      ).toBe(inside)
    }),
    { numRuns: 500 },
  )
})

test('a window holds what lies in it, whatever the clocks do, and ends where it says', () => {
  fc.assert(
    fc.property(moment, moment, zone, time, (from, to, timeZone, at) => {
      fc.pre(momentText(from) !== momentText(to))
      const one = { from: momentText(from), to: momentText(to), timeZone, reason: 'r' }
      const window = windowAt(one, at)
      const open = nextOpen([one], at)
      if (!window) {
        expect(open).toBe(at)
        return
      }
      expect(window.start <= at && at < window.end).toBe(true)
      expect(window.end - window.start).toBeLessThanOrEqual(7 * 24 * HOUR + HOUR)
      expect(windowAt(one, window.start)).toEqual(window)
      expect(windowAt(one, window.end - 1)).toEqual(window)
      expect(open).toBe(window.end)
    }),
    { numRuns: 300 },
  )
})
