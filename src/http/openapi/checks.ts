import { z } from 'zod'
import { CHECK_STATUSES, STAGES } from '../../checks/record-check.ts'
import { FINDING_STATES, REPORT_FORMATS, TEST_STATES } from '../../checks/report.ts'
import { checkSchema } from '../check-routes.ts'
import { dryRunOf, json, plus } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import * as values from './values.ts'

export const check = z
  .strictObject({
    id: values.named('Its id.', 'chk_01m83m9c2t5rv0x8k4d7qz'),
    app: values.appName,
    build: values.buildNumber,
    stage: z.enum(STAGES),
    name: z.string().meta({ examples: ['unit'] }),
    status: z.enum(CHECK_STATUSES),
    url: z.string().nullable(),
    summary: z.string().nullable(),
    reportedBy: values.who,
    reportedAt: values.time,
    counts: z.boolean().describe('false once a later run of the same stage and name took its place.'),
    reports: z.array(
      z.strictObject({
        name: z.string().meta({ examples: ['junit.xml'] }),
        format: z.enum(REPORT_FORMATS),
        sizeBytes: values.sizeBytes,
        counts: z
          .record(z.string(), z.int())
          .describe('How many in each state, and `total`; of Cobertura `lines` and `covered`.'),
      }),
    ),
  })
  .meta({ id: 'Check' })
export type Check = Answering<typeof check>

const WARNINGS = {
  warnings: z.array(z.string()).describe('What was kept although it looks like a mistake.'),
}

const report = z.string().describe('The name of the report.')
const file = z.string().nullable()
const lineNumber = z.int().nullable()

const result = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('test'),
      report,
      suite: z.string().nullable(),
      name: z.string(),
      file,
      line: lineNumber,
      state: z.enum(TEST_STATES),
      seconds: z.number().nullable(),
      message: z.string().nullable(),
      detail: z.string().nullable(),
    }),
    z.strictObject({
      kind: z.literal('finding'),
      report,
      tool: z.string(),
      rule: z.string().nullable(),
      file,
      line: lineNumber,
      state: z.enum(FINDING_STATES),
      message: z.string(),
    }),
    z.strictObject({
      kind: z.literal('coverage'),
      report,
      file: z.string(),
      lines: z.int(),
      covered: z.int(),
      uncovered: values.named('Lines that no test reached.', '12-17, 40-42'),
    }),
  ])
  .meta({
    id: 'CheckResult',
    description: 'A test of JUnit XML, a finding of SARIF, or a file’s coverage by Cobertura.',
  })

const reportFile = z.array(values.bytes).optional()

const UNKNOWN = ['build.unknown', 'build.invalid_number'] as const

export const checks: Noun = {
  name: 'Checks',
  description:
    'What CI and people found out about a build. Runs are kept; the newest of a stage and name counts.',
  operations: {
    'checks.record': {
      call: 'POST /apps/{app}/builds/{build}/checks',
      summary: 'Report a check of a build',
      description:
        'JSON, or a form whose files are reports. A form takes no `Idempotency-Key`. A promotion that waits for it goes on.',
      who: 'reports checks',
      body: {
        content: {
          'application/json': {
            schema: checkSchema,
            example: { stage: 'commit', name: 'unit', status: 'passed' },
          },
          'multipart/form-data': {
            schema: checkSchema.extend({ junit: reportFile, sarif: reportFile, cobertura: reportFile }),
          },
        },
      },
      change: true,
      answers: {
        201: json('The check.', plus(check, WARNINGS), { Location: z.string() }),
        200: json('Of a dry run.', dryRunOf(check, WARNINGS)),
      },
      refusals: [
        ...UNKNOWN,
        'check.report_invalid',
        'check.report_too_large',
        'request.too_large',
        'request.truncated',
      ],
    },
    'checks.list': {
      call: 'GET /apps/{app}/builds/{build}/checks',
      summary: 'List the checks of a build',
      description: 'Every run, newest first.',
      who: 'sees',
      query: { stage: z.enum(STAGES).optional(), name: z.string().optional() },
      page: { of: check },
      refusals: UNKNOWN,
    },
    'checks.get': {
      call: 'GET /apps/{app}/builds/{build}/checks/{check}',
      summary: 'Get a check',
      who: 'sees',
      answers: { 200: json('The check.', check) },
      refusals: [...UNKNOWN, 'check.unknown'],
    },
    'checks.results': {
      call: 'GET /apps/{app}/builds/{build}/checks/{check}/results',
      summary: 'List what the reports of a check say',
      who: 'sees',
      query: {
        state: z.string().optional().describe('Only what is in that state: `failed`, `error`, …'),
        file: z.string().optional().describe('Only of that file.'),
      },
      page: { of: result, limit: [100, 1000] },
      refusals: [...UNKNOWN, 'check.unknown'],
    },
  },
}
