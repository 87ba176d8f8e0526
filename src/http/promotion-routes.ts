/** `/promotions`: asking for a build to be published in an environment. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { may, sightOf } from '../access/rights.ts'
import type { Principal, Role } from '../access/rights.ts'
import { currentPolicy } from '../environments/environment-policy.ts'
import { promote } from '../environments/promote.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { authorize, principalOf } from './auth.ts'
import { promotionJson, publishedJson } from './representations.ts'
import { reasonField } from './reason.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

const bodySchema = z.strictObject({
  app: z.string(),
  build: z.int().min(1),
  environment: z.string(),
  /** Publish again what was withdrawn from there. */
  liftWithdrawal: z.boolean().default(false),
  /** Skip the waiting in an emergency. */
  override: z.strictObject({ reason: reasonField }).nullable().default(null),
})

export function promotionRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/promotions', async (request, response) => {
    await answerPromotion(hub, request, response)
  })
  routes.get('/promotions', async (request, response) => {
    const principal = principalOf(response)
    const environments = hub.config.environments
      .map(({ name }) => name)
      .filter((environment) => principal.role === 'uploader' || may(principal, { to: 'read', environment }))
    const page = await hub.records.promotions.list(
      { app: query(request, 'app'), apps: sightOf(principal).apps, environments },
      pageRequest(request),
    )
    sendPage(request, response, page, promotionJson)
  })
  routes.get('/promotions/:promotion', async (request, response) => {
    const principal = principalOf(response)
    const id = parameter(request, 'promotion')
    const promotion = await hub.records.promotions.find(id)
    if (!promotion || !maySee(principal, promotion)) {
      throw new HubError('promotion.unknown', `there is no promotion ${JSON.stringify(id.slice(0, 100))}`)
    }
    response.json(promotionJson(promotion))
  })
  return routes
}

async function answerPromotion(hub: Hub, request: Request, response: Response): Promise<void> {
  const body = parseWith(bodySchema, request.body, 'the body')
  const { app, build: number, environment, liftWithdrawal, override } = body
  const { name: by, role } = authorize(response, { to: 'promote', environment })
  if (override !== null) await refuseOverride(hub, environment, role)
  const build = await hub.records.builds.find(app, number)
  if (!build) {
    throw new HubError(
      'build.unknown',
      `there is no build ${String(number)} of ${JSON.stringify(app.slice(0, 100))}`,
    )
  }
  const dryRun = isDryRun(request)
  const { promotion, published, isNew } = await promote(hub, {
    build,
    environment,
    by,
    liftWithdrawal,
    overrideReason: override?.reason ?? null,
    dryRun,
  })
  if (isNew && !dryRun) response.status(201).location(`${request.baseUrl}/promotions/${promotion.id}`)
  response.json({
    ...promotionJson(promotion),
    ...(dryRun ? { id: null, dryRun } : {}),
    published: publishedJson(published),
  })
}

/** Those of an environment that one may read, and of apps that one uploads. */
function maySee(principal: Principal, { app, environment }: PromotionRow): boolean {
  if (principal.role === 'uploader') return may(principal, { to: 'upload', app })
  return may(principal, { to: 'read', environment })
}

/** The policy says who may skip the waiting. @throws {HubError} `promotion.override_forbidden`. */
async function refuseOverride(hub: Hub, environment: string, role: Role): Promise<void> {
  overlayOf(hub, environment)
  const { roles } = (await currentPolicy(hub, environment)).policy.override
  if (roles.some((allowed) => allowed === role)) return
  const who = roles.length === 0 ? 'nobody may' : `only tokens of the role ${roles.join(' or ')} may`
  throw new HubError('promotion.override_forbidden', `${who} skip the waiting in ${environment}`)
}
