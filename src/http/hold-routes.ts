/** Holds: set in one environment or in all, listed, and lifted. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { demand, may, sightOf } from '../access/rights.ts'
import type { Principal } from '../access/rights.ts'
import { findHold, liftHold, setHold } from '../environments/holds.ts'
import type { Held } from '../environments/holds.ts'
import { advanceWaiting } from '../environments/promote.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { HeldBuild } from '../records/holds.ts'
import { authorize, principalOf } from './auth.ts'
import { reasonField } from './reason.ts'
import { holdJson, publishedJson, publishedTogetherJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

export const holdSchema = z.strictObject({
  app: z.string(),
  build: z.int().min(1).nullable().default(null).describe('null: every build of the app.'),
  newer: z.boolean().default(false).describe('Builds whose version is newer than that of `build` too.'),
  mask: z
    .boolean()
    .default(false)
    .describe('Mask it in the overlay too, in one revision; only for a build, and in one environment.'),
  reason: reasonField,
})
export const liftSchema = z.strictObject({ reason: reasonField })

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
    const dryRun = isDryRun(request)
    const said = parseWith(liftSchema, request.body, 'the body')
    const { hold, published } = await liftVisible(hub, request, response, said, dryRun)
    response.json({ ...holdJson(hold), published: maskJson(hold, published), ...(dryRun && { dryRun }) })
  })
  return routes
}

async function answerHold(
  hub: Hub,
  request: Request,
  response: Response,
  environment: string | null,
): Promise<void> {
  const wanted = parseWith(holdSchema, request.body, 'the hold')
  const dryRun = isDryRun(request)
  const { hold, published } = await placeHold(hub, response, wanted, environment, dryRun)
  if (!dryRun) response.status(201).location(`/api/v1/holds/${hold.id}`)
  response.json({
    ...holdJson(hold),
    published: maskJson(hold, published),
    ...(dryRun && { id: null, dryRun }),
  })
}

/** Sets a hold, if the right to is theirs. */
export async function placeHold(
  hub: Hub,
  response: Response,
  wanted: z.infer<typeof holdSchema>,
  environment: string | null,
  dryRun = false,
): Promise<Held> {
  const by = demandPromotion(hub, response, { app: wanted.app, environment })
  const held = await setHold(hub, { ...wanted, yank: false, environment, by, dryRun })
  // What waits is told no now, and not when its time has come.
  if (!dryRun) await advanceWaiting(hub, { app: wanted.app })
  return held
}

/** Lifts the hold of the path, if the right to is theirs. */
export async function liftVisible(
  hub: Hub,
  request: Request,
  response: Response,
  { reason }: z.infer<typeof liftSchema>,
  dryRun = false,
): Promise<Held> {
  const { app, environment, id } = await visibleHold(hub, request, response)
  const by = demandPromotion(hub, response, { app, environment })
  return await liftHold(hub, { id, reason, by, dryRun })
}

/** Of one environment what became of its overlay; of a yank a list of those that changed. */
function maskJson({ yank, environment }: HeldBuild, published: Held['published']) {
  if (yank === 1) return publishedTogetherJson(published)
  return publishedJson(published.get(environment ?? '') ?? null)
}

/** The name of who may promote there: a hold says no in the same places as a promotion says yes. */
export function demandPromotion(
  hub: Pick<Hub, 'config'>,
  response: Response,
  { app, environment }: Pick<HeldBuild, 'app' | 'environment'>,
): string {
  const principal = principalOf(response)
  for (const name of bindingIn(hub, environment)) demand(principal, { to: 'promote', app, environment: name })
  return principal.name
}

/** The same as an answer, for what shows a way to do it. */
export function mayPromote(
  hub: Pick<Hub, 'config'>,
  principal: Principal,
  { app, environment }: Pick<HeldBuild, 'app' | 'environment'>,
): boolean {
  return bindingIn(hub, environment).every((name) =>
    may(principal, { to: 'promote', app, environment: name }),
  )
}

/** The environments that a hold in this one binds; null: in all. */
function bindingIn({ config }: Pick<Hub, 'config'>, environment: string | null): readonly string[] {
  return environment === null ? config.environments.map(({ name }) => name) : [environment]
}

async function sendHolds(
  hub: Hub,
  request: Request,
  response: Response,
  environment: string | null,
): Promise<void> {
  if (environment !== null) authorize(response, { to: 'see', app: null, environment })
  const state = query(request, 'state') ?? 'held'
  if (state !== 'held' && state !== 'lifted' && state !== 'all')
    throw new HubError('request.invalid', '?state= is held, lifted or all')
  const filter = {
    app: query(request, 'app'),
    environment,
    sight: sightOf(principalOf(response)),
    open: state === 'all' ? null : state === 'held',
  }
  sendPage(request, response, await hub.records.holds.list(filter, pageRequest(request)), holdJson)
}

/** @throws {HubError} `hold.unknown`, also for one of an app, or in an environment, that the asker may not see. */
async function visibleHold(hub: Hub, request: Request, response: Response): Promise<HeldBuild> {
  const principal = principalOf(response)
  const hold = await findHold(hub, parameter(request, 'hold'))
  if (
    bindingIn(hub, hold.environment).some((environment) =>
      may(principal, { to: 'see', app: hold.app, environment }),
    )
  )
    return hold
  throw new HubError('hold.unknown', `there is no hold ${JSON.stringify(hold.id)}`)
}
