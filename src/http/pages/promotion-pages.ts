/** `/promotions`: what is asked for in which environment, what it waits for, and the decisions on it. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { approvePromotion, cancelPromotion, rejectPromotion } from '../../environments/decide-promotion.ts'
import { isOpen } from '../../environments/promotion.ts'
import type { Hub } from '../../hub.ts'
import { promotionPage, promotionsPage } from '../../web/pages/promotion-page.ts'
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
import { parseWith, query } from '../request.ts'
import { answerPage, changeByForm, fieldsOf, nextPage, requireVisitor, visitorOf } from './frame.ts'
import type { Refusal } from './frame.ts'

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
  const approve = changeByForm(
    hub,
    async (request, response) => {
      const { id, by } = await decidable(hub, request, response, 'approve')
      const comment = fieldsOf(request)['comment'] ?? null
      const { comment: reason } = parseWith(approvalSchema, { comment }, 'the approval')
      await approvePromotion(hub, { id, by, reason, dryRun: false })
      return [addressOf(id), 'approved']
    },
    again,
  )
  routes.post('/promotions/:promotion/approve', ...approve)
  for (const [verb, decide, right, done] of [
    ['reject', rejectPromotion, 'approve', 'rejected'],
    ['cancel', cancelPromotion, 'promote', 'cancelled'],
  ] as const) {
    const end = changeByForm(
      hub,
      async (request, response) => {
        const { id, by } = await decidable(hub, request, response, right)
        const { reason } = parseWith(endSchema, { reason: fieldsOf(request)['reason'] ?? '' }, 'the form')
        await decide(hub, { id, by, reason, dryRun: false })
        return [addressOf(id), done]
      },
      again,
    )
    routes.post(`/promotions/:promotion/${verb}`, ...end)
  }
  return routes
}

async function answerPromotion(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  const row = await visiblePromotion(hub, request, response)
  const principal = principalOf(response)
  const csrf = visitorOf(response)?.csrf ?? ''
  // Who comes with a token has no form to send.
  const decides = isOpen(row) && csrf !== ''
  const content = promotionPage({
    promotion: await wholePromotionJson(hub, row),
    may: {
      approve: decides && (await mayDecide(hub, principal, row, 'approve')),
      cancel: decides && (await mayDecide(hub, principal, row, 'promote')),
    },
    csrf,
    now: hub.clock.now(),
  })
  const title = `${row.app} ${String(row.build)} → ${row.environment}`
  answerPage(request, response, { title, section: 'promotions', ...refused }, content)
}

function addressOf(id: string): string {
  return `/promotions/${id}`
}
