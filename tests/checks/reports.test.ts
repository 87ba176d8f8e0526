/** Reports as CI tools write them, and as nobody should. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readCobertura } from '../../src/checks/cobertura.ts'
import { readJunit } from '../../src/checks/junit.ts'
import { readSarif } from '../../src/checks/sarif.ts'
import { HubError } from '../../src/errors.ts'

const junit = async (text: string) => await readJunit('junit.xml', Buffer.from(text))
const cobertura = async (text: string) => await readCobertura('coverage.xml', Buffer.from(text))
const sarif = (value: unknown) => readSarif('lint.sarif', Buffer.from(JSON.stringify(value)))

describe('JUnit XML', () => {
  test('of pytest is read by test, with failures, errors and what was skipped', async () => {
    const report = await junit(`<?xml version="1.0" encoding="utf-8"?>
      <testsuites><testsuite name="pytest" tests="4" failures="1" errors="1" skipped="1" time="1.5">
        <testcase classname="tests.test_cart" name="test_adds" time="0.012" file="tests/test_cart.py" line="7"/>
        <testcase classname="tests.test_cart" name="test_total" time="0.1">
          <failure message="assert 3 == 4">def test_total():
&gt;       assert total() == 4
E       assert 3 == 4</failure></testcase>
        <testcase classname="tests.test_cart" name="test_db"><error message="no database"><![CDATA[a <b> c]]></error></testcase>
        <testcase classname="tests.test_cart" name="test_later"><skipped message="not yet"/></testcase>
      </testsuite></testsuites>`)
    expect(report.counts).toEqual({ total: 4, passed: 1, failed: 1, errored: 1, skipped: 1 })
    expect(report.items[0]).toEqual({
      kind: 'test',
      suite: 'pytest',
      name: 'tests.test_cart.test_adds',
      file: 'tests/test_cart.py',
      line: 7,
      state: 'passed',
      seconds: 0.012,
      message: null,
      detail: null,
    })
    expect(report.items[1]).toMatchObject({
      state: 'failed',
      message: 'assert 3 == 4',
      detail: 'def test_total():\n>       assert total() == 4\nE       assert 3 == 4',
    })
    expect(report.items[2]).toMatchObject({ state: 'errored', detail: 'a <b> c' })
    expect(report.items[3]).toMatchObject({ state: 'skipped', message: 'not yet' })
  })

  test('of Surefire and of Jest: nested suites, a file of the suite, thousands with a comma', async () => {
    const { items } =
      await junit(`<testsuites><testsuite name="all"><testsuite name="cart" file="src/cart.test.js">
      <properties><property name="a" value="b"/></properties>
      <testcase name="adds" time="1,234.5"><system-out>failure? no</system-out></testcase>
      <testcase name="flaky"><flakyFailure message="once">x</flakyFailure></testcase>
      <testcase name="fails"><failure type="AssertionError"/><error message="after"/></testcase>
    </testsuite></testsuite></testsuites>`)
    expect(items).toMatchObject([
      { suite: 'all > cart', file: 'src/cart.test.js', seconds: 1234.5, state: 'passed', detail: null },
      { name: 'flaky', state: 'passed' },
      { name: 'fails', state: 'failed', message: 'AssertionError' },
    ])
  })

  test('keeps no text without bound, and none that hides or reorders', async () => {
    const { items } = await junit(
      `<testsuite><testcase name="a\u202eb"><failure message="${'m'.repeat(5000)}">${'d'.repeat(9000)}</failure></testcase></testsuite>`,
    )
    const [item] = items as unknown as [{ name: string; message: string; detail: string }]
    expect(item.name).toBe('a b')
    expect([item.message.length, item.detail.length]).toEqual([1000, 4000])
  })
})

describe('Cobertura', () => {
  test('is read by file: lines of its classes and methods, named once', async () => {
    const report = await cobertura(`<?xml version="1.0" ?>
      <!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
      <coverage line-rate="0.5"><packages><package><classes>
        <class filename="src\\cart.py"><methods><method name="f"><lines><line number="1" hits="1"/></lines></method></methods>
          <lines><line number="1" hits="0"/><line number="2" hits="0"/><line number="3" hits="0"/><line number="9" hits="2"/></lines></class>
        <class filename="src/cart.py"><lines><line number="12" hits="0"/></lines></class>
        <class filename="src/empty.py"><lines/></class>
      </classes></package></packages></coverage>`)
    expect(report.items).toEqual([
      { kind: 'coverage', file: 'src/cart.py', lines: 5, covered: 2, uncovered: '2-3, 12' },
      { kind: 'coverage', file: 'src/empty.py', lines: 0, covered: 0, uncovered: '' },
    ])
    expect(report.counts).toEqual({ total: 2, lines: 5, covered: 2 })
  })
})

describe('SARIF', () => {
  test('is read by finding: level of the result, of its rule, or warning', () => {
    const result = (more: object) => ({ message: { text: 'no' }, ...more })
    const report = sarif({
      version: '2.1.0',
      runs: [
        {
          tool: {
            driver: {
              name: 'ESLint',
              rules: [
                {
                  id: 'no-eval',
                  defaultConfiguration: { level: 'error' },
                  shortDescription: { text: 'eval' },
                },
              ],
            },
          },
          results: [
            result({
              ruleId: 'eqeqeq',
              level: 'note',
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: 'file:///src/a.js' },
                    region: { startLine: 4 },
                  },
                },
              ],
            }),
            { message: {}, ruleIndex: 0 },
            { message: { text: 'x' }, ruleId: 'no-eval' },
            result({}),
            result({ kind: 'pass' }),
            result({ suppressions: [{ kind: 'inSource' }] }),
          ],
        },
      ],
    })
    expect(report.items).toEqual([
      ...[
        {
          kind: 'finding',
          tool: 'ESLint',
          rule: 'eqeqeq',
          file: '/src/a.js',
          line: 4,
          state: 'note',
          message: 'no',
        },
      ],
      ...[
        {
          kind: 'finding',
          tool: 'ESLint',
          rule: 'no-eval',
          file: null,
          line: null,
          state: 'error',
          message: 'eval',
        },
      ],
      ...[
        {
          kind: 'finding',
          tool: 'ESLint',
          rule: 'no-eval',
          file: null,
          line: null,
          state: 'error',
          message: 'x',
        },
      ],
      ...[
        {
          kind: 'finding',
          tool: 'ESLint',
          rule: null,
          file: null,
          line: null,
          state: 'warning',
          message: 'no',
        },
      ],
    ])
    expect(report.counts).toEqual({ total: 4, error: 2, warning: 1, note: 1, none: 0 })
  })

  test.each([
    ['{', 'not JSON'],
    [{ version: '2.0.0', runs: [] }, 'version'],
    [{ version: '2.1.0', runs: [{}] }, 'runs.0.tool'],
    [{ version: '2.1.0', runs: [{ tool: { driver: { name: 'x' } }, results: [{}] }] }, 'message'],
  ])('%j is refused', (value, why) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    expect(() => readSarif('lint.sarif', Buffer.from(text))).toThrow(why)
  })
})

describe('XML is refused', () => {
  const deep = (count: number) => `${'<testsuite>'.repeat(count)}${'</testsuite>'.repeat(count)}`
  test.each([
    ['', 'root'],
    ['<testsuites>', 'unclosed tag'],
    ['<testsuites></testsuite>', 'unexpected close tag|unmatched'],
    ['<testsuites/><testsuites/>', 'root'],
    ['<html/>', 'its root is <html>'],
    ['<testsuites a=b/>', 'quot'],
    ['<testsuites a="1" a="2"/>', 'duplicate attribute'],
    ['<testsuites>\u0000</testsuites>', 'disallowed character'],
    ['<testsuites>&nbsp;</testsuites>', 'undefined entity'],
    ['<!DOCTYPE t [<!ENTITY x "y">]><testsuites>&x;</testsuites>', 'document type of its own'],
    ['<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuites>&x;</testsuites>', 'document type'],
    ['<!DOCTYPE t SYSTEM "http://127.0.0.1:1/x.dtd"><testsuites>&x;</testsuites>', 'undefined entity'],
    ['<!DOCTYPE t [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]><testsuites/>', 'document type'],
    ['<?xml version="1.0" encoding="ISO-8859-1"?><testsuites/>', 'UTF-8'],
    [deep(65), 'nested more than 64'],
    [`<testsuites ${Array.from({ length: 65 }, (_, i) => `a${String(i)}="1"`).join(' ')}/>`, '64 attributes'],
    [`<testsuites>${'<a/>'.repeat(500_000)}</testsuites>`, '500000 elements'],
    [`<testsuite>${'<testcase/>'.repeat(50_001)}</testsuite>`, '50000 tests'],
  ])('%# (%.40s)', async (text, why) => {
    const error: unknown = await junit(text).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(HubError)
    expect((error as HubError).code).toBe('check.report_invalid')
    expect((error as HubError).message).toMatch(new RegExp(why))
  })

  test('that is not UTF-8', async () => {
    await expect(readJunit('j', Buffer.from([0x3c, 0xff]))).rejects.toThrow('not UTF-8')
  })

  test('as deep as may be is taken', async () => {
    expect((await junit(deep(64))).items).toEqual([])
  })

  test.each(['<class><lines/></class>', '<class filename="a"><line hits="1"/></class>'])(
    '%s',
    async (text) => {
      await expect(cobertura(`<coverage>${text}</coverage>`)).rejects.toThrow(/no (filename|number)/)
    },
  )
})

test('whatever the bytes, a reader answers with a report or a refusal', async () => {
  const piece = fc.constantFrom(
    ...[
      '<testsuites>',
      '</testsuites>',
      '<testcase name="a">',
      '</testcase>',
      '<failure>',
      '</failure>',
      '<coverage>',
    ],
    ...[
      '<class filename="f">',
      '<line number="1" hits="1"/>',
      '&amp;',
      '&x;',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      '"',
      '<?xml ?>',
    ],
    ...['<!DOCTYPE a [', ']>', '{"version":"2.1.0","runs":[', '{}', ']}', 'é', '\u0001'],
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const bytes = Buffer.from(pieces.join(''))
      for (const read of [
        readJunit,
        readCobertura,
        async (n: string, b: Buffer) => await Promise.resolve(readSarif(n, b)),
      ]) {
        const result: unknown = await (async () => await read('r', bytes))().catch(
          (thrown: unknown) => thrown,
        )
        if (result instanceof Error) expect(result).toBeInstanceOf(HubError)
      }
    }),
    { numRuns: 300 },
  )
})
