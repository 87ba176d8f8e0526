/** `/webhooks`: where the hub sends its events to. For administrators. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { CHANGES } from '../audit/changes.ts'
import type { ChangeType } from '../audit/changes.ts'
import { HubError } from '../errors.ts'
import { addressOf, isMailAddress } from '../events/mail-address.ts'
import { WEBHOOK_FORMATS } from '../events/webhook-body.ts'
import type { WebhookFormat } from '../events/webhook-body.ts'
import {
  changeWebhook,
  createWebhook,
  findWebhook,
  removeWebhook,
  replayDelivery,
} from '../events/webhook.ts'
import { parseAppName } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { DeliveryRow, DeliveryState, WebhookRow } from '../records/webhooks.ts'
import { authorize } from './auth.ts'
import {
  isDryRun,
  numberedPageRequest,
  pageRequest,
  parameter,
  parseWith,
  query,
  sendPage,
} from './request.ts'
import type { Delivery, Webhook } from './openapi/webhooks.ts'

const httpAddress = z
  .url({ protocol: /^https?$/, error: 'an http or https address, or mailto: and an e-mail address' })
  .max(2000)
  .refine((url) => !/[\s#]/.test(url) && !hasName(url), 'without a name, a password or a fragment')

const mailAddress = z.email('an e-mail address').max(254)

const types = z
  .array(z.enum(Object.keys(CHANGES) as [ChangeType, ...ChangeType[]]))
  .min(1)
  .nullable()

export const webhookSchema = z.strictObject({
  url: z
    .string()
    .superRefine((url, context) => {
      const { error } = isMailAddress(url)
        ? mailAddress.safeParse(addressOf(url))
        : httpAddress.safeParse(url)
      for (const { message } of error?.issues ?? []) context.addIssue(message)
    })
    .describe('http or https; or mailto: with one e-mail address.'),
  format: z.enum(WEBHOOK_FORMATS).optional().describe('Left out: `json`; `email` goes with mailto:.'),
  types: types.default(null).describe('null: all but those of administration.'),
  app: z.string().nullable().default(null),
  environment: z.string().nullable().default(null),
})

export const webhookChangeSchema = z.strictObject({
  enabled: z.boolean().optional(),
  types: types.optional().describe('null: all but those of administration.'),
  app: z.string().nullable().optional().describe('null: all.'),
  environment: z.string().nullable().optional().describe('null: all.'),
})

export function webhookRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/webhooks', async (request, response) => {
    const dryRun = isDryRun(request)
    const { webhook, secret } = await createAskedWebhook(hub, response, request.body, dryRun)
    if (!dryRun) response.status(201).location(`${request.baseUrl}/webhooks/${webhook.id}`)
    response.json({ ...webhookJson(webhook), ...(dryRun ? { id: null, dryRun } : { secret }) })
  })
  routes.get('/webhooks', async (request, response) => {
    authorize(response, { to: 'administer' })
    sendPage(request, response, await hub.records.webhooks.list(pageRequest(request)), webhookJson)
  })
  routes.get('/webhooks/:webhook', async (request, response) => {
    authorize(response, { to: 'administer' })
    response.json(webhookJson(await findWebhook(hub, parameter(request, 'webhook'))))
  })
  routes.patch('/webhooks/:webhook', async (request, response) => {
    const dryRun = isDryRun(request)
    const webhook = await changeAskedWebhook(hub, request, response, request.body, dryRun)
    response.json({ ...webhookJson(webhook), ...(dryRun && { dryRun }) })
  })
  routes.delete('/webhooks/:webhook', async (request, response) => {
    authorize(response, { to: 'administer' })
    const dryRun = isDryRun(request)
    const webhook = await removeWebhook(hub, { id: parameter(request, 'webhook'), dryRun })
    response.json({ ...webhookJson(webhook), ...(dryRun && { dryRun }) })
  })
  routes.get('/webhooks/:webhook/deliveries', async (request, response) => {
    authorize(response, { to: 'administer' })
    const { id } = await findWebhook(hub, parameter(request, 'webhook'))
    const page = numberedPageRequest(request)
    const found = await hub.records.webhooks.listDeliveries(id, deliveryStateOf(request), page)
    sendPage(request, response, found, deliveryJson)
  })
  routes.post('/webhooks/:webhook/deliveries/:delivery/replay', async (request, response) => {
    authorize(response, { to: 'administer' })
    const dryRun = isDryRun(request)
    const wanted = {
      webhook: parameter(request, 'webhook'),
      delivery: parameter(request, 'delivery'),
      dryRun,
    }
    response.json({ ...deliveryJson(await replayDelivery(hub, wanted)), ...(dryRun && { dryRun }) })
  })
  return routes
}

/** Makes the webhook that `given` describes, in the words of `webhookSchema`; API and pages alike. */
export async function createAskedWebhook(hub: Hub, response: Response, given: unknown, dryRun: boolean) {
  const { name: by } = authorize(response, { to: 'administer' })
  const body = parseWith(webhookSchema, given, 'the webhook')
  checkPlace(hub, body)
  return await createWebhook(hub, { ...body, format: formatOf(body), by, dryRun })
}

/** Changes the webhook of the path as `given` says, in the words of `webhookChangeSchema`. */
export async function changeAskedWebhook(
  hub: Hub,
  request: Request,
  response: Response,
  given: unknown,
  dryRun: boolean,
): Promise<WebhookRow> {
  authorize(response, { to: 'administer' })
  const { enabled, types, app, environment } = parseWith(webhookChangeSchema, given, 'the change')
  checkPlace(hub, { app: app ?? null, environment: environment ?? null })
  const change = {
    ...(enabled !== undefined && { enabled }),
    ...(types !== undefined && { types }),
    ...(app !== undefined && { app }),
    ...(environment !== undefined && { environment }),
  }
  return await changeWebhook(hub, { id: parameter(request, 'webhook'), change, dryRun })
}

function checkPlace(hub: Hub, { app, environment }: Pick<WebhookRow, 'app' | 'environment'>): void {
  if (environment !== null) overlayOf(hub, environment)
  if (app !== null) parseAppName(app)
}

/** Never its secret: that was told when it was made. */
export function webhookJson({ types, enabled, afterSeq: _afterSeq, ...row }: WebhookRow): Webhook {
  return {
    ...row,
    types: types === null ? null : (JSON.parse(types) as readonly ChangeType[]),
    enabled: enabled === 1,
  }
}

export function deliveryJson({ seq, type, ...row }: DeliveryRow): Delivery {
  return { ...row, event: { seq, type: type as ChangeType } }
}

/** @throws {HubError} `request.invalid`. */
function formatOf({ url, format }: z.infer<typeof webhookSchema>): WebhookFormat {
  const wanted = format ?? (isMailAddress(url) ? 'email' : 'json')
  if ((wanted === 'email') === isMailAddress(url)) return wanted
  throw new HubError(
    'request.invalid',
    'the format "email" goes with a mailto: address, and that with no other',
  )
}

function hasName(url: string): boolean {
  const { username = '', password = '' } = URL.parse(url) ?? {}
  return username !== '' || password !== ''
}

/** What `?state=` says. @throws {HubError} `request.invalid`. */
export function deliveryStateOf(request: Request): DeliveryState | null {
  const state = query(request, 'state')
  if (state === null || state === 'waiting' || state === 'delivered' || state === 'dead') return state
  throw new HubError('request.invalid', '?state= is waiting, delivered or dead')
}
