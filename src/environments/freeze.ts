/**
 * Freezes: windows of the week, by the wall clock of a time zone, in which nothing is released. A window is a stretch of
 * real time: from the first moment when its zone's clocks show its beginning to the last when they show its end. Where a
 * clock that is put forward never shows a time, the moment of the change stands for it.
 */

export const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const

export interface Freeze {
  /** `Fri 16:00`. */
  readonly from: string
  /** `Mon 08:00`; at it the freeze is over. */
  readonly to: string
  /** A name of the IANA database: `Europe/Berlin`. */
  readonly timeZone: string
  readonly reason: string
}

export interface Window {
  /** Milliseconds since 1970. */
  readonly start: number
  /** The first moment after it. */
  readonly end: number
}

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** The window of the freeze that `at` (milliseconds since 1970) lies in; null: it is open. */
export function windowAt({ from, to, timeZone }: Freeze, at: number): Window | null {
  const begin = parseMoment(from)
  const stop = parseMoment(to)
  const today = Math.floor((at + offsetOf(timeZone, at)) / DAY)
  const days = (stop.day - begin.day + 7) % 7 || (stop.minutes > begin.minutes ? 0 : 7)
  // A window is a week at most; clocks that are changed may add a day.
  for (let date = today - 9; date <= today + 1; date++) {
    // 1970 began on a Thursday.
    if ((((date + 3) % 7) + 7) % 7 !== begin.day) continue
    const start = instantOf(timeZone, date * DAY + begin.minutes * MINUTE, 'first')
    const end = instantOf(timeZone, (date + days) * DAY + stop.minutes * MINUTE, 'last')
    if (start <= at && at < end) return { start, end }
  }
  return null
}

/** The first moment from `at` on that no freeze covers; null when there is none within `horizon` milliseconds. */
export function nextOpen(freezes: readonly Freeze[], at: number, horizon = 400 * DAY): number | null {
  let open = at
  while (open <= at + horizon) {
    const ends = freezes.flatMap((freeze) => windowAt(freeze, open)?.end ?? [])
    if (ends.length === 0) return open
    open = Math.max(...ends)
  }
  return null
}

export function isTimeZone(name: string): boolean {
  try {
    formatterOf(name)
    return true
  } catch {
    return false
  }
}

function parseMoment(text: string): { readonly day: number; readonly minutes: number } {
  const [day = '', hours = '', minutes = ''] = text.split(/[ :]/)
  return {
    day: WEEKDAYS.findIndex((weekday) => weekday === day),
    minutes: Number(hours) * 60 + Number(minutes),
  }
}

/**
 * The moment when the zone's clocks show `wall` (milliseconds, as if it were UTC). Shown twice: the first or the last
 * one; never shown: when they were put forward over it.
 */
function instantOf(timeZone: string, wall: number, which: 'first' | 'last'): number {
  const before = offsetOf(timeZone, wall - DAY)
  const after = offsetOf(timeZone, wall + DAY)
  const shown = [wall - before, wall - after].filter((at) => at + offsetOf(timeZone, at) === wall)
  if (shown.length > 0) return which === 'first' ? Math.min(...shown) : Math.max(...shown)
  let [still, changed] = [wall - after, wall - before]
  while (changed - still > 1) {
    const middle = Math.floor((still + changed) / 2)
    if (offsetOf(timeZone, middle) === before) still = middle
    else changed = middle
  }
  return changed
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/** @throws {RangeError} for a zone that there is not. */
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone)
  if (known) return known
  const made = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  })
  formatters.set(timeZone, made)
  return made
}

/** How far the zone's clocks are ahead of UTC at that moment, in milliseconds. */
function offsetOf(timeZone: string, at: number): number {
  const shown: Record<string, number> = {}
  for (const { type, value } of formatterOf(timeZone).formatToParts(at)) shown[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000
}
