/** What is sent by e-mail of an event: plain text, which no reader takes for anything else. */
import { unmetText } from '../environments/eligibility.ts'
import type { DeliveryRow } from '../records/webhooks.ts'
import { headlineOf, linkOf } from './sentence.ts'
import { onOneLine, unmetRules } from './webhook-body.ts'
import type { ToldEvent } from './webhook-body.ts'

export interface Mail {
  readonly subject: string
  readonly text: string
  /** The same in every attempt, so that a mail that comes twice is seen as one. */
  readonly messageId: string
  /** RFC 3339. */
  readonly date: string
}

const LONGEST_SUBJECT = 200

/** @param publicUrl of the hub, for links to it and for the name in the message's id. */
export function mailOf(
  event: ToldEvent,
  { id, webhook, createdAt }: Pick<DeliveryRow, 'id' | 'webhook' | 'createdAt'>,
  publicUrl: string,
): Mail {
  const headline = onOneLine(headlineOf(event))
  const link = linkOf(publicUrl, event)
  const unmet = unmetRules(event).flatMap((rule) => [
    `- ${onOneLine(unmetText([rule]))}`,
    ...(rule.toMeet === null ? [] : [`  ${onOneLine(rule.toMeet)}`]),
  ])
  const lines = [
    headline,
    ...(event.reason === null ? [] : ['', `Reason: ${onOneLine(event.reason)}`]),
    ...(unmet.length === 0 ? [] : ['', 'Not met:', ...unmet]),
    ...(link === null ? [] : ['', link.url]),
    '',
    '-- ',
    `Portage Hub at ${publicUrl}: event ${String(event.seq)}, ${event.type}, ${event.at}.`,
    `To end these mails: portage-hub webhook delete ${webhook}`,
  ]
  return {
    subject: shortened(headline),
    text: `${lines.join('\n')}\n`,
    messageId: `<${id}@${new URL(publicUrl).hostname}>`,
    date: createdAt,
  }
}

function shortened(text: string): string {
  const characters = Array.from(text)
  if (characters.length <= LONGEST_SUBJECT) return text
  return `${characters.slice(0, LONGEST_SUBJECT - 1).join('')}…`
}
