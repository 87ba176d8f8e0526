/** `/promotions`: asking for a build to be published in an environment. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { may, rolesIn, sightOf } from '../access/rights.ts'
import type { Principal } from '../access/rights.ts'
import { currentPolicy } from '../environments/environment-policy.ts'
import {
  approvePromotion,
  cancelPromotion,
  findPromotion,
  rejectPromotion,
  unknownPromotion,
} from '../environments/decide-promotion.ts'
import { judge } from '../environments/eligibility.ts'
import { promote } from '../environments/promote.ts'
import { isOpen, overrideOf } from '../environments/promotion.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { authorize, principalOf } from './auth.ts'
import { approvalJson, promotionJson, publishedJson } from './representations.ts'
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

const approvalSchema = z.strictObject({ comment: reasonField.nullable().default(null) })
const endSchema = z.strictObject({ reason: reasonField })

export function promotionRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/promotions', async (request, response) => {
    await answerPromotion(hub, request, response)
  })
  routes.get('/promotions', async (request, response) => {
    const filter = {
      ...{ app: query(request, 'app'), environment: query(request, 'environment') },
      ...{ sight: sightOf(principalOf(response)), open: openOf(request) },
    }
    const page = await hub.records.promotions.list(filter, pageRequest(request))
    sendPage(request, response, page, promotionJson)
  })
  routes.get('/promotions/:promotion', async (request, response) => {
    response.json(await wholePromotionJson(hub, await visiblePromotion(hub, request, response)))
  })
  routes.post('/promotions/:promotion/approve', async (request, response) => {
    const { id, by, dryRun } = await decidable(hub, request, response, 'approve')
    const { comment } = parseWith(approvalSchema, request.body ?? {}, 'the approval')
    const approval = await approvePromotion(hub, { id, by, reason: comment, dryRun })
    const promotion = await wholePromotionJson(hub, await findPromotion(hub, id))
    response.json({ ...promotion, approval: approvalJson(approval), ...(dryRun && { dryRun }) })
  })
  for (const [verb, decide, right] of [
    ['reject', rejectPromotion, 'approve'],
    ['cancel', cancelPromotion, 'promote'],
  ] as const)
    routes.post(`/promotions/:promotion/${verb}`, async (request, response) => {
      const { id, by, dryRun } = await decidable(hub, request, response, right)
      const { reason } = parseWith(endSchema, request.body, 'the body')
      const promotion = await decide(hub, { id, by, reason, dryRun })
      response.json({ ...(await wholePromotionJson(hub, promotion)), ...(dryRun && { dryRun }) })
    })
  return routes
}

/** @throws {HubError} `promotion.unknown`, also for one that the asker may not see. */
async function visiblePromotion(hub: Hub, request: Request, response: Response): Promise<PromotionRow> {
  const principal = principalOf(response)
  const id = parameter(request, 'promotion')
  const promotion = await findPromotion(hub, id)
  if (may(principal, { to: 'see', ...placeOf(promotion) })) return promotion
  throw unknownPromotion(id)
}

async function decidable(hub: Hub, request: Request, response: Response, to: 'approve' | 'promote') {
  const promotion = await visiblePromotion(hub, request, response)
  const by = authorize(response, { to, ...placeOf(promotion) })
  return { id: promotion.id, by, dryRun: isDryRun(request) }
}

function placeOf({ app, environment }: PromotionRow) {
  return { app, environment }
}

/** With who approved it, and, while it is open, the verdict that it waits for. */
async function wholePromotionJson(hub: Hub, promotion: PromotionRow) {
  const approvals = (await hub.records.approvals.of(promotion.id)).map(approvalJson)
  const build = isOpen(promotion) ? await hub.records.builds.find(promotion.app, promotion.build) : undefined
  const wish = { liftWithdrawal: promotion.liftWithdrawal === 1, override: overrideOf(promotion), promotion }
  const rules = build ? (await judge(hub, build, promotion.environment, wish)).rules : null
  return { ...promotionJson(promotion), approvals, rules }
}

async function answerPromotion(hub: Hub, request: Request, response: Response): Promise<void> {
  const body = parseWith(bodySchema, request.body, 'the body')
  const { app, build: number, environment, liftWithdrawal, override } = body
  const by = authorize(response, { to: 'promote', app, environment })
  if (override !== null) await refuseOverride(hub, { app, environment }, by)
  const build = await hub.records.builds.find(app, number)
  if (!build) {
    throw new HubError(
      'build.unknown',
      `there is no build ${String(number)} of ${JSON.stringify(app.slice(0, 100))}`,
    )
  }
  const dryRun = isDryRun(request)
  const { promotion, published, isNew, verdict } = await promote(hub, {
    build,
    environment,
    by,
    liftWithdrawal,
    overrideReason: override?.reason ?? null,
    dryRun,
  })
  if (!dryRun && (isNew || verdict !== null)) {
    // 202: it was asked for and is not done.
    response.status(verdict === null ? 201 : 202)
    response.location(`${request.baseUrl}/promotions/${promotion.id}`)
  }
  response.json({
    ...promotionJson(promotion),
    ...(dryRun ? { id: null, dryRun } : {}),
    published: publishedJson(published),
    rules: verdict?.rules ?? null,
  })
}

function openOf(request: Request): boolean | null {
  const state = query(request, 'state') ?? 'all'
  if (state === 'open' || state === 'ended' || state === 'all')
    return state === 'all' ? null : state === 'open'
  throw new HubError('request.invalid', '?state= is open, ended or all')
}

/** The policy says who may skip the waiting. @throws {HubError} `promotion.override_forbidden`. */
async function refuseOverride(
  hub: Hub,
  place: { readonly app: string; readonly environment: string },
  principal: Principal,
): Promise<void> {
  const { environment } = overlayOf(hub, place.environment)
  const { roles } = (await currentPolicy(hub, environment)).policy.override
  if (rolesIn(principal, place).some((role) => roles.some((allowed) => allowed === role))) return
  const who = roles.length === 0 ? 'nobody may' : `only the role ${roles.join(' or ')} may`
  throw new HubError('promotion.override_forbidden', `${who} skip the waiting in ${environment}`)
}
