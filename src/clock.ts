/** The one place that reads the time of day, so that tests can set it. */
export interface Clock {
  /** Now, as a `Date` (milliseconds; always used as UTC). */
  now(): Date
}

export const systemClock: Clock = { now: () => new Date() }

/** RFC 3339 in UTC with seconds, the form of every time in columns and answers: `2026-11-23T06:30:00Z`. */
export function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z')
}

/** Whole seconds since 1970, the unit of git commits and OpenPGP. */
export function unixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
