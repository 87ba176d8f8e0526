/** Small reports of each format, as tools write them. */

export const JUNIT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="all"><testsuite name="cart" file="src/cart.test.js" tests="4">
<properties><property name="a" value="b"/></properties>
<testcase classname="cart" name="adds" time="1,234.5" file="src/cart.js" line="7"/>
<testcase name="fails"><failure message="3 is not 4" type="AssertionError"><![CDATA[at <cart> 7]]></failure></testcase>
<testcase name="breaks"><error message="no database">a
b</error><system-out>said</system-out></testcase>
<testcase name="later"><skipped/></testcase>
</testsuite></testsuites>
`

export const COBERTURA = `<?xml version="1.0"?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0.5" version="1"><sources><source>/src</source></sources><packages><package name="cart"><classes>
<class name="Cart" filename="src/cart.js"><methods><method name="a"><lines><line number="3" hits="0"/></lines></method>
</methods><lines><line number="1" hits="2"/><line number="3" hits="0"/><line number="4" hits="0" branch="true"/></lines>
</class></classes></package></packages></coverage>
`

export const SARIF = JSON.stringify({
  $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
  version: '2.1.0',
  runs: [
    {
      tool: {
        driver: {
          name: 'lint',
          rules: [
            {
              id: 'no-x',
              shortDescription: { text: 'no x' },
              defaultConfiguration: { level: 'error' },
            },
          ],
        },
      },
      results: [
        {
          ruleId: 'no-x',
          ruleIndex: 0,
          message: { text: 'an x' },
          locations: [
            { physicalLocation: { artifactLocation: { uri: 'file:///src/a.ts' }, region: { startLine: 3 } } },
          ],
        },
        { ruleId: 'no-x', kind: 'pass', message: { id: 'default' } },
        { rule: { index: 0 }, level: 'note', message: {}, suppressions: [{ kind: 'inSource' }] },
      ],
    },
  ],
})
