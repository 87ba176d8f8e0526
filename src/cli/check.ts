/** What CI and people found out about a build: telling it, and looking at it. */
import { basename } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import type { CheckAnswer, RecordedCheckAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { asPublisher } from './ci-identity.ts'
import { streamedForm } from './form.ts'
import type { FormFile } from './form.ts'
import { onOneLine, timeText } from './format.ts'
import type { Column } from './format.ts'
import { parseNumber, showPage, withLimit } from './lists.ts'
import type { ListOptions } from './lists.ts'
import { readWhole } from './read-file.ts'
import { DRY_RUN, remote } from './session.ts'

const STAGES = ['commit', 'acceptance', 'manual']
const FORMATS = ['junit', 'sarif', 'cobertura'] as const

interface Options extends Readonly<Partial<Record<(typeof FORMATS)[number], readonly string[]>>> {
  readonly status?: string
  readonly link?: string
  readonly summary?: string
  readonly dryRun?: boolean
}

export function addCheck(program: Command): void {
  const command = program
    .command('check')
    .description('tell the result of a check of a build, with its reports')
    .argument('<app>')
    .argument('<build>', 'its number', parseNumber)
    .argument('<stage>', STAGES.join(', '), parseStage)
    .argument('<name>', 'as policies name it, for example "unit"')
    .addOption(
      new Option('-s, --status <status>', 'without it, the tests of --junit say it').choices([
        ...['running', 'passed', 'failed', 'skipped'],
      ]),
    )
    .option('--link <address>', 'where more about it is to be seen')
    .option('--summary <text>', 'a few words about it')
    .option('--junit <files...>', 'test results as JUnit XML')
    .option('--sarif <files...>', 'findings as SARIF 2.1.0')
    .option('--cobertura <files...>', 'coverage as Cobertura XML')
    .option(...DRY_RUN)
  const example = 'portage-hub check shop 45 commit unit --junit build/junit.xml'
  remote<Options>(
    command,
    example,
    async (anySession, options, app = '', build = '', stage = '', name = '') => {
      const session = await asPublisher(anySession, app)
      const told = { stage, name, status: options.status, url: options.link, summary: options.summary }
      const fields = Object.entries(told).flatMap(([field, value]): [string, string][] =>
        value === undefined ? [] : [[field, value]],
      )
      const form = streamedForm(fields, await filesOf(options))
      const query = { dryRun: options.dryRun }
      const path = apiPath('apps', app, 'builds', build, 'checks')
      const { body } = await session.client.upload<RecordedCheckAnswer>(path, query, form)
      for (const warning of body.warnings) session.terminal.note(`Warning: ${onOneLine(warning)}`)
      const would = options.dryRun === true ? 'would be recorded' : 'is recorded'
      const results = resultsOf(body)
      const ending = results === '' ? '' : `: ${results}`
      session.show(
        body,
        `${app} build ${build}: ${stage} check ${onOneLine(name)} ${would} as ${body.status}${ending}`,
      )
    },
  )
}

const COLUMNS: readonly Column<CheckAnswer>[] = [
  { title: 'STAGE', value: ({ stage }) => stage },
  { title: 'NAME', value: ({ name }) => name },
  { title: 'STATUS', value: ({ status }) => status },
  { title: 'REPORTED (UTC)', value: ({ reportedAt }) => timeText(reportedAt) },
  { title: 'BY', value: ({ reportedBy }) => reportedBy },
  { title: 'RESULTS', value: (check) => resultsOf(check) || (check.url ?? ''), cut: true },
]

interface ListingOptions extends ListOptions {
  readonly all?: boolean
}

export function addChecks(program: Command): void {
  const command = program
    .command('checks')
    .description('list the checks of a build: the newest run of each')
    .argument('<app>')
    .argument('<build>', 'its number', parseNumber)
    .option('--all', 'earlier runs too')
  remote<ListingOptions>(
    withLimit(command),
    'portage-hub checks shop 45',
    async (session, { all, limit }, app = '', build = '') => {
      const path = apiPath('apps', app, 'builds', build, 'checks')
      const page = await session.client.list<CheckAnswer>(path, {}, limit)
      const items = all === true ? page.items : page.items.filter(({ counts }) => counts)
      showPage(session, { ...page, items }, COLUMNS, 'No checks.')
    },
  )
}

async function filesOf(options: Options): Promise<readonly FormFile[]> {
  const files: FormFile[] = []
  for (const field of FORMATS) {
    for (const path of options[field] ?? []) {
      const bytes = await readWhole(path)
      const fileName = basename(path)
      files.push({ field, fileName, sizeBytes: bytes.byteLength, chunks: only(bytes) })
    }
  }
  return files
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

/** `junit.xml: 12 passed, 1 failed; coverage.xml: 80 of 100 lines`. */
function resultsOf({ reports }: CheckAnswer): string {
  return reports
    .map(({ name, format, counts: { total: _total, lines = 0, covered = 0, ...states } }) => {
      if (format === 'cobertura') return `${name}: ${String(covered)} of ${String(lines)} lines`
      const found = Object.entries(states).filter(([, count]) => count > 0)
      return `${name}: ${found.map(([state, count]) => `${String(count)} ${state}`).join(', ') || 'nothing'}`
    })
    .map(onOneLine)
    .join('; ')
}

function parseStage(text: string): string {
  if (STAGES.includes(text)) return text
  throw new InvalidArgumentError(`It must be one of ${STAGES.join(', ')}.`)
}
