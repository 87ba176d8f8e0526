/** `/webhooks`: who is told of what happens, and what became of it. For administrators. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { textOfDelivery } from '../../events/deliver-event.ts'
import { findDelivery, findWebhook, removeWebhook, replayDelivery } from '../../events/webhook.ts'
import type { Hub } from '../../hub.ts'
import { deliveryPage, madeWebhookPage, webhookPage, webhooksPage } from '../../web/pages/webhook-page.ts'
import { authorize } from '../auth.ts'
import { numberedPageRequest, pageRequest, parameter } from '../request.ts'
import {
  changeAskedWebhook,
  createAskedWebhook,
  deliveryJson,
  deliveryStateOf,
  webhookJson,
} from '../webhook-routes.ts'
import {
  answerPage,
  changeByForm,
  fieldsOf,
  nextPage,
  orShowAgain,
  readForm,
  requireVisitor,
  visitorOf,
} from './frame.ts'
import type { Refusal } from './frame.ts'

const DELIVERIES_PER_PAGE = 25

export function webhookPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/webhooks', requireVisitor, async (request, response) => {
    await answerWebhooks(hub, request, response)
  })
  routes.post('/webhooks', requireVisitor, readForm(hub), async (request: Request, response: Response) => {
    await orShowAgain(
      async () => {
        const { url, format } = fieldsOf(request)
        const wanted = { url: url ?? '', format, ...wishOfForm(request) }
        const { webhook, secret } = await createAskedWebhook(hub, response, wanted, false)
        const content = madeWebhookPage(webhookJson(webhook), secret)
        answerPage(request, response, { title: 'A new webhook', section: 'webhooks', status: 201 }, content)
      },
      async (refused) => {
        await answerWebhooks(hub, request, response, refused)
      },
    )
  })
  routes.get('/webhooks/:webhook', requireVisitor, async (request, response) => {
    await answerWebhook(hub, request, response)
  })
  routes.get('/webhooks/:webhook/deliveries/:delivery', requireVisitor, async (request, response) => {
    authorize(response, { to: 'administer' })
    const webhook = await findWebhook(hub, parameter(request, 'webhook'))
    const delivery = await findDelivery(hub, webhook.id, parameter(request, 'delivery'))
    const content = deliveryPage({
      webhook: webhookJson(webhook),
      delivery: deliveryJson(delivery),
      body: await textOfDelivery(hub, webhook, delivery),
      csrf: visitorOf(response)?.csrf ?? '',
      now: hub.clock.now(),
    })
    answerPage(request, response, { title: delivery.type, section: 'webhooks' }, content)
  })
  addChanges(hub, routes)
  return routes
}

function addChanges(hub: Hub, routes: Router): void {
  const again = async (request: Request, response: Response, refused: Refusal) => {
    await answerWebhook(hub, request, response, refused)
  }
  const changeTo = (what: (request: Request) => object) =>
    changeByForm(
      hub,
      async (request, response) => {
        await changeAskedWebhook(hub, request, response, what(request), false)
        return [pathOf(request), 'changed']
      },
      again,
    )
  routes.post('/webhooks/:webhook/pause', ...changeTo(() => ({ enabled: false })))
  routes.post('/webhooks/:webhook/resume', ...changeTo(() => ({ enabled: true })))
  routes.post('/webhooks/:webhook/change', ...changeTo(wishOfForm))
  const remove = changeByForm(
    hub,
    async (request, response) => {
      authorize(response, { to: 'administer' })
      await removeWebhook(hub, { id: parameter(request, 'webhook'), dryRun: false })
      return ['/webhooks', 'removed']
    },
    again,
  )
  routes.post('/webhooks/:webhook/delete', ...remove)
  const replay = changeByForm(
    hub,
    async (request, response) => {
      authorize(response, { to: 'administer' })
      const [webhook, delivery] = [parameter(request, 'webhook'), parameter(request, 'delivery')]
      await replayDelivery(hub, { webhook, delivery, dryRun: false })
      return [pathOf(request), 'sent']
    },
    again,
  )
  routes.post('/webhooks/:webhook/deliveries/:delivery/replay', ...replay)
}

async function answerWebhooks(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  authorize(response, { to: 'administer' })
  const { items, nextCursor } = await hub.records.webhooks.list(pageRequest(request))
  const webhooks = await Promise.all(
    items.map(async (row) => {
      const { items: newest } = await hub.records.webhooks.listDeliveries(row.id, null, {
        limit: 1,
        cursor: null,
      })
      return { webhook: webhookJson(row), newest: newest[0] ? deliveryJson(newest[0]) : null }
    }),
  )
  const content = webhooksPage({
    ...{ webhooks, next: nextPage(request, nextCursor) },
    environments: hub.config.environments.map(({ name }) => name),
    mails: hub.config.smtpUrl !== null,
    csrf: visitorOf(response)?.csrf ?? '',
    now: hub.clock.now(),
  })
  answerPage(request, response, { title: 'Webhooks', section: 'webhooks', ...refused }, content)
}

async function answerWebhook(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  authorize(response, { to: 'administer' })
  const row = await findWebhook(hub, parameter(request, 'webhook'))
  const state = deliveryStateOf(request)
  const page = await hub.records.webhooks.listDeliveries(
    row.id,
    state,
    numberedPageRequest(request, DELIVERIES_PER_PAGE, 100),
  )
  const content = webhookPage({
    webhook: webhookJson(row),
    deliveries: page.items.map(deliveryJson),
    next: nextPage(request, page.nextCursor),
    filter: state ?? '',
    environments: hub.config.environments.map(({ name }) => name),
    csrf: visitorOf(response)?.csrf ?? '',
    now: hub.clock.now(),
  })
  answerPage(request, response, { title: 'Webhook', section: 'webhooks', ...refused }, content)
}

/** The fields of what it is sent, as the API has them: what is not ticked or named is everything. */
function wishOfForm(request: Request) {
  const { app, environment } = fieldsOf(request)
  const ticked = [(request.body as Readonly<Record<string, unknown>>)['types'] ?? []].flat()
  return { types: ticked.length === 0 ? null : ticked, app: app ?? null, environment: environment ?? null }
}

function pathOf(request: Request): string {
  return `/webhooks/${encodeURIComponent(parameter(request, 'webhook'))}`
}
