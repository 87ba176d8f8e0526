/** Reports as a CI sends them: JUnit of tests, SARIF of a linter. */
import type { DemoApp } from './apps.ts'
import type { Random } from './random.ts'

/** JUnit XML of the app's tests; `failing` of them fail. */
export function junit(app: DemoApp, random: Random, failing = 0): string {
  const suites = app.suites.map(({ name, tests }, suiteAt) => {
    const cases = tests.map((test, testAt) => {
      const seconds = (random.whole(2, 900) / 1000).toFixed(3)
      const fails = suiteAt === 0 && testAt < failing
      const fault = fails
        ? `<failure message="expected 1999, got 2000">${name}.${test}: rounded twice\n  at tests/${name}.test:41</failure>`
        : ''
      return `<testcase classname="${name}" name="${test}" file="tests/${name}.test" time="${seconds}">${fault}</testcase>`
    })
    const failures = suiteAt === 0 ? failing : 0
    return `<testsuite name="${name}" tests="${String(cases.length)}" failures="${String(failures)}">${cases.join('\n')}</testsuite>`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`
}

/** SARIF 2.1.0 with a warning about the app's main file. */
export function sarif(app: DemoApp): string {
  const region = { startLine: 3, startColumn: 1 }
  const physicalLocation = { artifactLocation: { uri: `bin/${app.name}` }, region }
  return JSON.stringify({
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'shellcheck', rules: [{ id: 'SC2086' }] } },
        results: [
          {
            ruleId: 'SC2086',
            level: 'warning',
            message: { text: 'Double quote to prevent globbing and word splitting.' },
            locations: [{ physicalLocation }],
          },
        ],
      },
    ],
  })
}
