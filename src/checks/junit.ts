/**
 * JUnit XML: no standard, but what Ant wrote first and Surefire, pytest, Jest, gtest and go-junit-report write alike:
 * `testsuites`, `testsuite` (nested in some), `testcase`, and in it `failure`, `error` or `skipped`.
 */
import { countStates, lineNumberOf, lineOf, MOST_ITEMS, pathOf, TEST_STATES, textOf } from './report.ts'
import type { Report, TestResult, TestState } from './report.ts'
import { invalidReport, readXml } from './read-xml.ts'
import type { XmlElement, XmlReader } from './read-xml.ts'

const ENDS: Readonly<Record<string, TestState>> = { failure: 'failed', error: 'errored', skipped: 'skipped' }

/** @throws {HubError} `check.report_invalid`. */
export async function readJunit(name: string, bytes: Buffer): Promise<Report> {
  const reader = new JunitReader(name)
  await readXml(name, bytes, ['testsuites', 'testsuite'], reader)
  const items = reader.tests
  return { name, format: 'junit', counts: countStates(TEST_STATES, items), items }
}

interface OpenCase {
  readonly depth: number
  readonly attributes: XmlElement['attributes']
  state: TestState
  message: string | null
}

class JunitReader implements XmlReader {
  readonly tests: TestResult[] = []
  readonly #report: string
  readonly #suites: XmlElement['attributes'][] = []
  #case: OpenCase | null = null
  /** Text of the failure that is being read; null outside of one. */
  #text: string[] | null = null
  #detail = ''

  constructor(report: string) {
    this.#report = report
  }

  open({ name, attributes }: XmlElement, depth: number): void {
    if (name === 'testsuite') this.#suites.push(attributes)
    if (name === 'testcase' && !this.#case) {
      if (this.tests.length >= MOST_ITEMS)
        throw invalidReport(this.#report, `it has more than ${String(MOST_ITEMS)} tests: send it in parts`)
      this.#case = { depth, attributes, state: 'passed', message: null }
      this.#detail = ''
    }
    const state = ENDS[name]
    // The first says it: a failure in the test, then an error in its teardown.
    if (state === undefined || !this.#case || depth !== this.#case.depth + 1 || this.#case.state !== 'passed')
      return
    this.#case.state = state
    this.#case.message = lineOf(attributes['message'] ?? attributes['type'])
    this.#text = []
  }

  text(text: string): void {
    this.#text?.push(text)
  }

  close(name: string, depth: number): void {
    if (name === 'testsuite') this.#suites.pop()
    if (!this.#case) return
    if (depth === this.#case.depth + 1 && this.#text) {
      this.#detail = this.#text.join('')
      this.#text = null
    }
    if (depth !== this.#case.depth) return
    this.tests.push(this.#resultOf(this.#case))
    this.#case = null
  }

  #resultOf({ attributes, state, message }: OpenCase): TestResult {
    const around = this.#suites.at(-1)
    const suites = this.#suites.flatMap((suite) => lineOf(suite['name']) ?? [])
    const detail = textOf(this.#detail)
    const parts = [lineOf(attributes['classname']), lineOf(attributes['name'])].filter(
      (part) => part !== null,
    )
    return {
      kind: 'test',
      suite: suites.length === 0 ? null : lineOf(suites.join(' > ')),
      name: parts.length === 0 ? '(no name)' : parts.join('.'),
      file: pathOf(attributes['file'] ?? around?.['file'] ?? around?.['filepath']),
      line: lineNumberOf(attributes['line']),
      state,
      seconds: secondsOf(attributes['time']),
      message: message ?? lineOf(detail?.split('\n', 1)[0]),
      detail,
    }
  }
}

/** `0.012`, or `1,234.5` as Surefire writes it. */
function secondsOf(text: string | undefined): number | null {
  const seconds = text === undefined || text === '' ? NaN : Number(text.replaceAll(',', ''))
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null
}
