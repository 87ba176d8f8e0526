/** Times as people read them. */

const STEPS = [
  [60, 'second', 1],
  [3600, 'minute', 60],
  [86_400, 'hour', 3600],
  [86_400 * 60, 'day', 86_400],
  [86_400 * 365 * 2, 'month', 86_400 * 30],
  [Infinity, 'year', 86_400 * 365],
] as const

/** Of so many seconds ago: `3 minutes ago`; of seconds to come, which are negative: `in 3 minutes`. */
export function distance(seconds: number): string {
  const size = Math.abs(seconds)
  if (size < 5) return 'now'
  const [, unit, unitSec] = STEPS.find(([below]) => size < below) ?? STEPS[5]
  const count = Math.floor(size / unitSec)
  const text = `${String(count)} ${unit}${count === 1 ? '' : 's'}`
  return seconds < 0 ? `in ${text}` : `${text} ago`
}
