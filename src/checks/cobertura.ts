/** Cobertura XML (coverage-04.dtd): `coverage`, in it `class` with its `filename` and each `line` with its `hits`. */
import { lineNumberOf, MOST_ITEMS, pathOf } from './report.ts'
import type { FileCoverage, Report } from './report.ts'
import { invalidReport, readXml } from './read-xml.ts'
import type { XmlElement, XmlReader } from './read-xml.ts'

/** @throws {HubError} `check.report_invalid`. */
export async function readCobertura(name: string, bytes: Buffer): Promise<Report> {
  const reader = new CoberturaReader(name)
  await readXml(name, bytes, ['coverage'], reader)
  const items = [...reader.files].map(([file, lines]) => coverageOf(file, lines))
  const sum = (of: 'lines' | 'covered'): number => items.reduce((total, item) => total + item[of], 0)
  const counts = { total: items.length, lines: sum('lines'), covered: sum('covered') }
  return { name, format: 'cobertura', counts, items }
}

class CoberturaReader implements XmlReader {
  /** By file: whether each line was reached. Classes of one file, and methods within a class, name lines again. */
  readonly files = new Map<string, Map<number, boolean>>()
  readonly #report: string
  #lines: Map<number, boolean> | null = null

  constructor(report: string) {
    this.#report = report
  }

  open({ name, attributes }: XmlElement): void {
    if (name === 'class') this.#lines = this.#linesOf(attributes['filename'])
    if (name !== 'line' || !this.#lines) return
    const line = lineNumberOf(attributes['number'])
    if (line === null) throw invalidReport(this.#report, 'a line has no number')
    const isReached = Number(attributes['hits'] ?? 0) > 0
    this.#lines.set(line, isReached || this.#lines.get(line) === true)
  }

  text(): void {
    // Sources and nothing else.
  }

  close(name: string): void {
    if (name === 'class') this.#lines = null
  }

  #linesOf(filename: string | undefined): Map<number, boolean> {
    const file = pathOf(filename)
    if (file === null) throw invalidReport(this.#report, 'a class has no filename')
    const lines = this.files.get(file) ?? new Map<number, boolean>()
    this.files.set(file, lines)
    if (this.files.size > MOST_ITEMS)
      throw invalidReport(this.#report, `it has more than ${String(MOST_ITEMS)} files: send it in parts`)
    return lines
  }
}

function coverageOf(file: string, reached: ReadonlyMap<number, boolean>): FileCoverage {
  const lines = [...reached].sort(([a], [b]) => a - b)
  const covered = lines.filter(([, isReached]) => isReached).length
  return { kind: 'coverage', file, lines: lines.length, covered, uncovered: rangesOf(lines) }
}

/** Runs of lines that were not reached; what lies between two that the report names is no code and joins them. */
function rangesOf(lines: readonly (readonly [number, boolean])[]): string {
  const ranges: string[] = []
  let first: number | null = null
  let last = 0
  for (const [line, isReached] of [...lines, [Infinity, true] as const]) {
    if (!isReached) {
      first ??= line
      last = line
    } else if (first !== null) {
      ranges.push(first === last ? String(first) : `${String(first)}-${String(last)}`)
      first = null
    }
  }
  return ranges.join(', ')
}
