/** Taking the result of a check: its reports are read before anything is kept, then one transaction keeps all of it. */
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { BuildRow } from '../records/builds.ts'
import type { CheckReportRow, CheckRow } from '../records/checks.ts'
import { readCobertura } from './cobertura.ts'
import { readJunit } from './junit.ts'
import type { Report, ReportFormat } from './report.ts'
import { readSarif } from './sarif.ts'

export const STAGES = ['commit', 'acceptance', 'manual'] as const
export type Stage = (typeof STAGES)[number]

export const CHECK_STATUSES = ['running', 'passed', 'failed', 'skipped'] as const
export type CheckStatus = (typeof CHECK_STATUSES)[number]

/** A report as it was sent. */
export interface SentReport {
  readonly format: ReportFormat
  readonly name: string
  readonly bytes: Buffer
}

export interface SentCheck {
  readonly stage: Stage
  readonly name: string
  /** null: as the tests of its reports say. */
  readonly status: CheckStatus | null
  readonly url: string | null
  readonly summary: string | null
  readonly reports: readonly SentReport[]
  readonly by: string
  readonly dryRun: boolean
}

export interface RecordedCheck {
  readonly check: CheckRow
  readonly reports: readonly Omit<CheckReportRow, 'items'>[]
  /** What was kept although it looks like a mistake, in words. */
  readonly warnings: readonly string[]
}

const compress = promisify(zstdCompress)

/**
 * Keeps a run of a check. Runs of the same stage and name are kept beside each other; the newest counts.
 * @throws {HubError} `check.report_invalid`; `request.invalid` without a status that is said or can be told from tests.
 */
export async function recordCheck(
  hub: Pick<Hub, 'records' | 'clock'>,
  build: Pick<BuildRow, 'app' | 'build'>,
  sent: SentCheck,
): Promise<RecordedCheck> {
  const read: Report[] = []
  for (const { format, name, bytes } of sent.reports) read.push(await READERS[format](name, bytes))
  const { stage, name, url, summary, by: reportedBy } = sent
  const status = sent.status ?? statusOfTests(read)
  const now = hub.clock.now()
  const { app, build: number } = build
  const check: CheckRow = {
    ...{ id: newId('chk', now), app, build: number, stage, name, status, url, summary },
    ...{ reportedBy, reportedAt: timestamp(now) },
  }
  const rows: CheckReportRow[] = []
  for (const [position, report] of read.entries())
    rows.push(await rowOf(check.id, position, report, sent.reports[position]?.bytes.byteLength ?? 0))
  if (!sent.dryRun) {
    await hub.records.transaction(async (records) => {
      await records.checks.add(check, rows)
      await recordChange(records, hub.clock, {
        ...{ type: 'check.recorded', subject: check.id, app, build: number },
        after: { stage, name, status, url, summary, reports: read.map(({ counts }) => counts) },
      })
    })
  }
  return { check, reports: rows, warnings: contradictions(status, read) }
}

const READERS: Readonly<Record<ReportFormat, (name: string, bytes: Buffer) => Report | Promise<Report>>> = {
  junit: readJunit,
  sarif: readSarif,
  cobertura: readCobertura,
}

/** The check of a build. @throws {HubError} `check.unknown`, also for one of another build. */
export async function findCheck(
  hub: Pick<Hub, 'records'>,
  { app, build }: Pick<BuildRow, 'app' | 'build'>,
  id: string,
): Promise<CheckRow> {
  const check = await hub.records.checks.find(id)
  if (check?.app === app && check.build === build) return check
  throw new HubError(
    'check.unknown',
    `build ${String(build)} of ${app} has no check ${JSON.stringify(id.slice(0, 100))}`,
  )
}

function failedTests(reports: readonly Report[]): number {
  return reports.reduce((sum, { counts }) => sum + (counts['failed'] ?? 0) + (counts['errored'] ?? 0), 0)
}

function statusOfTests(reports: readonly Report[]): CheckStatus {
  if (reports.some(({ format }) => format === 'junit')) return failedTests(reports) > 0 ? 'failed' : 'passed'
  throw new HubError(
    'request.invalid',
    `status is missing: send ${CHECK_STATUSES.join(', ')}, or JUnit XML whose tests say it`,
  )
}

/** The one who reports decides, and may have reasons; who looks at it should know. */
function contradictions(status: CheckStatus, reports: readonly Report[]): readonly string[] {
  const failed = failedTests(reports)
  if (status !== 'passed' || failed === 0) return []
  return [`it was reported as passed with ${String(failed)} failed tests; without a status, they say it`]
}

async function rowOf(
  checkId: string,
  position: number,
  { name, format, counts, items }: Report,
  sizeBytes: number,
): Promise<CheckReportRow> {
  const packed = await compress(JSON.stringify(items))
  return { checkId, position, name, format, sizeBytes, counts: JSON.stringify(counts), items: packed }
}
