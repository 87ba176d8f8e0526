/** Checks as forms with reports of CI: what is refused is kept nowhere, and what is taken is shown again. */
import fc from 'fast-check'
import { formBody, FORM_TYPE } from '../../support/raw-http.ts'
import { judgeAnswer } from '../support/exchange.ts'
import type { FuzzedHub } from '../support/hub-process.ts'
import { flooded, mutated, mutatedText } from '../support/mutate.ts'
import { COBERTURA, JUNIT, SARIF } from '../support/report-corpus.ts'
import { same } from '../support/same.ts'
import { target } from '../support/target.ts'
import type { Target } from '../support/target.ts'
import { changeOfForm } from './hub-uploads.ts'

const REPORTS = { junit: JUNIT, cobertura: COBERTURA, sarif: SARIF } as const
const PIECES = [
  '<',
  '>',
  '"',
  '&',
  '&#0;',
  '<!DOCTYPE a [<!ENTITY x "y">]>',
  '<testcase>',
  ']]>',
  '{',
  '}',
  ',',
  '\\ud800',
]

const report = fc.constantFrom(...(['junit', 'cobertura', 'sarif'] as const)).chain((format) => {
  const whole = REPORTS[format]
  const bytes = fc.oneof(
    { arbitrary: fc.constant(Buffer.from(whole)), weight: 4 },
    mutated([Buffer.from(whole)]),
    mutatedText([whole], PIECES).map((text) => Buffer.from(text)),
    flooded(['<a>', '<testcase/>', '&amp;', '['], 50_000, [['', '']]).map((text) => Buffer.from(text)),
  )
  return fc.tuple(
    fc.oneof({ arbitrary: fc.constant(format), weight: 8 }, fc.constantFrom('junit', 'tarball', '__proto__')),
    bytes,
  )
})
const field = fc.tuple(
  fc.constantFrom('stage', 'name', 'status', 'url', 'summary', 'x', '__proto__', 'junit'),
  fc.constantFrom(
    'commit',
    'manual',
    'unit',
    'passed',
    'javascript:x',
    '',
    ' ',
    '\0',
    '\u202e',
    'x'.repeat(5000),
  ),
)

export function checks(hub: FuzzedHub): Target {
  const form = fc
    .tuple(
      fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, fc.array(field, { maxLength: 2 })),
      fc.array(report, { maxLength: 2 }),
    )
    .map(([fields, reports]) =>
      formBody({
        stage: 'commit',
        name: 'unit',
        ...Object.fromEntries(fields),
        ...Object.fromEntries(reports),
      }),
    )
  const cases = fc.record({
    body: fc.oneof(
      { arbitrary: form, weight: 4 },
      form.chain((bytes) => mutated([bytes], [changeOfForm])),
    ),
    type: fc.oneof(
      { arbitrary: fc.constant(FORM_TYPE), weight: 8 },
      fc.constantFrom('multipart/form-data', 'text/plain'),
    ),
    query: fc.constantFrom('', '', '?dryRun=true', '?dryRun=x'),
    build: fc.constantFrom('2', '2', '2', '2', '2', '3', '99', 'x'),
    token: fc.oneof(
      { arbitrary: fc.constant(hub.known.tokens['administrator'] ?? null), weight: 4 },
      fc.constantFrom(hub.known.tokens['developer'] ?? null, hub.known.tokens['reader'] ?? null),
    ),
  })
  return target({
    name: '',
    share: 20,
    cases,
    check: async ({ body, type, query, build, token }) => {
      const before = await hub.kept()
      const path = `/api/v1/apps/shop/builds/${build}/checks`
      const headers = { 'Content-Type': type }
      const answer = await hub.ask({ method: 'POST', path: path + query, headers, body, token })
      const verdict = judgeAnswer(answer)
      if (verdict === 'refused' || query === '?dryRun=true')
        await hub.refuseChanges(before, `a check, ${verdict}`)
      else await expectShown(hub, `${path}/${String((JSON.parse(answer.text) as { id: unknown }).id)}`)
      return verdict
    },
  })
}

/** The check and all results of its reports. */
async function expectShown(hub: FuzzedHub, path: string): Promise<void> {
  const shown = JSON.parse((await hub.ask({ path })).text) as {
    readonly reports: readonly { readonly counts: Readonly<Record<string, number>> }[]
  }
  const results = await hub.ask({ path: `${path}/results?limit=1000` })
  same(results.status, 200, `the status of ${path}/results`)
  const { items, nextCursor } = JSON.parse(results.text) as {
    readonly items: readonly unknown[]
    readonly nextCursor: string | null
  }
  const total = shown.reports.reduce((sum, { counts }) => sum + (counts['total'] ?? 0), 0)
  if (nextCursor === null) same(items.length, total, 'the number of results')
}
