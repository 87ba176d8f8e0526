/** What became of an environment, as an Atom feed (RFC 4287). */
import type { HubEvent } from './event.ts'
import { sentenceOf } from './webhook-body.ts'

/** What a feed tells of. */
export const FEED_TYPES = [
  ...(['release.published', 'release.withdrawn'] as const),
  ...(['hold.set', 'hold.lifted', 'yank.set', 'yank.lifted'] as const),
]

/** @param events newest first. @param address of the feed itself. */
export function renderFeed(title: string, address: string, events: readonly HubEvent[]): string {
  const lines = [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    `  <id>${escapeXml(address)}</id>`,
    `  <title>${escapeXml(title)}</title>`,
    `  <link rel="self" href="${escapeXml(address)}"/>`,
    `  <updated>${events[0]?.at ?? '1970-01-01T00:00:00Z'}</updated>`,
    ...events.flatMap((event) => entryOf(address, event)),
    '</feed>',
  ]
  return `${lines.join('\n')}\n`
}

function entryOf(address: string, event: HubEvent): readonly string[] {
  return [
    '  <entry>',
    `    <id>${escapeXml(`${address}#${event.id}`)}</id>`,
    `    <title>${escapeXml(sentenceOf(event))}</title>`,
    `    <updated>${event.at}</updated>`,
    `    <author><name>${escapeXml(event.actor)}</name></author>`,
    `    <category term="${escapeXml(event.type)}"/>`,
    `    <content type="text">${escapeXml(event.reason ?? sentenceOf(event))}</content>`,
    '  </entry>',
  ]
}

/** What no XML document may hold (XML 1.0, "Characters") becomes U+FFFD. */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\u{fffd}')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
