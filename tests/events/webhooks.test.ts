/** Webhooks over real connections, to receivers on loopback, which the settings of these hubs allow. */
import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { attemptDelivery, queueDeliveries, RETRY_AFTER_SEC } from '../../src/events/deliver-event.ts'
import { WebhookLanes } from '../../src/jobs/deliver-webhooks.ts'
import { pruneDeliveries } from '../../src/jobs/prune-deliveries.ts'
import type { Hub } from '../../src/hub.ts'
import type { DeliveryRow } from '../../src/records/webhooks.ts'
import { openReceiver } from '../support/receiver.ts'
import type { Received } from '../support/receiver.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const ENV = { HUB_WEBHOOK_ALLOW: '127.0.0.1' }
const signal = new AbortController().signal

interface Made {
  readonly id: string
  readonly secret: string
}

async function createWebhook(hub: TestHub, url: string, wanted: object = {}): Promise<Made> {
  const reply = await hub
    .as()
    .post('/api/v1/webhooks')
    .send({ url, ...wanted })
  expect(reply.status, reply.text).toBe(201)
  return reply.body as Made
}

async function uploadShop(hub: TestHub, build: string): Promise<void> {
  const reply = await hub.upload('shop', tarball({ f: build }), { build, version: '1.0.0' })
  expect(reply.status, reply.text).toBe(201)
}

async function hold(hub: TestHub, reason = 'x'): Promise<void> {
  const reply = await hub.as().post('/api/v1/environments/staging/holds').send({ app: 'shop', reason })
  expect(reply.status, reply.text).toBe(201)
}

async function deliveries(hub: TestHub, id: string, query = ''): Promise<readonly DeliveryRow[]> {
  const reply = await hub.as().get(`/api/v1/webhooks/${id}/deliveries${query}`)
  expect(reply.status, reply.text).toBe(200)
  return (reply.body as { readonly items: readonly DeliveryRow[] }).items
}

/** Delivers what is due, as the job would. */
async function deliver(hub: { readonly hub: Hub }): Promise<void> {
  const lanes = new WebhookLanes(hub.hub, signal)
  await lanes.look()
  await lanes.settled()
}

/** As a receiver checks it who knows nothing but Standard Webhooks. */
function expectSigned({ headers, body }: Received, secret: string): void {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  expect(key).toHaveLength(32)
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
  const signature = createHmac('sha256', key).update(signed).digest('base64')
  expect(headers['webhook-signature']).toBe(`v1,${signature}`)
}

describe('a webhook', () => {
  test('is told of what comes, signed with the secret that was shown once', async () => {
    await using receiver = await openReceiver()
    await using hub = await createTestHub(ENV)
    const { id, secret } = await createWebhook(hub, receiver.url, { types: ['build.archived'] })
    await uploadShop(hub, '1')
    await receiver.has(1)
    const [message] = receiver.received
    if (!message) throw new Error('nothing came')
    expectSigned(message, secret)
    expect(message.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-timestamp': String(Date.parse('2026-01-02T03:04:05Z') / 1000),
    })
    expect(message.json).toMatchObject({
      ...{ type: 'build.archived', timestamp: '2026-01-02T03:04:05Z' },
      data: { app: 'shop', build: 1, actor: 'HUB_ADMIN_TOKEN', after: { version: '1.0.0' } },
    })
    expect(message.body).not.toMatch(/127\.0\.0\.1|req_|tok_/)
    await expect
      .poll(async () => await deliveries(hub, id))
      .toMatchObject([
        { id: message.headers['webhook-id'], state: 'delivered', attempts: 1, lastStatus: 204, nextAt: null },
      ])
    for (const path of ['', `/${id}`, `/${id}/deliveries`])
      expect((await hub.as().get(`/api/v1/webhooks${path}`)).text).not.toContain(secret)
  })

  test('hears of a promotion with every rule as it is at that moment', async () => {
    await using receiver = await openReceiver()
    await using hub = await createTestHub(ENV)
    await uploadShop(hub, '1')
    const policy = { checks: { acceptance: ['functional'] } }
    expect((await hub.as().put('/api/v1/environments/production/policy').send(policy)).status).toBe(200)
    await createWebhook(hub, receiver.url, { types: ['promotion.requested'], environment: 'production' })
    await hub.promote('shop', 1, 'production')
    await receiver.has(1)
    const { data } = receiver.received[0]?.json as { readonly data: { readonly rules: unknown } }
    expect(data).toMatchObject({ type: 'promotion.requested', build: 1, environment: 'production' })
    expect(data.rules).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ state: 'met', code: 'environment.previous' }),
        expect.objectContaining({ state: 'unmet', detail: expect.stringContaining('functional') as string }),
      ]),
    )
  })

  test('that does not name types is told nothing of administration', async () => {
    await using receiver = await openReceiver()
    await using hub = await createTestHub(ENV, { jobs: false })
    const { id } = await createWebhook(hub, receiver.url)
    const named = await createWebhook(hub, receiver.url, { types: ['token.created'] })
    await hub.token('reader')
    await uploadShop(hub, '1')
    await queueDeliveries(hub.hub)
    const types = (rows: readonly object[]): readonly string[] =>
      (rows as readonly { readonly event: { readonly type: string } }[]).map(({ event }) => event.type)
    expect(types(await deliveries(hub, id))).toEqual(
      expect.arrayContaining(['build.archived', 'promotion.requested', 'release.published']),
    )
    expect(types(await deliveries(hub, id)).filter((type) => /^(token|webhook|key)/.test(type))).toEqual([])
    expect(types(await deliveries(hub, named.id))).toEqual(['token.created'])
  })

  test('is sent text where a chat reads it, in which nothing is markup', async () => {
    await using receiver = await openReceiver()
    await using hub = await createTestHub(ENV, { jobs: false })
    await uploadShop(hub, '1')
    for (const format of ['slack', 'matrix'])
      await createWebhook(hub, receiver.url, { format, types: ['hold.set'] })
    await hold(hub, 'see <!channel> & <b>')
    await deliver(hub)
    const path = 'apps/shop'
    const link = `${hub.url}/${path}`
    const plain = 'shop is held in staging, by HUB_ADMIN_TOKEN. Reason: see <!channel> & <b>'
    const escaped = plain.replace('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
    const bodies = receiver.received.map(({ json }) => json)
    expect(bodies).toContainEqual({ text: `${escaped} <${link}|${path}>` })
    expect(bodies).toContainEqual({
      ...{ text: `${plain} ${link}`, html: `${escaped} <a href="${link}">${path}</a>` },
      username: 'Portage Hub',
    })
  })

  test('that is disabled misses what happens meanwhile, and one that is removed is gone', async () => {
    await using receiver = await openReceiver()
    await using hub = await createTestHub(ENV, { jobs: false })
    await uploadShop(hub, '1')
    const { id } = await createWebhook(hub, receiver.url, { types: ['hold.set'] })
    const enable = async (enabled: boolean) =>
      await hub.as().patch(`/api/v1/webhooks/${id}`).send({ enabled })
    expect((await enable(false)).body).toMatchObject({ enabled: false })
    await hold(hub, 'missed')
    expect((await enable(true)).body).toMatchObject({ enabled: true })
    await hold(hub, 'told')
    await deliver(hub)
    expect(receiver.received.map(({ json }) => json['data'])).toMatchObject([{ reason: 'told' }])
    expect((await hub.as().delete(`/api/v1/webhooks/${id}`)).status).toBe(200)
    await hold(hub, 'too late')
    await deliver(hub)
    expect(receiver.received).toHaveLength(1)
    expect((await hub.as().get(`/api/v1/webhooks/${id}`)).body).toMatchObject({ code: 'webhook.unknown' })
  })

  test.each([
    [{ url: 'http://127.0.0.1/' }, 'webhook.forbidden_address'],
    [{ url: 'http://[::ffff:10.0.0.1]/' }, 'webhook.forbidden_address'],
    [{ url: 'ftp://ci.acme.example/' }, 'request.invalid'],
    [{ url: 'https://me:secret@ci.acme.example/' }, 'request.invalid'],
    [{ url: 'https://ci.acme.example/#x' }, 'request.invalid'],
    [{ url: 'https://ci.acme.example/', types: ['none'] }, 'request.invalid'],
    [{ url: 'https://ci.acme.example/', types: [] }, 'request.invalid'],
    [{ url: 'https://ci.acme.example/', format: 'xml' }, 'request.invalid'],
    [{ url: 'https://ci.acme.example/', environment: 'none' }, 'environment.unknown'],
  ])('cannot be %j', async (wanted, code) => {
    await using hub = await createTestHub({}, { jobs: false })
    expect((await hub.as().post('/api/v1/webhooks').send(wanted)).body).toMatchObject({ code })
    expect((await hub.as().get('/api/v1/webhooks')).body).toMatchObject({ items: [] })
  })
})

describe('a delivery', () => {
  test('that fails is tried again, each time later, until it is given up; somebody may replay it', async () => {
    await using receiver = await openReceiver(500)
    await using hub = await createTestHub(ENV, { jobs: false })
    await uploadShop(hub, '1')
    const { id, secret } = await createWebhook(hub, receiver.url, { types: ['hold.set'] })
    await hold(hub)
    await deliver(hub)
    for (const [index, pauseSec] of RETRY_AFTER_SEC.entries()) {
      const [row] = await deliveries(hub, id)
      expect(row).toMatchObject({ state: 'waiting', attempts: index + 1, lastStatus: 500 })
      const dueMs = Date.parse(row?.nextAt ?? '')
      const waitedSec = (dueMs - hub.clock.now().getTime()) / 1000
      expect(waitedSec).toBeGreaterThanOrEqual(pauseSec)
      expect(waitedSec).toBeLessThanOrEqual(pauseSec * 1.25 + 1)
      hub.clock.set(new Date(dueMs - 1000).toISOString())
      await deliver(hub)
      expect(receiver.received).toHaveLength(index + 1)
      hub.clock.set(new Date(dueMs).toISOString())
      await deliver(hub)
    }
    const attempts = RETRY_AFTER_SEC.length + 1
    const [dead] = await deliveries(hub, id, '?state=dead')
    expect(dead).toMatchObject({ attempts, nextAt: null, lastError: 'it answers 500' })
    hub.clock.set('2027-01-01T00:00:00Z')
    await deliver(hub)
    expect(receiver.received).toHaveLength(attempts)
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set([dead?.id]),
    )
    for (const message of receiver.received) expectSigned(message, secret)

    receiver.answer = 200
    const replay = (delivery: string) => hub.as().post(`/api/v1/webhooks/${id}/deliveries/${delivery}/replay`)
    expect((await replay(dead?.id ?? '')).body).toMatchObject({ state: 'waiting', attempts: 0 })
    await deliver(hub)
    expect(await deliveries(hub, id)).toMatchObject([{ state: 'delivered', attempts: 1, lastError: null }])
    expect((await replay('whd_none')).body).toMatchObject({ code: 'webhook.unknown_delivery' })

    hub.clock.set('2027-01-30T00:00:00Z')
    await pruneDeliveries(hub.hub)
    expect(await deliveries(hub, id)).toHaveLength(1)
    hub.clock.set('2027-02-01T00:00:00Z')
    await pruneDeliveries(hub.hub)
    expect(await deliveries(hub, id)).toEqual([])
  })

  test('that a stop of the hub cut is made again by the next one, under the same id', async () => {
    await using receiver = await openReceiver(() => {})
    await using hub = await createTestHub(ENV)
    await uploadShop(hub, '1')
    const { id } = await createWebhook(hub, receiver.url, { types: ['hold.set'] })
    await hold(hub)
    await receiver.has(1)
    // Taken, and never answered: the hub cannot know.
    receiver.answer = 200
    await using again = await hub.restart()
    await receiver.has(2)
    const [first, second] = receiver.received
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
    await expect
      .poll(async () => await deliveries(again, id))
      .toMatchObject([{ state: 'delivered', attempts: 1 }])
  })

  test('of each event is queued once, also when a stop came in between', async () => {
    await using receiver = await openReceiver()
    await using hub = await createTestHub(ENV, { jobs: false })
    await uploadShop(hub, '1')
    const { id } = await createWebhook(hub, receiver.url, { types: ['hold.set'] })
    await hold(hub, 'a')
    await queueDeliveries(hub.hub)
    await hold(hub, 'b')
    await using again = await hub.restart(ENV, { jobs: false })
    await Promise.all([deliver(again), queueDeliveries(again.hub), deliver(again)])
    await deliver(again)
    const told = receiver.received.map(({ json }) => (json['data'] as { readonly reason: string }).reason)
    expect([...new Set(told)]).toEqual(['a', 'b'])
    expect(await deliveries(again, id)).toHaveLength(2)
  })

  test('is no matter of the queue where there is no webhook, and the first one begins with its own time', async () => {
    await using receiver = await openReceiver()
    await using hub = await createTestHub(ENV, { jobs: false })
    const { webhooks, audit } = hub.hub.records
    const before = await webhooks.queuedUpTo()
    await uploadShop(hub, '1')
    await hold(hub, 'too early')
    await deliver(hub)
    expect(await webhooks.queuedUpTo()).toBe(before)
    await createWebhook(hub, receiver.url, { types: ['hold.set'] })
    expect(await webhooks.queuedUpTo()).toBe((await audit.head()).seq)
    await hold(hub, 'in time')
    await deliver(hub)
    expect(receiver.received.map(({ json }) => json['data'])).toMatchObject([{ reason: 'in time' }])
  })

  test('to one that does not answer holds up no other', async () => {
    await using silent = await openReceiver(() => {})
    await using receiver = await openReceiver()
    await using hub = await createTestHub(ENV)
    await uploadShop(hub, '1')
    await createWebhook(hub, silent.url, { types: ['hold.set'] })
    await createWebhook(hub, receiver.url, { types: ['hold.set'] })
    await hold(hub, 'a')
    await silent.has(1)
    await hold(hub, 'b')
    await receiver.has(2)
    expect(silent.received).toHaveLength(1)
  })

  test('goes to no inner address, whatever its name, unless the operator lists it', async () => {
    await using receiver = await openReceiver()
    await using hub = await createTestHub({}, { jobs: false })
    await uploadShop(hub, '1')
    const { id } = await createWebhook(hub, receiver.url.replace('127.0.0.1', 'localhost'), {
      types: ['hold.set'],
    })
    await hold(hub)
    await deliver(hub)
    expect(await deliveries(hub, id)).toMatchObject([
      {
        state: 'waiting',
        lastStatus: null,
        lastError: expect.stringContaining('HUB_WEBHOOK_ALLOW') as string,
      },
    ])
    expect(receiver.received).toEqual([])
  })

  test('is put off by the pause alone where chance has nothing to add', async () => {
    await using receiver = await openReceiver(500)
    await using hub = await createTestHub(ENV, { jobs: false })
    await uploadShop(hub, '1')
    const { id } = await createWebhook(hub, receiver.url, { types: ['hold.set'] })
    await hold(hub)
    await queueDeliveries(hub.hub)
    const row = await hub.hub.records.webhooks.nextDue(id, '2027')
    if (!row) throw new Error('nothing is due')
    await attemptDelivery(hub.hub, row, signal, () => 0)
    expect((await deliveries(hub, id))[0]?.nextAt).toBe('2026-01-02T03:04:15Z')
  })
})
