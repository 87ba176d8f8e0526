/** Holds: set in one environment or in all, listed, and lifted. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { demand, may } from '../access/rights.ts'
import type { Right } from '../access/rights.ts'
import { findHold, liftHold, setHold } from '../environments/holds.ts'
import { advanceWaiting } from '../environments/promote.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { HeldBuild } from '../records/holds.ts'
import { authorize, principalOf } from './auth.ts'
import { reasonField } from './reason.ts'
import { holdJson, publishedJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

const holdSchema = z.strictObject({
  app: z.string(),
  build: z.int().min(1).nullable().default(null),
  newer: z.boolean().default(false),
  mask: z.boolean().default(false),
  reason: reasonField,
})
const liftSchema = z.strictObject({ reason: reasonField })

export function holdRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/holds', async (request, response) => {
    await answerHold(hub, request, response, null)
  })
  routes.post('/environments/:environment/holds', async (request, response) => {
    const { environment } = overlayOf(hub, parameter(request, 'environment'))
    await answerHold(hub, request, response, environment)
  })
  routes.get('/holds', async (request, response) => {
    const wanted = query(request, 'environment')
    if (wanted !== null) overlayOf(hub, wanted)
    await sendHolds(hub, request, response, wanted)
  })
  routes.get('/environments/:environment/holds', async (request, response) => {
    const { environment } = overlayOf(hub, parameter(request, 'environment'))
    await sendHolds(hub, request, response, environment)
  })
  routes.get('/holds/:hold', async (request, response) => {
    response.json(holdJson(await visibleHold(hub, request, response)))
  })
  routes.post('/holds/:hold/lift', async (request, response) => {
    const { environment, id } = await visibleHold(hub, request, response)
    const by = demandPromotion(hub, response, environment)
    const { reason } = parseWith(liftSchema, request.body, 'the body')
    const dryRun = isDryRun(request)
    const { hold, published } = await liftHold(hub, { id, reason, by, dryRun })
    response.json({ ...holdJson(hold), published: publishedJson(published), ...(dryRun && { dryRun }) })
  })
  return routes
}

async function answerHold(
  hub: Hub,
  request: Request,
  response: Response,
  environment: string | null,
): Promise<void> {
  const by = demandPromotion(hub, response, environment)
  const wanted = parseWith(holdSchema, request.body, 'the hold')
  const dryRun = isDryRun(request)
  const { hold, published } = await setHold(hub, { ...wanted, environment, by, dryRun })
  // What waits is told no now, and not when its time has come.
  if (!dryRun) await advanceWaiting(hub, { app: hold.app })
  if (!dryRun) response.status(201).location(`/api/v1/holds/${hold.id}`)
  response.json({
    ...holdJson(hold),
    published: publishedJson(published),
    ...(dryRun && { id: null, dryRun }),
  })
}

/** The name of who may promote there: a hold says no in the same places as a promotion says yes. */
function demandPromotion(hub: Pick<Hub, 'config'>, response: Response, environment: string | null): string {
  const where = environment === null ? hub.config.environments.map(({ name }) => name) : [environment]
  const principal = principalOf(response)
  for (const name of where) demand(principal, { to: 'promote', environment: name })
  return principal.name
}

async function sendHolds(
  hub: Hub,
  request: Request,
  response: Response,
  environment: string | null,
): Promise<void> {
  const readable = readableEnvironments(hub, response)
  if (environment !== null || readable.length === 0)
    authorize(response, { to: 'read', environment: environment ?? '' })
  const state = query(request, 'state') ?? 'held'
  if (state !== 'held' && state !== 'lifted' && state !== 'all')
    throw new HubError('request.invalid', '?state= is held, lifted or all')
  const filter = {
    app: query(request, 'app'),
    environments: environment === null ? readable : [environment],
    open: state === 'all' ? null : state === 'held',
  }
  sendPage(request, response, await hub.records.holds.list(filter, pageRequest(request)), holdJson)
}

function readableEnvironments(hub: Pick<Hub, 'config'>, response: Response): readonly string[] {
  const principal = principalOf(response)
  return hub.config.environments
    .map(({ name }) => name)
    .filter((environment) => may(principal, { to: 'read', environment }))
}

/** @throws {HubError} `hold.unknown`, also for one that binds only where the asker may not read. */
async function visibleHold(hub: Hub, request: Request, response: Response): Promise<HeldBuild> {
  const readable = readableEnvironments(hub, response)
  if (readable.length === 0) authorize(response, { to: 'read', environment: '' } satisfies Right)
  const hold = await findHold(hub, parameter(request, 'hold'))
  if (hold.environment === null || may(principalOf(response), { to: 'read', environment: hold.environment }))
    return hold
  throw new HubError('hold.unknown', `there is no hold ${JSON.stringify(hold.id)}`)
}
