/** Reports of tests, analysers and coverage: what is taken counts its own items and can be shown to anybody. */
import fc from 'fast-check'
import { readCobertura } from '../../../src/checks/cobertura.ts'
import { readJunit } from '../../../src/checks/junit.ts'
import type { Report } from '../../../src/checks/report.ts'
import { readSarif } from '../../../src/checks/sarif.ts'
import { flooded, mutated, mutatedText } from '../support/mutate.ts'
import { outcomeNow, outcomeOf } from '../support/refusal.ts'
import { COBERTURA, JUNIT, SARIF } from '../support/report-corpus.ts'
import { same, sameJson } from '../support/same.ts'
import { target } from '../support/target.ts'
import type { Target, Verdict } from '../support/target.ts'

const INVALID = /^check\.report_invalid$/

const XML_PIECES = [
  ...[
    '<',
    '>',
    '/>',
    '</',
    '"',
    "'",
    '&',
    '&amp;',
    '&#0;',
    '&#xd800;',
    '&#x1F600;',
    '&x;',
    ']]>',
    '<![CDATA[',
  ],
  ...['<!--', '-->', '<?xml version="1.0" encoding="utf-16"?>', '<!DOCTYPE a [<!ENTITY x "y">]>', '<?a b?>'],
  ...['<testcase>', '<failure>', '</testcase>', '<testsuite name="">', '<line number="1e3" hits="-1"/>'],
  ...[
    ' __proto__="x"',
    ' constructor="x"',
    ' time="1e999"',
    ' number="9007199254740993"',
    '\x00',
    '\x1b',
    '\u202e',
  ],
] as const

const XML_FLOODS = [
  ...['<a>', '<a/>', '<testcase/>', '<testsuite>', '<failure/>', '&amp;', '&#65;', '<![CDATA[]]>', '<!---->'],
  ...[' a="b"', '<class filename="f">', '<line number="1" hits="0"/>', ']]', '\u0301', '\n', ' ', '&', '-'],
]

const xml = target({
  name: 'xml-reports',
  share: 20,
  cases: fc.record({
    format: fc.constantFrom('junit', 'cobertura'),
    bytes: fc.oneof(
      mutatedText([JUNIT, COBERTURA], XML_PIECES).map((text) => Buffer.from(text)),
      mutated([Buffer.from(JUNIT), Buffer.from(COBERTURA)]),
      flooded(XML_FLOODS, 150_000, [
        ['', ''],
        ['<testsuite><testcase name="a"><failure>', '</failure></testcase></testsuite>'],
        ['<testsuite name="', '"/>'],
        ['<testsuite ', '/>'],
        ['<coverage><class filename="f">', '</class></coverage>'],
        ['<coverage><!--', '--></coverage>'],
      ]).map((text) => Buffer.from(text)),
    ),
  }),
  check: async ({ format, bytes }) => {
    const read = format === 'junit' ? readJunit : readCobertura
    const outcome = await outcomeOf(INVALID, async () => await read('report.xml', bytes))
    return outcome.verdict === 'refused' ? 'refused' : checked(outcome.value)
  },
})

const JSON_PIECES = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    'null',
    '-1',
    '1e999',
    '"level":"none"',
    '"__proto__":{"text":"x"},',
  ],
  ...[
    '"ruleIndex":-1,',
    '"ruleIndex":1e15,',
    '"locations":[],',
    '"suppressions":[1],',
    '\\u0000',
    '\\ud800',
    '\ufeff',
  ],
]

const sarif = target({
  name: 'sarif-reports',
  share: 15,
  cases: fc.oneof(
    mutatedText([SARIF], JSON_PIECES).map((text) => Buffer.from(text)),
    mutated([Buffer.from(SARIF)]),
    flooded(['[', '{"a":', '{"message":{}},', '"', ' ', 'null,'], 150_000, [
      ['', ''],
      ['{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"}},"results":[', '{"message":{}}]}]}'],
    ]).map((text) => Buffer.from(text)),
  ),
  check: (bytes) => {
    const outcome = outcomeNow(INVALID, () => readSarif('lint.sarif', bytes))
    return outcome.verdict === 'refused' ? 'refused' : checked(outcome.value)
  },
})

/** Its numbers are those of its items; no text has what hides or reorders, or half a character. */
function checked({ format, counts, items }: Report): Verdict {
  same(counts['total'], items.length, 'the total')
  sameJson(JSON.parse(JSON.stringify(items)), items)
  const states = Object.entries(counts).filter(([name]) => name !== 'total')
  if (format !== 'cobertura')
    same(
      states.reduce((sum, [, count]) => sum + count, 0),
      items.length,
      'the sum of all states',
    )
  for (const item of items) {
    for (const [key, value] of Object.entries(item) as [string, unknown][]) {
      if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`${key} is ${value}`)
      if (typeof value !== 'string') continue
      if (/(?![\n\t])[\p{Cc}\p{Bidi_Control}]/u.test(value)) throw new Error(`${key} has a control character`)
      if (key !== 'detail' && /[\n\t]/.test(value)) throw new Error(`${key} has more than one line`)
      if (!value.isWellFormed()) throw new Error(`${key} has half a character`)
    }
    if (item.kind === 'coverage') same(item.covered <= item.lines, true, 'no more is covered than there is')
  }
  return 'accepted'
}

export const REPORT_TARGETS: readonly Target[] = [xml, sarif]
