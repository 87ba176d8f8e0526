/**
 * From the audit to the receivers: each event becomes a row for each webhook that wants it, once, and each row is tried until
 * it is taken or given up. At least once: an answer that is lost is no answer.
 */
import { timestamp, unixSeconds } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { addressRule, guardedLookup } from '../outside-address.ts'
import type { AuditRow } from '../records/audit.ts'
import type { Records } from '../records/records.ts'
import type { DeliveryRow, WebhookRow } from '../records/webhooks.ts'
import { HUB_VERSION } from '../version.ts'
import { eventOf } from './event.ts'
import { mailOf } from './mail.ts'
import { addressOf, NO_MAIL } from './mail-address.ts'
import { postWebhook } from './post-webhook.ts'
import type { Outcome } from './post-webhook.ts'
import { sendMail } from './send-mail.ts'
import { isAdministration } from './visibility.ts'
import { tell, webhookBody } from './webhook-body.ts'
import type { BodyFormat, ToldEvent } from './webhook-body.ts'
import { signatureHeaders, webhookSecret } from './webhook-secret.ts'

/** Seconds from each failed attempt to the next; after the last it is given up. About two days in all. */
export const RETRY_AFTER_SEC = [10, 60, 300, 1800, 7200, 21_600, 43_200, 86_400] as const
/** Up to a quarter more is left to chance, so that a receiver that was away does not get everything at once. */
const JITTER = 0.25
const EVENTS_AT_ONCE = 200

/** Queues what happened since the last time; true: there is more. One transaction: nothing is lost or queued twice. */
export async function queueDeliveries({ records, clock }: Pick<Hub, 'records' | 'clock'>): Promise<boolean> {
  // Where nobody listens the queue stands still, and no change is followed by a second write: `startQueue` moves it on.
  if ((await records.webhooks.enabled()).length === 0) return false
  const { seq: head } = await records.audit.head()
  // Without this every look would take the one writer.
  if ((await records.webhooks.queuedUpTo()) >= head) return false
  return await records.transaction(async ({ audit, webhooks }) => {
    const rows = await audit.after(await webhooks.queuedUpTo(), EVENTS_AT_ONCE)
    const enabled = await webhooks.enabled()
    for (const row of rows)
      for (const webhook of enabled)
        if (wants(webhook, row)) await webhooks.addDelivery(newDelivery(clock.now(), webhook, row))
    const last = rows.at(-1)
    if (last) await webhooks.setQueuedUpTo(last.seq)
    return rows.length === EVENTS_AT_ONCE
  })
}

/** Belongs into the transaction that enables a webhook, before it does: what was before `seq` is for nobody then. */
export async function startQueue({ webhooks }: Pick<Records, 'webhooks'>, seq: number): Promise<void> {
  if ((await webhooks.enabled()).length === 0) await webhooks.setQueuedUpTo(seq)
}

function wants(webhook: WebhookRow, row: AuditRow): boolean {
  const types = webhook.types === null ? null : (JSON.parse(webhook.types) as readonly string[])
  const isHoldEverywhere = row.environment === null && row.type.startsWith('hold.')
  return (
    row.seq > webhook.afterSeq &&
    (types === null ? !isAdministration(row.type) : types.includes(row.type)) &&
    (webhook.app === null || webhook.app === row.app) &&
    (webhook.environment === null || webhook.environment === row.environment || isHoldEverywhere)
  )
}

function newDelivery(now: Date, { id: webhook }: WebhookRow, { seq, type }: AuditRow): DeliveryRow {
  const at = timestamp(now)
  return {
    ...{
      id: newId('whd', now),
      webhook,
      seq,
      type,
      state: 'waiting',
      attempts: 0,
      createdAt: at,
      nextAt: at,
    },
    ...{ lastAt: null, lastStatus: null, lastError: null },
  }
}

type Needs = Pick<Hub, 'records' | 'clock' | 'config' | 'webhookKey' | 'log'>

/**
 * Tries a delivery once, and records how that ended. Given up by the signal it counts for nothing, and is tried again by
 * the next start.
 * @param chance from 0 to 1.
 */
export async function attemptDelivery(
  hub: Needs,
  delivery: DeliveryRow,
  signal: AbortSignal,
  chance: () => number = Math.random,
): Promise<void> {
  const webhook = await hub.records.webhooks.find(delivery.webhook)
  const [row] = await hub.records.audit.after(delivery.seq - 1, 1)
  if (!webhook || !row) return
  const event = await tell(hub, eventOf(row))
  const {
    status,
    error,
    isFinal = false,
  } = webhook.format === 'email'
    ? await mailEvent(hub, { webhook, delivery, event, signal })
    : await postEvent(hub, { webhook, format: webhook.format, delivery, event, signal })
  const now = hub.clock.now()
  const attempts = delivery.attempts + 1
  const nextAt = error === null || isFinal ? null : nextAttempt(now, attempts, chance())
  const state = error === null ? 'delivered' : nextAt === null ? 'dead' : 'waiting'
  const end = { lastAt: timestamp(now), lastStatus: status, lastError: error }
  await hub.records.webhooks.updateDelivery(delivery.id, { state, attempts, nextAt, ...end })
  if (state === 'dead')
    hub.log.warn(
      { webhook: webhook.id, delivery: delivery.id, status },
      'a delivery to a webhook was given up',
    )
}

/** What is sent of a delivery as things are now, for people to read; null: its event is not there any more. */
export async function textOfDelivery(
  hub: Pick<Hub, 'records' | 'config' | 'clock'>,
  { format }: WebhookRow,
  delivery: DeliveryRow,
): Promise<string | null> {
  const [row] = await hub.records.audit.after(delivery.seq - 1, 1)
  if (row?.seq !== delivery.seq) return null
  const event = await tell(hub, eventOf(row))
  if (format !== 'email')
    return JSON.stringify(JSON.parse(webhookBody(format, event, hub.config.publicUrl)), null, 2)
  const { subject, text } = mailOf(event, delivery, hub.config.publicUrl)
  return `Subject: ${subject}\n\n${text}`
}

interface Attempt {
  readonly webhook: WebhookRow
  readonly delivery: DeliveryRow
  readonly event: ToldEvent
  readonly signal: AbortSignal
}

async function postEvent(
  hub: Needs,
  { webhook, format, delivery, event, signal }: Attempt & { readonly format: BodyFormat },
): Promise<Outcome> {
  const body = webhookBody(format, event, hub.config.publicUrl)
  const secret = webhookSecret(hub.webhookKey, webhook.id)
  const signed = { id: delivery.id, timestampSec: unixSeconds(hub.clock.now()), body }
  const headers = {
    'Content-Type': 'application/json',
    'User-Agent': `portage-hub/${HUB_VERSION}`,
    ...signatureHeaders(secret, signed),
  }
  const isAllowed = addressRule(hub.config.webhookAllow)
  const way = { isAllowed, lookup: guardedLookup(isAllowed), signal }
  return await postWebhook(webhook.url, { headers, body }, way)
}

async function mailEvent(hub: Needs, { webhook, delivery, event, signal }: Attempt): Promise<Outcome> {
  const { smtpUrl: url, smtpTls: tls, mailFrom: from, publicUrl } = hub.config
  if (url === null || from === null) return { status: null, error: NO_MAIL }
  const to = addressOf(webhook.url)
  return await sendMail({ url, tls }, { from, to }, mailOf(event, delivery, publicUrl), { signal })
}

/** Null after the last attempt. */
function nextAttempt(now: Date, attempts: number, chance: number): string | null {
  const pauseSec = RETRY_AFTER_SEC[attempts - 1]
  if (pauseSec === undefined) return null
  return timestamp(new Date(now.getTime() + Math.ceil(pauseSec * (1 + JITTER * chance)) * 1000))
}
