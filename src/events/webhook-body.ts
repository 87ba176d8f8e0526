/** What is sent to a webhook of an event, in the form that its receiver reads. */
import { judgePromotion, unmetText } from '../environments/eligibility.ts'
import type { Rule } from '../environments/rule.ts'
import type { Hub } from '../hub.ts'
import type { HubEvent } from './event.ts'
import { headlineOf, linkOf } from './sentence.ts'

/** What is sent by HTTP; mail has a form of its own (`mail.ts`). */
const BODY_FORMATS = ['json', 'slack', 'matrix'] as const
export type BodyFormat = (typeof BODY_FORMATS)[number]

export const WEBHOOK_FORMATS = [...BODY_FORMATS, 'email'] as const
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number]

/** An event, and of a promotion every rule as it is judged now. */
export type ToldEvent = HubEvent & { readonly rules?: readonly Rule[] }

type Form = (event: ToldEvent, publicUrl: string) => object

const FORMATS: Readonly<Record<BodyFormat, Form>> = {
  /** Standard Webhooks, "Payload structure". */
  json: (event) => ({ type: event.type, timestamp: event.at, data: event }),
  /** Slack's incoming webhooks and those that are like them; its three control characters are escaped. */
  slack: (event, publicUrl) => {
    const link = linkOf(publicUrl, event)
    const text = escapeMarkup(inert(sentenceOf(event)))
    return { text: link ? `${text} <${slackUrl(link.url)}|${escapeMarkup(link.label)}>` : text }
  },
  /** A generic webhook of a Matrix bridge: plain, and the same as HTML. */
  matrix: (event, publicUrl) => {
    const link = linkOf(publicUrl, event)
    const text = inert(sentenceOf(event))
    const anchor = link ? ` <a href="${escapeAttribute(link.url)}">${escapeMarkup(link.label)}</a>` : ''
    return {
      text: link ? `${text} ${link.url}` : text,
      html: `${escapeMarkup(text)}${anchor}`,
      username: 'Portage Hub',
    }
  },
}

/** @param publicUrl of the hub, for links to it. */
export function webhookBody(format: BodyFormat, event: ToldEvent, publicUrl: string): string {
  return JSON.stringify(FORMATS[format](event, publicUrl))
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

/** `shop build 45 is held in production, by ada. Reason: …`, on one line. */
export function sentenceOf(event: ToldEvent): string {
  const unmet = unmetText(event.rules ?? [])
  return onOneLine(
    [
      headlineOf(event),
      ...(event.reason === null ? [] : [`Reason: ${event.reason}`]),
      ...(unmet === '' ? [] : [`Not met: ${unmet}`]),
    ].join(' '),
  )
}

export function unmetRules({ rules = [] }: ToldEvent): readonly Rule[] {
  return rules.filter(({ state }) => state === 'unmet')
}

/** Without what begins a line or turns the order of what is read (as in "Trojan Source", CVE-2021-42574). */
export function onOneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ')
}

/**
 * Text that a chat takes for text alone, whoever wrote it: `@channel` and `@room` ring nobody, and `[…](…)` is no link.
 * Chats that take Slack's form read Markdown and mentions where Slack itself does not. A blank of no width parts them.
 */
function inert(text: string): string {
  return text.replaceAll(/@(?=[\p{L}\p{N}_])/gu, '@\u200b').replaceAll('](', ']\u200b(')
}

function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

const escapeAttribute = (text: string): string => escapeMarkup(text).replaceAll('"', '&quot;')

/** In `<address|label>` these would end the address. */
const slackUrl = (url: string): string =>
  escapeMarkup(url.replaceAll(/[<>|]/g, (character) => encodeURIComponent(character)))
