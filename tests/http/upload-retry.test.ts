import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const ONE = tarball({ f: '1' })
const TWO = tarball({ f: '2' })

/** Uploads without a number; `key` says that it is the same upload when it is sent again. */
async function upload(hub: TestHub, bytes: Buffer, key: string, app = 'shop', token?: string) {
  return await hub
    .as(token)
    .post(`/api/v1/apps/${app}/builds`)
    .set('Idempotency-Key', key)
    .attach('tarball', bytes, 'x.tar.gz')
}

test('an upload without a number, sent again under its key, is the same build', async () => {
  await using hub = await createTestHub()
  const [first, again] = [await upload(hub, ONE, 'job-7'), await upload(hub, ONE, 'job-7')]
  expect([first.status, again.status]).toEqual([201, 200])
  expect(again.body).toMatchObject({ build: 1, promotions: first.body.promotions })
  expect((await upload(hub, ONE, 'job-8')).body).toMatchObject({ build: 2 })
})

test('uploads under one key at once make one build', async () => {
  await using hub = await createTestHub()
  const replies = await Promise.all([1, 2, 3].map(async () => await upload(hub, ONE, 'job-7')))
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 201])
  expect((await hub.as().get('/api/v1/apps/shop/builds')).body.items).toHaveLength(1)
})

test('other bytes under a used key are refused', async () => {
  await using hub = await createTestHub()
  await upload(hub, ONE, 'job-7')
  expect((await upload(hub, TWO, 'job-7')).body).toMatchObject({ status: 409, code: 'build.duplicate' })
  expect((await upload(hub, TWO, 'job-7', 'desk')).body).toMatchObject({
    status: 409,
    code: 'request.idempotency_mismatch',
  })
  expect(await hub.storedFiles()).toHaveLength(1)
})

test('a key that another change used is refused, and the other way round', async () => {
  await using hub = await createTestHub()
  await upload(hub, ONE, 'k1')
  const promotion = { app: 'shop', build: 1, environment: 'production' }
  const promote = async (key: string) =>
    await hub.as().post('/api/v1/promotions').set('Idempotency-Key', key).send(promotion)
  expect((await promote('k1')).body).toMatchObject({ code: 'request.idempotency_mismatch' })
  expect((await promote('k2')).status).toBe(201)
  expect((await upload(hub, TWO, 'k2')).body).toMatchObject({ code: 'request.idempotency_mismatch' })
  expect((await hub.as().get('/api/v1/apps/shop/builds')).body.items).toHaveLength(1)
})

test('a refused upload does not use up its key', async () => {
  await using hub = await createTestHub()
  expect((await upload(hub, tarball({ '../x': '' }), 'job-7')).status).toBe(422)
  expect((await upload(hub, ONE, 'job-7')).status).toBe(201)
})

test('the key of one uploader is none of another’s', async () => {
  await using hub = await createTestHub()
  const other = await hub.token('developer')
  await upload(hub, ONE, 'job-7')
  expect((await upload(hub, ONE, 'job-7', 'shop', other)).body).toMatchObject({ build: 2 })
})

test('a build that comes after a later one is taken with a warning: nodes will not go to it', async () => {
  await using hub = await createTestHub()
  const warnings = async (build: string, bytes: Buffer) =>
    (await hub.upload('shop', bytes, { build })).body.warnings
  expect(await warnings('45', ONE)).toEqual([])
  expect(await warnings('7', TWO)).toMatchObject([{ code: 'build.older_than_newest' }])
  expect(await warnings('7', TWO)).toEqual([])
  expect(await warnings('46', TWO)).toEqual([])
})
