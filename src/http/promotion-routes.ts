/** `/promotions`: asking for a build to be published in an environment. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { may, sightOf } from '../access/rights.ts'
import type { Principal } from '../access/rights.ts'
import { promote } from '../environments/promote.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { authorize, principalOf } from './auth.ts'
import { promotionJson, publishedJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

const bodySchema = z.strictObject({
  app: z.string(),
  build: z.int().min(1),
  environment: z.string(),
  /** Publish again what was withdrawn from there. */
  liftWithdrawal: z.boolean().default(false),
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
  const { app, build: number, environment, liftWithdrawal } = parseWith(bodySchema, request.body, 'the body')
  const { name: by } = authorize(response, { to: 'promote', environment })
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
