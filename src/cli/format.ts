/** How values look to people: tables that align, binary sizes, times. No colours but for what must not be overlooked. */

export { sizeText } from '../size-text.ts'

/** Whole seconds, minutes and hours: `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${String(whole)} s`
  if (whole < 3600) return `${String(Math.floor(whole / 60))} min ${String(whole % 60)} s`
  return `${String(Math.floor(whole / 3600))} h ${String(Math.floor((whole % 3600) / 60))} min`
}

/** How long something took, to a tenth where that matters: `0.4 s`, `12 s`, `3 min 20 s`. */
export function tookText(seconds: number): string {
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : durationText(seconds)
}

/** `2026-01-02T03:04:05Z` as `2026-01-02 03:04`; "-" for null. */
export function timeText(time: string | null): string {
  return time === null ? '-' : time.slice(0, 16).replace('T', ' ')
}

/** `1 build`, `3 builds`. */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${String(count)} ${count === 1 ? one : many}`
}

/** Text of somebody else's making on one line: what could move the cursor or reorder the line is shown as `?`. */
export function onOneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '?')
}

/** The same for a text of several lines. */
export function harmless(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, '?')
}

export interface Column<T> {
  readonly title: string
  readonly value: (row: T) => string | number | null
  /** Cut when the table is wider than the terminal. At most one column of a table. */
  readonly cut?: boolean
  /** Aligned to the right, as numbers are anyway. */
  readonly right?: boolean
  /** What stands in it must not be overlooked. */
  readonly isUrgent?: boolean
}

const GAP = '  '
const LEAST_CUT = 12

/**
 * Rows as aligned lines below a header, numbers to the right; the columns that are empty in every row are left out.
 * `width` is that of the terminal; Infinity where lines may have any length. `urgent` marks the cells of urgent columns.
 */
export function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  width: number,
  urgent: (text: string) => string = (text) => text,
): string {
  const shown = columns.filter(({ value }) => rows.some((row) => (value(row) ?? '') !== ''))
  const cells = rows.map((row) => shown.map(({ value }) => onOneLine(String(value(row) ?? ''))))
  const isRight = shown.map(
    ({ value, right }) => right ?? rows.every((row) => typeof value(row) === 'number'),
  )
  const widths = shown.map(({ title }, at) =>
    Math.max(length(title), ...cells.map((row) => length(row[at] ?? ''))),
  )
  cutWidest(shown, widths, width)
  const lines = [shown.map(({ title }) => title), ...cells].map((row, line) =>
    row
      .map((cell, at) => {
        const text = fit(cell, widths[at] ?? 0, isRight[at] ?? false)
        return line > 0 && cell !== '' && shown[at]?.isUrgent === true ? urgent(text) : text
      })
      .join(GAP)
      .trimEnd(),
  )
  return lines.join('\n')
}

/** Pairs as aligned lines; those whose value is null or empty are left out. */
export function facts(pairs: readonly (readonly [name: string, value: string | number | null])[]): string {
  const shown = pairs.filter(([, value]) => value !== null && value !== '')
  const width = Math.max(0, ...shown.map(([name]) => length(name)))
  return shown.map(([name, value]) => `  ${name.padEnd(width)}  ${onOneLine(String(value))}`).join('\n')
}

function cutWidest<T>(columns: readonly Column<T>[], widths: number[], width: number): void {
  const at = columns.findIndex(({ cut }) => cut === true)
  const total = widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1))
  if (at < 0 || total <= width) return
  widths[at] = Math.max(LEAST_CUT, (widths[at] ?? 0) - (total - width))
}

function fit(cell: string, width: number, toTheRight: boolean): string {
  const characters = Array.from(cell)
  const text = characters.length > width ? `${characters.slice(0, width - 1).join('')}…` : cell
  const padding = ' '.repeat(Math.max(0, width - length(text)))
  return toTheRight ? padding + text : text + padding
}

function length(text: string): number {
  return Array.from(text).length
}
