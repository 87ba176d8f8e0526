/** Webhooks: made, enabled, disabled and removed by administrators; each change is in the audit, without where its URL leads. */
import { isIP } from 'node:net'
import { recordChange } from '../audit/record-change.ts'
import type { ChangeType } from '../audit/changes.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { addressRule, ForbiddenAddress } from '../outside-address.ts'
import type { AuditRow } from '../records/audit.ts'
import type { Records } from '../records/records.ts'
import type { DeliveryRow, WebhookRow } from '../records/webhooks.ts'
import { startQueue } from './deliver-event.ts'
import { isMailAddress, NO_MAIL } from './mail-address.ts'
import { refusalOfAddress } from './post-webhook.ts'
import type { WebhookFormat } from './webhook-body.ts'
import { webhookSecret } from './webhook-secret.ts'

export interface NewWebhook {
  readonly url: string
  readonly format: WebhookFormat
  readonly types: readonly ChangeType[] | null
  readonly app: string | null
  readonly environment: string | null
  readonly by: string
  readonly dryRun: boolean
}

type Needs = Pick<Hub, 'records' | 'clock' | 'config' | 'webhookKey'>

/**
 * Makes a webhook for what comes from now on. `secret` is told this once; null for mails, which nobody checks by one.
 * @throws {HubError} `webhook.forbidden_address`, `webhook.no_mail`.
 */
export async function createWebhook(
  hub: Needs,
  wanted: NewWebhook,
): Promise<{ readonly webhook: WebhookRow; readonly secret: string | null }> {
  refuseAddress(hub.config, wanted.url)
  const now = hub.clock.now()
  const { url, format, types, app, environment, by, dryRun } = wanted
  const draft: WebhookRow = {
    ...{ id: newId('whk', now), url, format, types: types && JSON.stringify(types), app, environment },
    ...{ enabled: 1, afterSeq: 0, createdBy: by, createdAt: timestamp(now) },
  }
  const secret = format === 'email' ? null : webhookSecret(hub.webhookKey, draft.id)
  if (dryRun) return { webhook: draft, secret }
  const webhook = await hub.records.transaction(async (records) => {
    const { seq } = await recordWebhook(hub, records, 'webhook.created', draft, { after: factsOf(draft) })
    const row = { ...draft, afterSeq: seq }
    await startQueue(records, seq)
    await records.webhooks.add(row)
    return row
  })
  return { webhook, secret }
}

/** What a host name stands for is judged at each delivery. */
function refuseAddress({ webhookAllow, smtpUrl }: Hub['config'], url: string): void {
  if (isMailAddress(url)) {
    if (smtpUrl === null) throw new HubError('webhook.no_mail', `${NO_MAIL}; ask its operator`)
    return
  }
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) === 0 || addressRule(webhookAllow)(host)) return
  throw new HubError('webhook.forbidden_address', refusalOfAddress(new ForbiddenAddress(host)))
}

export interface WebhookChange {
  readonly enabled?: boolean
  readonly types?: readonly ChangeType[] | null
  readonly app?: string | null
  readonly environment?: string | null
}

/**
 * Changes what is given. A disabled webhook misses what happens meanwhile; what waited for it waits on. Nothing that is so
 * already is changed or told.
 */
export async function changeWebhook(
  hub: Pick<Hub, 'records' | 'clock'>,
  { id, change, dryRun }: { readonly id: string; readonly change: WebhookChange; readonly dryRun: boolean },
): Promise<WebhookRow> {
  const webhook = await findWebhook(hub, id)
  const { enabled, types, app, environment } = change
  const changed: WebhookRow = {
    ...webhook,
    ...(enabled !== undefined && { enabled: enabled ? 1 : 0 }),
    ...(types !== undefined && { types: types && JSON.stringify(types) }),
    ...(app !== undefined && { app }),
    ...(environment !== undefined && { environment }),
  }
  const told = differenceOf(webhook, changed)
  if (dryRun || told === null) return changed
  const isEnabledNow = changed.enabled === 1 && webhook.enabled === 0
  return await hub.records.transaction(async (records) => {
    const { seq } = await recordWebhook(hub, records, 'webhook.changed', changed, told)
    const row = { ...changed, afterSeq: isEnabledNow ? seq : webhook.afterSeq }
    if (isEnabledNow) await startQueue(records, seq)
    await records.webhooks.update(id, row)
    return row
  })
}

/** What of a webhook may change and did, before and after; null: nothing. */
function differenceOf(before: WebhookRow, after: WebhookRow) {
  const valuesOf = ({ enabled, types, app, environment }: WebhookRow) => ({
    enabled: enabled === 1,
    types: types === null ? null : (JSON.parse(types) as unknown),
    app,
    environment,
  })
  const [was, is] = [valuesOf(before), valuesOf(after)]
  const names = (Object.keys(was) as (keyof typeof was)[]).filter(
    (name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]),
  )
  if (names.length === 0) return null
  const only = (values: typeof was) => Object.fromEntries(names.map((name) => [name, values[name]]))
  return { before: only(was), after: only(is) }
}

/** Removes it with all of its deliveries. */
export async function removeWebhook(
  hub: Pick<Hub, 'records' | 'clock'>,
  { id, dryRun }: { readonly id: string; readonly dryRun: boolean },
): Promise<WebhookRow> {
  const webhook = await findWebhook(hub, id)
  if (!dryRun)
    await hub.records.transaction(async (records) => {
      await records.webhooks.remove(id)
      await recordWebhook(hub, records, 'webhook.removed', webhook, { before: factsOf(webhook) })
    })
  return webhook
}

/** Delivers it again, now, whatever became of it before, with all attempts ahead. */
export async function replayDelivery(
  hub: Pick<Hub, 'records' | 'clock'>,
  wanted: { readonly webhook: string; readonly delivery: string; readonly dryRun: boolean },
): Promise<DeliveryRow> {
  const webhook = await findWebhook(hub, wanted.webhook)
  const delivery = await findDelivery(hub, webhook.id, wanted.delivery)
  const again = { state: 'waiting', attempts: 0, nextAt: timestamp(hub.clock.now()) } as const
  if (!wanted.dryRun)
    await hub.records.transaction(async (records) => {
      await records.webhooks.updateDelivery(delivery.id, again)
      const { id, seq, type, state } = delivery
      await recordWebhook(hub, records, 'webhook.replayed', webhook, {
        ...{ before: { state }, after: { delivery: id, seq, type } },
      })
    })
  return { ...delivery, ...again }
}

/** @throws {HubError} `webhook.unknown_delivery`. */
export async function findDelivery(
  { records }: Pick<Hub, 'records'>,
  webhook: string,
  id: string,
): Promise<DeliveryRow> {
  const delivery = await records.webhooks.findDelivery(webhook, id)
  if (delivery) return delivery
  const text = JSON.stringify(id.slice(0, 100))
  throw new HubError('webhook.unknown_delivery', `the webhook ${webhook} has no delivery ${text}`)
}

/** @throws {HubError} `webhook.unknown`. */
export async function findWebhook({ records }: Pick<Hub, 'records'>, id: string): Promise<WebhookRow> {
  const webhook = await records.webhooks.find(id)
  if (webhook) return webhook
  throw new HubError('webhook.unknown', `there is no webhook ${JSON.stringify(id.slice(0, 100))}`)
}

async function recordWebhook(
  hub: Pick<Hub, 'clock'>,
  records: Records,
  type: Extract<ChangeType, `webhook.${string}`>,
  { id, app, environment }: WebhookRow,
  told: { readonly before?: Record<string, unknown>; readonly after?: Record<string, unknown> },
): Promise<AuditRow> {
  return await recordChange(records, hub.clock, { type, subject: id, app, environment, ...told })
}

/** The path of a URL is often the receiver's secret; an e-mail address is none. */
function factsOf({ url, format, types, enabled }: WebhookRow) {
  const named = types === null ? null : (JSON.parse(types) as unknown)
  return {
    origin: isMailAddress(url) ? url : new URL(url).origin,
    format,
    types: named,
    enabled: enabled === 1,
  }
}
