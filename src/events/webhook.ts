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

/** A disabled webhook misses what happens meanwhile; what waited for it waits on. */
export async function enableWebhook(
  hub: Pick<Hub, 'records' | 'clock'>,
  { id, enabled, dryRun }: { readonly id: string; readonly enabled: boolean; readonly dryRun: boolean },
): Promise<WebhookRow> {
  const webhook = await findWebhook(hub, id)
  const changed = { ...webhook, enabled: enabled ? 1 : 0 }
  if (dryRun || changed.enabled === webhook.enabled) return changed
  return await hub.records.transaction(async (records) => {
    const told = { before: { enabled: !enabled }, after: { enabled } }
    const { seq } = await recordWebhook(hub, records, 'webhook.changed', webhook, told)
    const row = { ...changed, afterSeq: enabled ? seq : webhook.afterSeq }
    if (enabled) await startQueue(records, seq)
    await records.webhooks.update(id, row)
    return row
  })
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
  const delivery = await hub.records.webhooks.findDelivery(webhook.id, wanted.delivery)
  if (!delivery) {
    const text = JSON.stringify(wanted.delivery.slice(0, 100))
    throw new HubError('webhook.unknown_delivery', `the webhook ${webhook.id} has no delivery ${text}`)
  }
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
