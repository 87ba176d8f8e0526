/** What a check may bring along, as the hub keeps it: results of tests, findings of analysers, coverage of files. */

export const REPORT_FORMATS = ['junit', 'sarif', 'cobertura'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

export const TEST_STATES = ['passed', 'failed', 'errored', 'skipped'] as const
export type TestState = (typeof TEST_STATES)[number]

/** One test case of JUnit XML. */
export interface TestResult {
  readonly kind: 'test'
  /** Names of the suites around it, from the outermost, with " > " between; null without any. */
  readonly suite: string | null
  /** `class.name`, as most runners print it. */
  readonly name: string
  readonly file: string | null
  readonly line: number | null
  readonly state: TestState
  readonly seconds: number | null
  readonly message: string | null
  /** The text of the failure, mostly a stack. */
  readonly detail: string | null
}

export const FINDING_STATES = ['error', 'warning', 'note', 'none'] as const
export type FindingState = (typeof FINDING_STATES)[number]

/** One result of SARIF. */
export interface Finding {
  readonly kind: 'finding'
  readonly tool: string
  readonly rule: string | null
  readonly file: string | null
  readonly line: number | null
  readonly state: FindingState
  readonly message: string
}

/** What tests reached of one file, by Cobertura. */
export interface FileCoverage {
  readonly kind: 'coverage'
  readonly file: string
  readonly lines: number
  readonly covered: number
  /** Lines that no test reached, as ranges: `3-7, 12`. */
  readonly uncovered: string
}

export type ReportItem = TestResult | Finding | FileCoverage

export interface Report {
  /** The name of the file, as it was sent. */
  readonly name: string
  readonly format: ReportFormat
  /** How many in each state; for coverage `lines` and `covered`. */
  readonly counts: Readonly<Record<string, number>>
  readonly items: readonly ReportItem[]
}

/** A report has at most so many items. */
export const MOST_ITEMS = 50_000
const MOST_LINE = 1000
const MOST_TEXT = 4000

/** One line: without control characters and at most a thousand characters; null for nothing. */
export function lineOf(text: string | undefined): string | null {
  const line = (text ?? '').replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ').trim()
  return line === '' ? null : cut(line, MOST_LINE)
}

/** Text of several lines, its end cut off past four thousand characters; null for nothing. */
export function textOf(text: string): string | null {
  const clean = text
    .replace(/\r\n?/g, '\n')
    .replace(/(?!\n|\t)[\p{Cc}\p{Bidi_Control}]/gu, '')
    .trim()
  return clean === '' ? null : cut(clean, MOST_TEXT)
}

/** A path as programs write it, or `file:` address, with slashes. */
export function pathOf(text: string | undefined): string | null {
  return lineOf(text?.replace(/^file:\/\//, '').replaceAll('\\', '/'))
}

/** A number of a line; null for anything else. */
export function lineNumberOf(value: string | number | undefined): number | null {
  const number = Number(value ?? NaN)
  return Number.isSafeInteger(number) && number > 0 ? number : null
}

/** Cut between characters: half of a surrogate pair is no text. */
function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

/** How many items are in each state. */
export function countStates(
  states: readonly string[],
  items: readonly { readonly state: string }[],
): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { total: items.length }
  for (const state of states) counts[state] = 0
  for (const { state } of items) counts[state] = (counts[state] ?? 0) + 1
  return counts
}
