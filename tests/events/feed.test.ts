import { SaxesParser } from 'saxes'
import { expect, test } from 'vitest'
import { renderFeed } from '../../src/events/atom-feed.ts'
import type { HubEvent } from '../../src/events/event.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'

/** Reads a document as a feed reader would: the text of each element by its name, in order; throws where it is no XML. */
function textsOf(xml: string): readonly (readonly [name: string, text: string])[] {
  const found: [string, string][] = []
  const open: string[] = []
  const parser = new SaxesParser({ xmlns: true })
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', ({ name }) => void open.push(name))
  parser.on('closetag', () => void open.pop())
  parser.on('text', (text) => {
    if (text.trim() !== '') found.push([open.at(-1) ?? '', text])
  })
  parser.write(xml).close()
  return found
}

const titles = (xml: string): readonly string[] =>
  textsOf(xml).flatMap(([name, text]) => (name === 'title' ? [text] : []))

test('the feed of an environment tells of releases, withdrawals and holds there, newest first', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', tarball({ f: '1' }), { build: '1', version: '1.0.0' })
  const reason = 'loses <orders> & "more"'
  await hub.as().post('/api/v1/environments/production/holds').send({ app: 'shop', reason: 'elsewhere' })
  await hub.as().post('/api/v1/holds').send({ app: 'shop', reason: 'everywhere' })
  const { items } = (await hub.as().get('/api/v1/environments/staging/releases')).body
  await hub.as().post(`/api/v1/environments/staging/releases/${items[0].id}/withdraw`).send({ reason })
  const token = await hub.token('reader', { environments: ['staging'] })
  const password = Buffer.from(`anybody:${token}`).toString('base64')
  const path = '/api/v1/environments/staging/feed.atom'
  const read = async (headers: Readonly<Record<string, string>> = {}) =>
    await send(hub.url, { path, token: null, headers: { Authorization: `Basic ${password}`, ...headers } })
  const feed = await read()
  expect(feed.status).toBe(200)
  expect(feed.headers['content-type']).toBe('application/atom+xml; charset=utf-8')
  expect(titles(feed.text)).toEqual([
    'hub-staging of Portage Hub',
    `shop build 1 is withdrawn in staging, by HUB_ADMIN_TOKEN. Reason: ${reason}`,
    'shop is held everywhere, by HUB_ADMIN_TOKEN. Reason: everywhere',
    'shop build 1 is released in staging, by HUB_ADMIN_TOKEN.',
  ])
  const unchanged = await read({ 'If-None-Match': String(feed.headers['etag']) })
  expect(unchanged.status).toBe(304)
  const other = await send(hub.url, { path: path.replace('staging', 'production'), token })
  expect(other.json).toMatchObject({ code: 'auth.forbidden' })
})

test('whatever somebody wrote is text in it, and it stays XML', () => {
  const hostile = ']]></title><script>&lt;\u0000\u001b\ud800\ufffe"'
  const event: HubEvent = {
    ...{ seq: 1, id: 'aud_1', type: 'hold.set', at: '2026-01-02T03:04:05Z', subject: 'hld_1', app: 'shop' },
    ...{ build: null, environment: 'staging', node: null, actor: hostile, reason: hostile },
    ...{ before: null, after: null },
  }
  const texts = textsOf(renderFeed(hostile, 'https://hub.acme.example/?a&b', [event]))
  const shown = ']]></title><script>&lt;\ufffd\ufffd\ufffd\ufffd"'
  const sentence = ']]></title><script>&lt; \ufffd\ufffd"'
  expect(texts).toEqual([
    ['id', 'https://hub.acme.example/?a&b'],
    ['title', shown],
    ['updated', '2026-01-02T03:04:05Z'],
    ['id', 'https://hub.acme.example/?a&b#aud_1'],
    ['title', `shop is held in staging, by ${sentence}. Reason: ${sentence}`],
    ['updated', '2026-01-02T03:04:05Z'],
    ['name', shown],
    ['content', shown],
  ])
  expect(titles(renderFeed('none', 'https://hub.acme.example/', []))).toEqual(['none'])
})
