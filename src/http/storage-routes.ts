/** `/storage` and `/retention`: what takes how much space, and which builds the rules would let go of. For administrators. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import {
  KEEP_EVERYTHING,
  keyOf,
  planRetention,
  retentionRules,
  setRetentionRules,
} from '../environments/retention.ts'
import type { JudgedRetention, KeptRules, RetentionPlan, RetentionRules } from '../environments/retention.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { authorize } from './auth.ts'
import { isDryRun, pageRequest, parameter, parseWith, query } from './request.ts'
import type {
  PlannedRetention,
  RetentionPlanAnswer,
  RetentionRulesAnswer,
  Storage,
} from './openapi/storage.ts'

const SHOWN_NODES = 50

const count = (least: number) => z.int().min(least).max(1_000_000)

export const retentionSchema = z.strictObject({
  keepNewest: count(1)
    .nullable()
    .describe('So many of the newest builds of an app stay; null: none for that.'),
  keepDays: count(1)
    .nullable()
    .describe('Builds that are younger stay; null: none for that. Both null: all stay.'),
  keepRevisions: count(0)
    .default(KEEP_EVERYTHING.keepRevisions)
    .describe('What an environment listed in so many of its newest revisions stays, for rollbacks.'),
})

type StorageNeeds = Pick<Hub, 'storageWatch' | 'healthWatch'>

export function storageRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/storage', async (_request, response) => {
    authorize(response, { to: 'administer' })
    response.json(await storageJson(hub))
  })
  routes.get('/retention', async (_request, response) => {
    authorize(response, { to: 'administer' })
    response.json(await hubRules(hub))
  })
  routes.put('/retention', async (request, response) => {
    const rules = parseWith(retentionSchema, request.body, 'the rules')
    await answerSet(hub, request, response, { app: null, rules })
  })
  routes.get('/retention/plan', async (request, response) => {
    authorize(response, { to: 'administer' })
    const app = query(request, 'app')
    if (app !== null) await knownApp(hub, app)
    response.json(planPage(request, await planRetention(hub, app)))
  })
  routes.get('/apps/:app/retention', async (request, response) => {
    authorize(response, { to: 'administer' })
    const app = await knownApp(hub, parameter(request, 'app'))
    response.json({ app, own: await retentionRules(hub, app), hub: await hubRules(hub) })
  })
  routes.put('/apps/:app/retention', async (request, response) => {
    const rules = parseWith(retentionSchema, request.body, 'the rules')
    await answerSet(hub, request, response, { app: parameter(request, 'app'), rules })
  })
  routes.delete('/apps/:app/retention', async (request, response) => {
    await answerSet(hub, request, response, { app: parameter(request, 'app'), rules: null })
  })
  return routes
}

async function answerSet(
  hub: Hub,
  request: Request,
  response: Response,
  wanted: { readonly app: string | null; readonly rules: RetentionRules | null },
): Promise<void> {
  const dryRun = isDryRun(request)
  const kept = await setAskedRules(hub, response, wanted, dryRun)
  response.json({ ...(kept ?? (await hubRules(hub))), ...(dryRun && { dryRun }) })
}

/** Sets rules as who asks; API and pages alike. */
export async function setAskedRules(
  hub: Hub,
  response: Response,
  wanted: { readonly app: string | null; readonly rules: RetentionRules | null },
  dryRun: boolean,
): Promise<KeptRules | null> {
  const { name: by } = authorize(response, { to: 'administer' })
  const kept = await setRetentionRules(hub, { ...wanted, by, dryRun })
  hub.storageWatch.forgetPlan()
  return kept
}

export async function hubRules({ records }: Pick<Hub, 'records'>): Promise<RetentionRulesAnswer> {
  const rules: KeptRules | null = await retentionRules({ records }, null)
  if (!rules) throw new Error('the hub has no rules of retention')
  return rules
}

/** @throws {HubError} `app.unknown`. */
async function knownApp({ records }: Pick<Hub, 'records'>, name: string): Promise<string> {
  if (await records.apps.find(name)) return name
  throw new HubError('app.unknown', `there is no app ${JSON.stringify(name.slice(0, 100))}`)
}

export async function storageJson({ storageWatch, healthWatch }: StorageNeeds): Promise<Storage> {
  const { at, archive, nodes, ...usage } = await storageWatch.usage()
  const sizes = nodes.map((one) => ({ ...one, bytes: one.packageBytes + one.dumpBytes }))
  const environments = Map.groupBy(sizes, ({ environment }) => environment)
  return {
    measuredAt: at,
    disk: await healthWatch.space(),
    archive: { bytes: sumOf(archive), apps: archive },
    nodes: {
      bytes: sumOf(sizes),
      environments: [...environments].map(([environment, of]) => ({ environment, bytes: sumOf(of) })),
      largest: nodes.slice(0, SHOWN_NODES),
    },
    ...usage,
  }
}

function sumOf(list: readonly { readonly bytes: number }[]): number {
  return list.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** The part of a plan that `?what=`, `?limit=` and `?cursor=` name. @throws {HubError} `request.invalid`. */
export function planPage(request: Request, plan: RetentionPlan, ordinary?: number): RetentionPlanAnswer {
  const what = query(request, 'what')
  if (what !== null && what !== 'goes' && what !== 'stays')
    throw new HubError('request.invalid', '?what= is goes or stays')
  const { limit, cursor } = pageRequest(request, ordinary)
  const wanted = plan.items.filter(
    ({ reasons }) => what === null || (reasons.length === 0) === (what === 'goes'),
  )
  // What the cursor names may be gone since: then it begins anew.
  const begin = cursor === null ? 0 : wanted.findIndex(({ build }) => keyOf(build) === cursor) + 1
  const items = wanted.slice(begin, begin + limit)
  const last = begin + limit < wanted.length ? items.at(-1) : undefined
  return {
    at: plan.at,
    wouldGo: plan.removed,
    keptByRules: plan.keptByRules,
    keptAgainstRules: plan.keptAgainst,
    items: items.map(plannedJson),
    nextCursor: last ? keyOf(last.build) : null,
  }
}

function plannedJson({ build, reasons }: JudgedRetention): PlannedRetention {
  const { app, category, pn, pv, receivedAt, sizeBytes } = build
  return { app, build: build.build, cpv: `${category}/${pn}-${pv}`, receivedAt, sizeBytes, reasons }
}
