/** What is sent to a webhook of an event, in the form that its receiver reads. */
import { judgePromotion, unmetText } from '../environments/eligibility.ts'
import type { Rule } from '../environments/rule.ts'
import type { Hub } from '../hub.ts'
import type { HubEvent } from './event.ts'

export const WEBHOOK_FORMATS = ['json', 'slack', 'matrix'] as const
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number]

/** An event, and of a promotion every rule as it is judged now. */
export type ToldEvent = HubEvent & { readonly rules?: readonly Rule[] }

const FORMATS: Readonly<Record<WebhookFormat, (event: ToldEvent) => object>> = {
  /** Standard Webhooks, "Payload structure". */
  json: (event) => ({ type: event.type, timestamp: event.at, data: event }),
  /** Slack's incoming webhooks and those that are like them; its three control characters are escaped. */
  slack: (event) => ({ text: escapeMarkup(sentenceOf(event)) }),
  /** A generic webhook of a Matrix bridge: plain, and the same as HTML. */
  matrix: (event) => ({
    text: sentenceOf(event),
    html: escapeMarkup(sentenceOf(event)),
    username: 'Portage Hub',
  }),
}

export function webhookBody(format: WebhookFormat, event: ToldEvent): string {
  return JSON.stringify(FORMATS[format](event))
}

/** The event with what it needs of this moment. */
export async function tell(
  hub: Pick<Hub, 'records' | 'config' | 'clock'>,
  event: HubEvent,
): Promise<ToldEvent> {
  if (!event.type.startsWith('promotion.')) return event
  const promotion = await hub.records.promotions.find(event.subject)
  const isThere = hub.config.environments.some(({ name }) => name === promotion?.environment)
  if (!promotion || !isThere) return event
  return { ...event, rules: (await judgePromotion(hub, promotion)).rules }
}

/** `shop build 45: promotion moved to released in production, by release team. Reason: …` */
export function sentenceOf(event: ToldEvent): string {
  const { type, app, build, environment, node, actor, reason, after } = event
  const what = type.replaceAll(/[._]/g, ' ')
  const subject = app === null ? event.subject : `${app}${build === null ? '' : ` build ${String(build)}`}`
  const state =
    typeof after?.['state'] === 'string' && type === 'promotion.moved' ? ` to ${after['state']}` : ''
  const where = [environment, node].filter((each) => each !== null).map((each) => ` in ${each}`)
  const unmet = unmetText(event.rules ?? [])
  return [
    `${subject}: ${what}${state}${where.join('')}, by ${actor}.`,
    ...(reason === null ? [] : [`Reason: ${reason}`]),
    ...(unmet === '' ? [] : [`Not met: ${unmet}`]),
  ].join(' ')
}

function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
