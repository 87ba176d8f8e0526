const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** Seconds of `90d`, `12h`, `30m` or `45s`, which a schema has checked. */
export function durationSeconds(text: string): number {
  return Number(text.slice(0, -1)) * UNITS[text.at(-1) as keyof typeof UNITS]
}
