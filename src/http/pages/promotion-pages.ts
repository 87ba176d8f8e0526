/** `/promotions`: what is asked for in which environment, what it waits for, and the decisions on it. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { approvePromotion, cancelPromotion, rejectPromotion } from '../../environments/decide-promotion.ts'
import { isOpen } from '../../environments/promotion.ts'
import type { Hub } from '../../hub.ts'
import type { PromotionRow } from '../../records/promotions.ts'
import { promotionPage, promotionsPage } from '../../web/pages/promotion-page.ts'
import type { Decisions } from '../../web/pages/promotion-page.ts'
import { principalOf } from '../auth.ts'
import { wholePromotionJson } from '../promotion-json.ts'
import {
  approvalSchema,
  decidable,
  endSchema,
  listedPromotions,
  mayDecide,
  visiblePromotion,
} from '../promotion-routes.ts'
import { parameter, parseWith, query } from '../request.ts'
import { answerPage, changeByForm, fieldsOf, nextPage, requireVisitor, visitorOf } from './frame.ts'
import type { Done, Refusal } from './frame.ts'

export function promotionPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/promotions', requireVisitor, async (request, response) => {
    const { items, nextCursor } = await listedPromotions(hub, request, response)
    const content = promotionsPage({
      promotions: items,
      next: nextPage(request, nextCursor),
      filter: {
        state: query(request, 'state') ?? 'all',
        app: query(request, 'app') ?? '',
        environment: query(request, 'environment') ?? '',
      },
      environments: hub.config.environments.map(({ name }) => name),
      address: request.originalUrl,
      hubUrl: hub.config.publicUrl,
      now: hub.clock.now(),
    })
    answerPage(request, response, { title: 'Promotions', section: 'promotions' }, content)
  })
  routes.get('/promotions/:promotion', requireVisitor, async (request, response) => {
    await answerPromotion(hub, request, response)
  })
  const again = async (request: Request, response: Response, refused: Refusal) => {
    await answerPromotion(hub, request, response, refused)
  }
  for (const verb of DECIDING_VERBS)
    routes.post(
      `/promotions/:promotion/${verb}`,
      ...changeByForm(
        hub,
        async (request, response) => {
          const done = await decideByForm(hub, verb, request, response)
          return [`/promotions/${parameter(request, 'promotion')}`, done]
        },
        again,
      ),
    )
  return routes
}

async function answerPromotion(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  const row = await visiblePromotion(hub, request, response)
  const content = promotionPage({
    promotion: await wholePromotionJson(hub, row),
    may: await decisionsOn(hub, response, row),
    csrf: visitorOf(response)?.csrf ?? '',
    now: hub.clock.now(),
  })
  const title = `${row.app} ${String(row.build)} → ${row.environment}`
  answerPage(request, response, { title, section: 'promotions', ...refused }, content)
}

export const DECIDING_VERBS = ['approve', 'reject', 'cancel'] as const
export type DecidingVerb = (typeof DECIDING_VERBS)[number]

/** Decides on the promotion of the path as a form says. @throws as `decidable` and the verb. */
export async function decideByForm(
  hub: Hub,
  verb: DecidingVerb,
  request: Request,
  response: Response,
): Promise<Done> {
  const { comment = null, reason: given = '' } = fieldsOf(request)
  const { id, by } = await decidable(hub, request, response, verb === 'cancel' ? 'promote' : 'approve')
  if (verb === 'approve') {
    const { comment: reason } = parseWith(approvalSchema, { comment }, 'the approval')
    await approvePromotion(hub, { id, by, reason, dryRun: false })
    return 'approved'
  }
  const { reason } = parseWith(endSchema, { reason: given }, 'the form')
  await (verb === 'reject' ? rejectPromotion : cancelPromotion)(hub, { id, by, reason, dryRun: false })
  return verb === 'reject' ? 'rejected' : 'cancelled'
}

/** What they may say of it in a form now. Who comes with a token has none to send. */
export async function decisionsOn(
  hub: Pick<Hub, 'records'>,
  response: Response,
  promotion: PromotionRow,
): Promise<Decisions> {
  const decides = isOpen(promotion) && (visitorOf(response)?.csrf ?? '') !== ''
  const principal = principalOf(response)
  return {
    approve: decides && (await mayDecide(hub, principal, promotion, 'approve')),
    cancel: decides && (await mayDecide(hub, principal, promotion, 'promote')),
  }
}
