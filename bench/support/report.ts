/**
 * What a part found: a table for the terminal (in Markdown, so that it can be kept), how each peer was set up, the
 * machine, and the same as JSON in `var/bench/<part>.json`.
 *
 *     report.peer('nginx 1.22.1, sendfile on, …')
 *     report.row({
 *       measured: 'conditional GET',
 *       unit: 'requests/s',
 *       better: 'more',
 *       hub: results.hub.rate,
 *       peer: results.nginx.rate,
 *       target: { ratio: 0.25 },
 *     })
 *     report.note('the load generator was busy for 60 % of a core')
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Machine } from './machine.ts'
import { quantile } from './rounds.ts'
import type { Summary } from './rounds.ts'

/** `ratio`: so many times the peer, at least. `atMost`, `atLeast`: of the hub's own median. */
export type Target = { readonly ratio: number } | { readonly atMost: number } | { readonly atLeast: number }

export interface Row {
  readonly measured: string
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly hub: Summary | number
  readonly peer?: Summary | number
  /** Where the part has several peers. */
  readonly peerName?: string
  readonly target?: Target
}

interface FinishedRow extends Row {
  /** How many times better the hub is: of the medians. Null without a peer. */
  readonly ratio: number | null
  /** Null without a target. */
  readonly reached: boolean | null
}

export class Report {
  readonly part: string
  readonly title: string
  readonly #rows: FinishedRow[] = []
  readonly #peers: string[] = []
  readonly #notes: string[] = []
  #skipped: string | null = null

  constructor(part: string, title: string) {
    this.part = part
    this.title = title
  }

  get rows(): readonly FinishedRow[] {
    return this.#rows
  }

  row(row: Row): void {
    const ratio = ratioOf(row)
    this.#rows.push({ ...row, ratio, reached: isReached(row, ratio) })
  }

  /** How a peer was set up. */
  peer(text: string): void {
    this.#peers.push(text)
  }

  /** What a reader of the figures must know. */
  note(text: string): void {
    this.#notes.push(text)
  }

  skip(why: string): void {
    this.#skipped = why
  }

  toText(machine: Machine): string {
    const head = `\n## ${this.part}: ${this.title}\n`
    if (this.#skipped !== null) return `${head}\nskipped: ${this.#skipped}\n`
    const lists = [...this.#peers.map((text) => `Peer: ${text}`), ...this.#notes].map((text) => `- ${text}`)
    return [head, markdownTable(this.#rows), '', ...lists, `- Machine: ${machine.text}`, ''].join('\n')
  }

  /** Writes `<folder>/<part>.json` and gives its path. */
  async write(folder: string, about: Readonly<Record<string, unknown>>): Promise<string> {
    await mkdir(folder, { recursive: true })
    const path = join(folder, `${this.part}.json`)
    const { part, title } = this
    const found = { skipped: this.#skipped, rows: this.#rows, peers: this.#peers, notes: this.#notes }
    await writeFile(path, `${JSON.stringify({ part, title, ...about, ...found }, null, 2)}\n`)
    return path
  }
}

const HEADINGS = ['measured', 'hub', 'peer', 'ratio', 'target', 'reached']

/** Rows as a table of Markdown with its columns aligned. */
export function markdownTable(rows: readonly FinishedRow[]): string {
  const cells = [HEADINGS, ...rows.map(cellsOf)]
  const widths = HEADINGS.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const lines = cells.map((row) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`)
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

function cellsOf(row: FinishedRow): string[] {
  const peer = row.peer === undefined ? '' : valueText(row.peer)
  return [
    `${row.measured}, ${row.unit}`,
    valueText(row.hub),
    row.peerName === undefined || peer === '' ? peer : `${row.peerName}: ${peer}`,
    row.ratio === null ? '' : shortNumber(row.ratio),
    targetText(row.target),
    row.reached === null ? '' : row.reached ? 'yes' : 'NO',
  ]
}

function valueText(value: Summary | number): string {
  if (typeof value === 'number') return shortNumber(value)
  if (value.values.length === 1) return shortNumber(value.median)
  return `${shortNumber(value.median)} (${shortNumber(value.min)}–${shortNumber(value.max)})`
}

function targetText(target: Target | undefined): string {
  if (target === undefined) return ''
  if ('ratio' in target) return `ratio ≥ ${target.ratio}`
  return 'atMost' in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`
}

/** Three digits that count, thousands apart: `12 345`, `123`, `12.3`, `0.0123`. */
export function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 100)
    return Math.round(value)
      .toString()
      .replace(/\B(?=(\d{3})+$)/g, ' ')
  return String(Number(value.toPrecision(3)))
}

function middle(value: Summary | number): number {
  return typeof value === 'number' ? value : quantile(value.values, 0.5)
}

function ratioOf({ hub, peer, better }: Row): number | null {
  if (peer === undefined) return null
  const ratio = better === 'more' ? middle(hub) / middle(peer) : middle(peer) / middle(hub)
  // What is too little to be measured is in no proportion.
  return Number.isFinite(ratio) ? ratio : null
}

function isReached({ hub, target }: Row, ratio: number | null): boolean | null {
  if (target === undefined) return null
  if ('ratio' in target) return ratio !== null && ratio >= target.ratio
  return 'atMost' in target ? middle(hub) <= target.atMost : middle(hub) >= target.atLeast
}
