/** What people read of events, in each of the forms that it is sent in. */
import { describe, expect, test } from 'vitest'
import { CHANGES } from '../../src/audit/changes.ts'
import type { ChangeType } from '../../src/audit/changes.ts'
import { mailOf } from '../../src/events/mail.ts'
import { headlineOf, linkOf } from '../../src/events/sentence.ts'
import { sentenceOf, webhookBody } from '../../src/events/webhook-body.ts'
import type { ToldEvent } from '../../src/events/webhook-body.ts'

const HUB = 'https://hub.acme.example'

/** What each kind that tells by its facts always has. */
const FACTS = { stage: 'commit', name: 'unit', status: 'passed', state: 'checking', version: '1.4.0' }

const event = (type: ChangeType, parts: Partial<ToldEvent> = {}): ToldEvent => ({
  ...{ seq: 42, id: 'aud_1', type, at: '2026-01-02T03:04:05Z', subject: 'pro_1', app: 'shop', build: 45 },
  ...{ environment: 'production', node: null, actor: 'ada', reason: null, before: null, after: null },
  ...parts,
})

describe('every kind of event', () => {
  const types = Object.keys(CHANGES) as readonly ChangeType[]

  test.each(types)('%s has a sentence of its own', (type) => {
    for (const parts of [{}, { app: null, build: null, environment: null }, { build: null, node: 'web1' }]) {
      const headline = headlineOf(event(type, { after: FACTS, ...parts }))
      expect(headline).toMatch(/^\S.* .*\S, by ada\.$/)
      expect(headline).not.toMatch(/undefined|null|\[object|NaN| {2}| ,/)
    }
  })

  test('is told apart from the others', () => {
    const headlines = types.map((type) => headlineOf(event(type, { subject: 'x', after: FACTS })))
    expect(new Set(headlines).size).toBe(types.length)
  })
})

test.each([
  [
    event('build.archived', { environment: null, after: { version: '1.4.0' } }),
    'shop build 45 (1.4.0) is archived, by ada.',
  ],
  [
    event('check.recorded', {
      environment: null,
      after: { stage: 'acceptance', name: 'functional', status: 'failed' },
    }),
    'shop build 45: the acceptance check "functional" failed, by ada.',
  ],
  [event('promotion.requested'), 'shop build 45 is asked for in production, by ada.'],
  [
    event('promotion.requested', { after: { override: true } }),
    'shop build 45 is asked for in production: EMERGENCY, the waiting is skipped, by ada.',
  ],
  [
    event('release.published', { after: { overriddenBy: 'eve' } }),
    'shop build 45 is released in production: EMERGENCY, the waiting is skipped, by ada.',
  ],
  [
    event('promotion.moved', { after: { state: 'awaiting_approval' } }),
    'shop build 45 waits for approval in production, by ada.',
  ],
  [
    event('promotion.moved', { after: { state: 'refused', detail: 'Rejected by bob: too big.' } }),
    'shop build 45 is refused in production: Rejected by bob: too big, by ada.',
  ],
  [event('hold.set', { build: null, environment: null }), 'shop is held everywhere, by ada.'],
  [
    event('policy.set', { app: null, subject: 'production', after: { version: 3 } }),
    'the policy of production is set (version 3), by ada.',
  ],
  [
    event('node.changed', {
      ...{ app: null, build: null, subject: 'web1', actor: 'web1' },
      after: { packages: ['app-acme/shop-1.4.0_p45', 'app-acme/cart-2'], drifted: true },
    }),
    'web1 runs app-acme/shop-1.4.0_p45, app-acme/cart-2 in production, and not what is wanted, by web1.',
  ],
  [
    event('node.changed', { subject: 'web1', after: { packages: [], drifted: false } }),
    'web1 runs nothing of the hub in production, by ada.',
  ],
  [
    event('rollback.ended', {
      build: null,
      environment: null,
      node: 'web1',
      after: { state: 'failed', detail: 'no dump' },
    }),
    'the rollback of shop on web1 failed: no dump, by ada.',
  ],
] as const)('%#: a sentence says what happened', (told, expected) => {
  expect(headlineOf(told)).toBe(expected)
})

test('the unmet rules and the reason are told with it', () => {
  const rule = { code: 'soak', since: null, by: null }
  const told = event('promotion.requested', {
    reason: 'the shop is down',
    rules: [
      { ...rule, state: 'met', detail: 'It is released in staging.', toMeet: null },
      { ...rule, state: 'unmet', detail: '0 of 2 approvals.', toMeet: '2 more must approve.' },
    ],
  })
  expect(sentenceOf(told)).toBe(
    'shop build 45 is asked for in production, by ada. Reason: the shop is down Not met: 0 of 2 approvals.',
  )
  expect(mailOf(told, { id: 'whd_1', webhook: 'whk_1', createdAt: told.at }, HUB)).toEqual({
    subject: 'shop build 45 is asked for in production, by ada.',
    messageId: '<whd_1@hub.acme.example>',
    date: '2026-01-02T03:04:05Z',
    text: [
      'shop build 45 is asked for in production, by ada.',
      '',
      'Reason: the shop is down',
      '',
      'Not met:',
      '- 0 of 2 approvals.',
      '  2 more must approve.',
      '',
      'https://hub.acme.example/promotions/pro_1',
      '',
      '-- ',
      'Portage Hub at https://hub.acme.example: event 42, promotion.requested, 2026-01-02T03:04:05Z.',
      'To end these mails: portage-hub webhook delete whk_1',
      '',
    ].join('\n'),
  })
})

test.each([
  [event('promotion.moved'), 'promotions/pro_1'],
  [event('release.published', { subject: 'rel_1' }), 'apps/shop/builds/45'],
  [event('build.archived', { subject: 'shop/45' }), 'apps/shop/builds/45'],
  [event('node.left', { app: null, build: null, subject: 'web1', node: 'web1' }), 'nodes/web1'],
  [event('rollback.ended', { subject: 'rbk_1', node: 'web1' }), 'nodes/web1'],
  [event('hold.set', { subject: 'hld_1', build: null, environment: null }), 'apps/shop'],
  [event('webhook.created', { app: null, build: null, subject: 'whk_1' }), 'webhooks/whk_1'],
  [event('policy.set', { app: null, build: null, subject: 'production' }), 'environments/production'],
])('%#: the link leads to the page that the hub has of it', (told, path) => {
  expect(linkOf(HUB, told)).toEqual({ url: `${HUB}/${path}`, label: path })
})

test('the link of a check leads to the job, and a key has none', () => {
  const job = 'https://ci.acme.example/45'
  expect(linkOf(HUB, event('check.recorded', { after: { url: job } }))).toEqual({ url: job, label: 'job' })
  expect(linkOf(HUB, event('key.created', { app: null, build: null }))).toBeNull()
})

describe('hostile text', () => {
  const reason =
    '<!channel> @here @room & <b>"x"</b> [y](https://evil.example)\r\nBcc: all@acme.example\u202e'
  const held = event('hold.set', { reason, subject: 'hld_1' })

  test('is text to Slack and to what is like it, and rings nobody', () => {
    const { text } = JSON.parse(webhookBody('slack', held, HUB)) as { text: string }
    expect(text).toBe(
      'shop build 45 is held in production, by ada. Reason: &lt;!channel&gt; @\u200bhere @\u200broom &amp; ' +
        '&lt;b&gt;"x"&lt;/b&gt; [y]\u200b(https://evil.example) Bcc: all@\u200bacme.example  ' +
        '<https://hub.acme.example/apps/shop/builds/45|apps/shop/builds/45>',
    )
  })

  test('cannot end the address of a link of Slack', () => {
    const told = event('check.recorded', { after: { url: 'https://ci.acme.example/?a=1&b=<x>|y' } })
    const { text } = JSON.parse(webhookBody('slack', told, HUB)) as { text: string }
    expect(text).toMatch(/ <https:\/\/ci\.acme\.example\/\?a=1&amp;b=%3Cx%3E%7Cy\|job>$/)
  })

  test('is text to Matrix, in both of its forms', () => {
    const { text, html } = JSON.parse(webhookBody('matrix', held, HUB)) as { text: string; html: string }
    expect(text).not.toMatch(/@(?:here|room)/)
    expect(html).not.toMatch(/@(?:here|room)/)
    expect(html.replace(/ <a href="[^"<>]*">[^<>]*<\/a>$/, '')).not.toMatch(/[<>]/)
    const link = 'https://ci.acme.example/?"><img src=x>'
    const told = JSON.parse(
      webhookBody('matrix', event('check.recorded', { after: { url: link } }), HUB),
    ) as {
      html: string
    }
    expect(told.html).toMatch(
      / <a href="https:\/\/ci\.acme\.example\/\?&quot;&gt;&lt;img src=x&gt;">job<\/a>$/,
    )
  })

  test('makes no line of its own in a mail, and no long subject', () => {
    const long = event('token.created', {
      actor: `x\r\nBcc: all@acme.example\r\n\r\n${'é'.repeat(500)}`,
      reason,
    })
    const mail = mailOf(long, { id: 'whd_1', webhook: 'whk_1', createdAt: long.at }, HUB)
    expect(mail.subject).not.toMatch(/[\r\n]/)
    expect(Array.from(mail.subject)).toHaveLength(200)
    expect(mail.text.split('\n').filter((line) => line.startsWith('Bcc'))).toEqual([])
  })
})
