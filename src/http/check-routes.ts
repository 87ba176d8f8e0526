/** `/apps/{app}/builds/{build}/checks`: what CI and people found out about a build. */
import { Router } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { z } from 'zod'
import { may } from '../access/rights.ts'
import { CHECK_STATUSES, findCheck, recordCheck, STAGES } from '../checks/record-check.ts'
import type { Stage } from '../checks/record-check.ts'
import { advanceWaiting } from '../environments/promote.ts'
import { promoteWhatWaited } from '../environments/promote-upload.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { line } from '../nodes/report.ts'
import type { BuildRow } from '../records/builds.ts'
import type { CheckReportHead, CheckRow } from '../records/checks.ts'
import { authorize, principalOf } from './auth.ts'
import { visibleBuild } from './build-routes.ts'
import { receiveCheckForm, reportsOf } from './check-form.ts'
import {
  isDryRun,
  numberedPageRequest,
  pageRequest,
  parameter,
  parseWith,
  query,
  sendPage,
} from './request.ts'
import type { Check } from './openapi/checks.ts'

/** The name of a check, as policies name it too. */
export const checkName = z.string().trim().pipe(line(100))

export const checkSchema = z.strictObject({
  stage: z.enum(STAGES),
  name: checkName,
  status: z
    .enum(CHECK_STATUSES)
    .nullable()
    .default(null)
    .describe('null: as the tests of its JUnit reports say.'),
  url: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .nullable()
    .default(null),
  summary: z
    .string()
    .trim()
    .max(4000)
    .regex(/^(?:\n|\t|[^\p{Cc}\p{Cs}\p{Bidi_Control}])*$/u, 'must be text without control characters')
    .nullable()
    .default(null),
})

export function checkRoutes(hub: Hub): Router {
  const routes = Router()
  // Nobody's reports are read who may send none.
  routes.post('/apps/:app/builds/:build/checks', mayReport, receiveCheckForm, async (request, response) => {
    await answerCheck(hub, request, response)
  })
  routes.get('/apps/:app/builds/:build/checks', async (request, response) => {
    const { app, build } = await visibleBuild(hub, request, response)
    const filter = { app, build, stage: stageOf(request), name: query(request, 'name') }
    const page = await hub.records.checks.list(filter, pageRequest(request))
    const items = await checksJson(hub, { app, build }, page.items)
    sendPage(request, response, { ...page, items }, (item) => item)
  })
  routes.get('/apps/:app/builds/:build/checks/:check', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    const check = await findCheck(hub, build, parameter(request, 'check'))
    const newest = await hub.records.checks.newest(check.app, check.build)
    const counts = newest.some(({ id }) => id === check.id)
    response.json(checkJson(check, await hub.records.checks.reportsOf([check.id]), counts))
  })
  routes.get('/apps/:app/builds/:build/checks/:check/results', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    const check = await findCheck(hub, build, parameter(request, 'check'))
    await sendResults(hub, request, response, check.id)
  })
  return routes
}

const mayReport: RequestHandler = (request, response, next) => {
  const app = parameter(request, 'app')
  if (!may(principalOf(response), { to: 'vouch for', app }))
    authorize(response, { to: 'report checks of', app })
  next()
}

async function answerCheck(hub: Hub, request: Request, response: Response): Promise<void> {
  const app = parameter(request, 'app')
  const given = Object.fromEntries(
    Object.entries((request.body ?? {}) as Record<string, unknown>).filter(([, value]) => value !== ''),
  )
  const isByHand = given['stage'] === 'manual'
  const { name: by } = authorize(response, { to: isByHand ? 'vouch for' : 'report checks of', app })
  const build = await visibleBuild(hub, request, response)
  const sent = parseWith(checkSchema, given, 'the check')
  const dryRun = isDryRun(request)
  const reports = reportsOf(request)
  const { check, reports: heads, warnings } = await recordCheck(hub, build, { ...sent, reports, by, dryRun })
  if (!dryRun) {
    await advanceWaiting(hub, { app })
    await promoteWhatWaited(hub)
  }
  if (!dryRun) response.status(201).location(`${request.baseUrl}${request.path}/${check.id}`)
  response.json({
    ...checkJson(check, heads, true),
    ...(dryRun && { id: null, dryRun }),
    warnings,
  })
}

/** Checks of a build as they are listed, each with its reports and whether it counts. */
export async function checksJson(
  { records }: Pick<Hub, 'records'>,
  { app, build }: Pick<BuildRow, 'app' | 'build'>,
  checks: readonly CheckRow[],
): Promise<readonly Check[]> {
  const reports = await records.checks.reportsOf(checks.map(({ id }) => id))
  const counting = new Set((await records.checks.newest(app, build)).map(({ id }) => id))
  return checks.map((check) => {
    const own = reports.filter(({ checkId }) => checkId === check.id)
    return checkJson(check, own, counting.has(check.id))
  })
}

export function checkJson(check: CheckRow, reports: readonly CheckReportHead[], counts: boolean): Check {
  return {
    ...check,
    /** Whether no later run of this stage and name took its place. */
    counts,
    reports: reports.map(({ name, format, sizeBytes, counts: inEachState }) => ({
      name,
      format,
      sizeBytes,
      counts: JSON.parse(inEachState) as Readonly<Record<string, number>>,
    })),
  }
}

async function sendResults(hub: Hub, request: Request, response: Response, id: string): Promise<void> {
  const file = query(request, 'file')
  const state = query(request, 'state')
  const { limit, cursor } = numberedPageRequest(request, 100, 1000)
  const found = (await hub.records.checks.itemsOf(id))
    .flatMap(({ report, items }) => items.map((item) => ({ report, ...item })))
    .filter((item) => file === null || item.file === file)
    .filter((item) => state === null || ('state' in item && item.state === state))
  const start = Number(cursor ?? 0)
  const nextCursor = start + limit < found.length ? String(start + limit) : null
  sendPage(request, response, { items: found.slice(start, start + limit), nextCursor }, (item) => item)
}

function stageOf(request: Request): Stage | null {
  const text = query(request, 'stage')
  const stage = STAGES.find((one) => one === text) ?? null
  if (text !== null && stage === null)
    throw new HubError('request.invalid', `?stage= is one of ${STAGES.join(', ')}`)
  return stage
}
