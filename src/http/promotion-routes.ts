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
import { promote } from '../environments/promote.ts'
import type { Promoted } from '../environments/promote.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { Page } from '../records/page.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { authorize, principalOf } from './auth.ts'
import type { Promotion } from './openapi/promotions.ts'
import { listedPromotionJson, promotionsJson, wholePromotionJson } from './promotion-json.ts'
import { approvalJson, promotionJson, publishedJson } from './representations.ts'
import { reasonField } from './reason.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

const member = z.strictObject({ app: z.string(), build: z.int().min(1) })

export const promotionSchema = z
  .strictObject({
    app: z.string().optional(),
    build: z.int().min(1).optional(),
    set: z
      .array(member)
      .min(2)
      .max(50)
      .refine(
        (members) => new Set(members.map(({ app }) => app)).size === members.length,
        'names an app twice',
      )
      .optional()
      .describe('A release set, in place of `app` and `build`: builds that go together or not at all.'),
    environment: z.string(),
    liftWithdrawal: z.boolean().default(false).describe('Publish again what was withdrawn from there.'),
    override: z
      .strictObject({ reason: reasonField })
      .nullable()
      .default(null)
      .describe('Skip the waiting in an emergency, where the policy lets one.'),
  })
  .refine(
    ({ app, build, set }) =>
      (set === undefined) === (app !== undefined) && (app !== undefined) === (build !== undefined),
    'name either an app and a build, or a set of both',
  )

export const approvalSchema = z.strictObject({ comment: reasonField.nullable().default(null) })
export const endSchema = z.strictObject({ reason: reasonField })

export function promotionRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/promotions', async (request, response) => {
    await answerPromotion(hub, request, response)
  })
  routes.get('/promotions', async (request, response) => {
    sendPage(request, response, await listedPromotions(hub, request, response), (item) => item)
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

/** Those that the asker sees, as the query narrows them. @throws {HubError} `request.invalid`. */
export async function listedPromotions(
  hub: Hub,
  request: Request,
  response: Response,
): Promise<Page<Promotion>> {
  const filter = {
    ...{ app: query(request, 'app'), environment: query(request, 'environment') },
    ...{ sight: sightOf(principalOf(response)), open: openOf(request) },
  }
  const page = await hub.records.promotions.list(filter, pageRequest(request))
  return { ...page, items: await promotionsJson(hub, page.items) }
}

/** @throws {HubError} `promotion.unknown`, also for one that the asker may not see. */
export async function visiblePromotion(
  hub: Hub,
  request: Request,
  response: Response,
): Promise<PromotionRow> {
  const principal = principalOf(response)
  const id = parameter(request, 'promotion')
  const promotion = await findPromotion(hub, id)
  if (may(principal, { to: 'see', ...placeOf(promotion) })) return promotion
  throw unknownPromotion(id)
}

/**
 * The promotion, and who asks, if they may decide on it: of a release set on each of its apps.
 * @throws {HubError} `promotion.unknown`; `auth.forbidden`.
 */
export async function decidable(hub: Hub, request: Request, response: Response, to: Deciding) {
  const promotion = await visiblePromotion(hub, request, response)
  const by = authorize(response, { to, ...placeOf(promotion) })
  for (const other of await hub.records.promotions.together(promotion))
    authorize(response, { to, ...placeOf(other) })
  return { id: promotion.id, by, dryRun: isDryRun(request) }
}

/** Whether they may, of one that they see. */
export async function mayDecide(
  { records }: Pick<Hub, 'records'>,
  principal: Principal,
  promotion: PromotionRow,
  to: Deciding,
): Promise<boolean> {
  const together = await records.promotions.together(promotion)
  return together.every((each) => may(principal, { to, ...placeOf(each) }))
}

type Deciding = 'approve' | 'promote'

function placeOf({ app, environment }: Pick<PromotionRow, 'app' | 'environment'>) {
  return { app, environment }
}

async function answerPromotion(hub: Hub, request: Request, response: Response): Promise<void> {
  const dryRun = isDryRun(request)
  const body = parseWith(promotionSchema, request.body, 'the body')
  const { promotions, published, isNew, verdict } = await askToPromote(hub, response, body, dryRun)
  const [promotion] = promotions
  if (!promotion) throw new Error('nothing was promoted')
  if (!dryRun && (isNew || verdict !== null)) {
    // 202: it was asked for and is not done.
    response.status(verdict === null ? 201 : 202)
    response.location(`${request.baseUrl}/promotions/${promotion.id}`)
  }
  const told =
    promotions.length === 1 ? await listedPromotionJson(hub, promotion) : promotionJson(promotion, promotions)
  const nowhere = { id: null, set: told.set?.map((each) => ({ ...each, id: null })) ?? null, dryRun }
  response.json({
    ...told,
    ...(dryRun ? nowhere : {}),
    published: publishedJson(published),
    rules: verdict?.rules ?? null,
  })
}

/**
 * Asks for what the body says, if the rights to are theirs.
 * @throws {HubError} as `promote`; `build.unknown`; `promotion.override_forbidden`.
 */
export async function askToPromote(
  hub: Hub,
  response: Response,
  body: z.infer<typeof promotionSchema>,
  dryRun = false,
): Promise<Promoted> {
  const { environment, liftWithdrawal, override } = body
  const wanted = body.set ?? [{ app: body.app ?? '', build: body.build ?? 0 }]
  const by = principalOf(response)
  for (const { app } of wanted) authorize(response, { to: 'promote', app, environment })
  if (override !== null) for (const { app } of wanted) await refuseOverride(hub, { app, environment }, by)
  const builds: BuildRow[] = []
  for (const { app, build } of wanted) builds.push(await findBuild(hub, app, build))
  const overrideReason = override?.reason ?? null
  const asked = { builds, environment, by, liftWithdrawal, overrideReason, dryRun }
  return await promote(hub, asked)
}

/** @throws {HubError} `build.unknown`. */
async function findBuild(hub: Hub, app: string, number: number): Promise<BuildRow> {
  const build = await hub.records.builds.find(app, number)
  if (build) return build
  throw new HubError(
    'build.unknown',
    `there is no build ${String(number)} of ${JSON.stringify(app.slice(0, 100))}`,
  )
}

function openOf(request: Request): boolean | null {
  const state = query(request, 'state') ?? 'all'
  if (state === 'open' || state === 'ended' || state === 'all')
    return state === 'all' ? null : state === 'open'
  throw new HubError('request.invalid', '?state= is open, ended or all')
}

/** Whether the policy that holds lets somebody skip the waiting. */
export async function mayOverride(
  hub: Pick<Hub, 'config' | 'records'>,
  place: { readonly app: string; readonly environment: string },
  principal: Principal,
): Promise<boolean> {
  const { roles } = (await currentPolicy(hub, place.environment)).policy.override
  return rolesIn(principal, place).some((role) => roles.some((allowed) => allowed === role))
}

/** The policy says who may skip the waiting. @throws {HubError} `promotion.override_forbidden`. */
async function refuseOverride(
  hub: Hub,
  place: { readonly app: string; readonly environment: string },
  principal: Principal,
): Promise<void> {
  const { environment } = overlayOf(hub, place.environment)
  if (await mayOverride(hub, place, principal)) return
  const { roles } = (await currentPolicy(hub, environment)).policy.override
  const who = roles.length === 0 ? 'nobody may' : `only the role ${roles.join(' or ')} may`
  throw new HubError('promotion.override_forbidden', `${who} skip the waiting in ${environment}`)
}
