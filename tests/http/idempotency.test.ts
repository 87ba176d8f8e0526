import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pruneIdempotencyKeys } from '../../src/jobs/prune-idempotency-keys.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
  for (let build = 1; build <= 5; build++)
    await hub.upload('shop', tarball({ f: String(build) }), { build: String(build) })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function promote(build: number, key: string, token?: string) {
  return await hub
    .as(token)
    .post('/api/v1/promotions')
    .set('Idempotency-Key', key)
    .send({ app: 'shop', build, environment: 'production' })
}

test('the same change again gets the first answer', async () => {
  const first = await promote(1, 'one')
  const again = await promote(1, 'one')
  expect([first.status, again.status]).toEqual([201, 201])
  expect(again.body).toEqual(first.body)
  expect(first.headers['idempotency-replayed']).toBeUndefined()
  expect(again.headers['idempotency-replayed']).toBe('true')
})

test('the same key with another change is refused', async () => {
  await promote(2, 'two')
  const other = await promote(3, 'two')
  expect(other.body).toMatchObject({ status: 409, code: 'request.idempotency_mismatch' })
  expect((await hub.as().get('/api/v1/apps/shop/builds/3')).body.releases).toHaveLength(1)
})

test('two at the same time are carried out once', async () => {
  const replies = await Promise.all([promote(4, 'four'), promote(4, 'four'), promote(4, 'four')])
  expect(replies.map(({ status }) => status)).toEqual([201, 201, 201])
  expect(new Set(replies.map(({ body }) => body.id)).size).toBe(1)
  expect(replies.filter(({ headers }) => headers['idempotency-replayed'] === 'true')).toHaveLength(2)
})

test('the key of one token is no key of another', async () => {
  const promoter = await hub.token('release-manager')
  await promote(1, 'shared')
  const other = await promote(2, 'shared', promoter)
  expect(other.status).toBe(200)
})

test('a refusal is not kept: the same key may be tried again', async () => {
  await using own = await createTestHub()
  await own.upload('shop', tarball({ f: '' }), { build: '1', promote: 'false' })
  const ask = async (environment: string) =>
    await own
      .as()
      .post('/api/v1/promotions')
      .set('Idempotency-Key', 'k')
      .send({ app: 'shop', build: 1, environment })
  expect((await ask('production')).status).toBe(409)
  await own.promote('shop', 1, 'staging')
  expect((await ask('production')).status).toBe(201)
})

test.each(['', ' ', 'a b', 'x'.repeat(256), 'é'])('the key %j is refused or counts as none', async (key) => {
  const reply = await hub
    .as()
    .post('/api/v1/promotions?dryRun=true')
    .set('Idempotency-Key', Buffer.from(key).toString('latin1'))
    .send({ app: 'shop', build: 5, environment: 'production' })
  expect(reply.body).toMatchObject({ status: 400, code: 'request.invalid' })
})

test('reading takes no notice of it', async () => {
  const reply = await hub.as().get('/api/v1/apps').set('Idempotency-Key', 'one')
  expect(reply.headers['idempotency-replayed']).toBeUndefined()
})

test('who has no token is told so', async () => {
  const reply = await hub.as(null).post('/api/v1/promotions').set('Idempotency-Key', 'k').send({})
  expect(reply.body).toMatchObject({ status: 401, code: 'auth.required' })
})

test('making a token again under one key makes no second one, and its secret is kept nowhere', async () => {
  const make = async () =>
    await hub.as().post('/api/v1/tokens').set('Idempotency-Key', 'token').send({ name: 'ci', role: 'reader' })
  const [first, again] = [await make(), await make()]
  expect(first.body.token).toMatch(/^phub_/)
  expect(again.body).toMatchObject({ id: first.body.id, token: null })
})

test('making a webhook again under one key makes no second one, and its secret is kept nowhere', async () => {
  const make = async () =>
    await hub
      .as()
      .post('/api/v1/webhooks')
      .set('Idempotency-Key', 'hook')
      .send({ url: 'http://localhost:9/' })
  const [first, again] = [await make(), await make()]
  expect(first.body.secret).toMatch(/^whsec_/)
  expect(again.body).toMatchObject({ id: first.body.id, secret: null })
})

describe('answers', () => {
  test('are forgotten after a day', async () => {
    await using own = await createTestHub()
    const make = async () =>
      (await own.as().post('/api/v1/tokens').set('Idempotency-Key', 'k').send({ name: 'ci', role: 'reader' }))
        .body.id as string
    const first = await make()
    own.clock.set('2026-01-03T02:00:00Z')
    await pruneIdempotencyKeys(own.hub)
    expect(await make()).toBe(first)
    own.clock.set('2026-01-03T04:00:00Z')
    await pruneIdempotencyKeys(own.hub)
    expect(await make()).not.toBe(first)
  })
})
