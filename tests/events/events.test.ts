/** The events as their followers have them, over real connections. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { followEvents } from '../../src/events/follow-events.ts'
import { EventStreams } from '../../src/events/event-streams.ts'
import { openEvents } from '../support/event-client.ts'
import type { ReceivedEvent } from '../support/event-client.ts'
import { seededRandom } from '../support/random.ts'
import { send } from '../support/raw-http.ts'
import { enrolNode } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
  for (const app of ['shop', 'cart']) {
    const reply = await hub.upload(app, tarball({ f: app }), { build: '1', version: '1.0.0' })
    expect(reply.status, reply.text).toBe(201)
  }
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

/** Two changes: the hold, and its end. */
async function holdAndLift(environment = 'staging', app = 'shop'): Promise<void> {
  const held = await hub.as().post(`/api/v1/environments/${environment}/holds`).send({ app, reason: 'x' })
  expect(held.status, held.text).toBe(201)
  const { id } = held.body as { readonly id: string }
  const lifted = await hub.as().post(`/api/v1/holds/${id}/lift`).send({ reason: 'y' })
  expect(lifted.status, lifted.text).toBe(200)
}

async function past(query = '', token?: string): Promise<readonly ReceivedEvent[]> {
  const client = await openEvents(hub.url, {
    query: `?follow=false&after=0${query}`,
    ...(token !== undefined && { token }),
  })
  expect(await client.ended).toBe(true)
  return client.events()
}

const seqs = (events: readonly ReceivedEvent[]): readonly number[] => events.map(({ seq }) => seq)

describe('a follower', () => {
  test('is told of each change when it is made, as the public part of its audit record', async () => {
    const client = await openEvents(hub.url)
    expect(client.status).toBe(200)
    expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    await client.until(() => client.lastEventId() !== '')
    expect(client.events()).toEqual([])
    await holdAndLift()
    await client.until(() => client.events().length === 2)
    client.cut()
    const [record] = (await hub.as().get('/api/v1/audit?type=hold.set&limit=1')).body.items as [ReceivedEvent]
    const { seq, id, type, at, subject, app, build, environment, node, actor, reason, before, after } = record
    expect(client.events()[0]).toEqual({
      ...{ seq, id, type, at, subject, app, build, environment, node, actor, reason, before, after },
    })
    expect(client.lastEventId()).toBe(String(seq + 1))
  })

  test('that is cut at any place and comes again misses nothing and gets nothing twice', async () => {
    const random = seededRandom(5)
    const first = (await hub.hub.records.audit.head()).seq
    const received: ReceivedEvent[] = []
    let lastEventId = String(first)
    const rounds = 12
    const producing = (async () => {
      for (let round = 0; round < rounds; round++) await holdAndLift()
    })()
    let cuts = 0
    while (received.length < 2 * rounds) {
      const client = await openEvents(hub.url, { lastEventId, cutAfter: 1 + random.int(1500) })
      await client.until(() => received.length + client.events().length >= 2 * rounds).catch(() => undefined)
      client.cut()
      await client.ended
      received.push(...client.events())
      lastEventId = client.lastEventId()
      cuts += 1
    }
    await producing
    const { seq: last } = await hub.hub.records.audit.head()
    expect(cuts).toBeGreaterThan(5)
    expect(seqs(received)).toEqual(Array.from({ length: last - first }, (_, at) => first + 1 + at))
  })

  test('that comes again after a restart of the hub goes on where it was', async () => {
    await using own = await createTestHub()
    const before = (await own.hub.records.audit.head()).seq
    await own.as().post('/api/v1/tokens').send({ name: 'ci', role: 'developer' })
    await using again = await own.restart()
    const client = await openEvents(again.url, { lastEventId: String(before), query: '?type=token.created' })
    await client.until(() => client.events().length === 1)
    client.cut()
    expect(client.events()[0]).toMatchObject({ seq: before + 1, after: { name: 'ci', role: 'developer' } })
  })

  test('whose token is revoked is told no more', async () => {
    const made = await hub.as().post('/api/v1/tokens').send({ name: 'gone', role: 'administrator' })
    const { id, token } = made.body as { readonly id: string; readonly token: string }
    const client = await openEvents(hub.url, { token })
    await hub.as().delete(`/api/v1/tokens/${id}`)
    expect(await client.ended).toBe(true)
    expect(client.events()).toEqual([])
  })

  test('is let go when the hub ends, at once and with a whole answer', async () => {
    const own = await createTestHub()
    const client = await openEvents(own.url)
    await own[Symbol.asyncDispose]()
    expect(await client.ended).toBe(true)
  })

  test('too many of one token are turned away, until one leaves', async () => {
    const token = await hub.token('reader')
    const most = hub.hub.eventStreams.limits.ofOneToken
    const clients = await Promise.all(
      Array.from({ length: most }, async () => await openEvents(hub.url, { token })),
    )
    const refused = await send(hub.url, { path: '/api/v1/events', token })
    expect(refused.json).toMatchObject({ status: 429, code: 'events.too_many' })
    const other = await openEvents(hub.url)
    expect(other.status).toBe(200)
    for (const client of [other, ...clients]) client.cut()
    await expect
      .poll(async () => (await openEvents(hub.url, { token, query: '?follow=false' })).status)
      .toBe(200)
  })

  test('all together are no more than the limit', () => {
    const streams = new EventStreams({ all: 1, ofOneToken: 2, heartbeatMs: 1000 })
    const place = streams.enter('a')
    expect(() => streams.enter('b')).toThrow('1 clients follow the events')
    place[Symbol.dispose]()
    streams.enter('b')[Symbol.dispose]()
  })

  test('gets a sign of life where nothing happens, and what came by another way than this process', async () => {
    const { seq } = await hub.hub.records.audit.head()
    const stop = new AbortController()
    const filter = { types: null, app: null, environment: null }
    const wanted = { after: seq - 1, filter, heartbeatMs: 1, signal: stop.signal }
    const asker = {
      ...({ kind: 'token', id: 'tok_1', name: 'x', node: null, maySendCommands: false, owner: 'x' } as const),
      grants: [{ role: 'administrator', apps: null, environments: null }] as const,
    }
    const told: number[] = []
    for await (const { events, upTo } of followEvents(hub.hub, wanted, () => Promise.resolve(asker))) {
      told.push(events.length)
      expect(upTo).toBe(seq)
      if (told.length === 3) stop.abort()
    }
    expect(told).toEqual([1, 0, 0])
  })
})

describe('what is asked for', () => {
  test('narrows it by type, app and environment', async () => {
    await holdAndLift('production', 'cart')
    await hub.as().post('/api/v1/holds').send({ app: 'cart', reason: 'everywhere' })
    const all = await past()
    const of = (test: (event: ReceivedEvent) => boolean): readonly number[] => seqs(all.filter(test))
    expect(seqs(await past('&type=hold.set,release.published'))).toEqual(
      of(({ type }) => type === 'hold.set' || type === 'release.published'),
    )
    expect(seqs(await past('&app=cart'))).toEqual(of(({ app }) => app === 'cart'))
    const inProduction = await past('&environment=production')
    expect(inProduction.at(-1)).toMatchObject({ type: 'hold.set', environment: null })
    expect(seqs(inProduction)).toEqual(
      of(
        ({ environment, type }) =>
          environment === 'production' || (environment === null && type === 'hold.set'),
      ),
    )
  })

  test.each(['type=none', 'type=hold.set,', 'after=x', 'after=999999', 'type=hold.set&type=hold.lifted'])(
    'is refused where it is nothing that there is: %s',
    async (query) => {
      const reply = await send(hub.url, { path: `/api/v1/events?${query}` })
      expect(reply.json).toMatchObject({ status: 400, code: 'request.invalid' })
    },
  )

  test('is told to those who may know it, and to nobody else', async () => {
    await enrolNode(hub, 'web1')
    const all = await past()
    const reader = await hub.token('reader', { environments: ['production'] })
    expect(seqs(await past('', reader))).toEqual(
      seqs(
        all.filter(
          ({ environment, type }) =>
            environment === 'production' || (environment === null && /^hold/.test(type)),
        ),
      ),
    )
    const uploader = await hub.token('developer', { apps: ['cart'] })
    const ofCart = await past('', uploader)
    expect(ofCart.length).toBeGreaterThan(3)
    expect(seqs(ofCart)).toEqual(seqs(all.filter(({ app }) => app === 'cart')))
    expect(seqs(await past('&type=token.created', reader))).toEqual([])
  })

  test('never has an address, a request or the id of the token that a machine got', async () => {
    const client = await openEvents(hub.url, { query: '?follow=false&after=0' })
    await client.ended
    const enrolled = client.events().find(({ type }) => type === 'node.enrolled')
    expect(enrolled?.['after']).toEqual({ again: false })
    const others = client.events().filter(({ type }) => !type.startsWith('token.'))
    expect(JSON.stringify(others)).not.toMatch(/127\.0\.0\.1|req_|tok_|"(?:address|requestId|actorId|hash)"/)
  })
})
