/** An enrolment whose answer never came: the one who asked gets it again, and nobody else does. */
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { expect, test } from 'vitest'
import { reportOf } from '../support/node-reports.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const MACHINE = '0123456789abcdef'.repeat(2)
const retrySecret = randomBytes(32).toString('hex')
const BODY = { name: 'web1', environment: 'staging', machineId: MACHINE, retrySecret }

async function enrolToken(hub: TestHub, scope: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return await hub.token('enrol', { environments: ['staging'], ...scope })
}

async function post(hub: TestHub, token: string, change: object = {}, query = '') {
  return await hub
    .as(token)
    .post(`/api/v1/nodes${query}`)
    .send({ ...BODY, ...change })
}

async function isAlive(hub: TestHub, token: unknown): Promise<boolean> {
  return (await hub.as(String(token)).get('/api/v1/whoami')).status === 200
}

/** Sends the enrolment, and is gone when the hub has made the node: over any answer that it would give. */
async function enrolAndHangUp(hub: TestHub, token: string): Promise<void> {
  const body = JSON.stringify(BODY)
  const post = request(`${hub.url}/api/v1/nodes`, {
    method: 'POST',
    headers: {
      ...{ Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      'Content-Length': Buffer.byteLength(body),
    },
  })
  post.on('error', () => undefined)
  post.end(body)
  await expect.poll(async () => await hub.hub.records.nodes.find('web1'), { timeout: 20_000 }).toBeDefined()
  post.destroy()
}

test('a hub that died between the node and its answer gives the answer when it is asked again', async () => {
  const hub = await createTestHub()
  const secret = await enrolToken(hub)
  await enrolAndHangUp(hub, secret)
  const lost = await hub.hub.records.nodes.find('web1')
  await using again = await hub.restart()
  again.clock.set('2026-01-02T04:00:00Z')

  const reply = await post(again, secret)
  expect(reply.status, reply.text).toBe(201)
  expect(reply.body.node).toMatchObject({ name: 'web1', machineId: MACHINE, enrolledAt: lost?.enrolledAt })
  const { token } = reply.body as { readonly token: string }
  const whoami = (await again.as(token).get('/api/v1/whoami')).body
  expect(whoami).toMatchObject({ role: 'node', node: 'web1', environments: ['staging'] })
  const { items } = (await again.as().get('/api/v1/tokens')).body as {
    readonly items: readonly { readonly id: string; readonly node: string | null; revokedAt: string | null }[]
  }
  const ofNode = items.filter(({ node }) => node === 'web1')
  expect(ofNode.map(({ id, revokedAt }) => [id === lost?.tokenId, revokedAt === null])).toEqual([
    [true, false],
    [false, true],
  ])
})

test('work that ends between the two leaves the same, and each answer ends the token of the one before', async () => {
  let isToFail = true
  const reached = (step: string): void => {
    if (step === 'enrol.recorded' && isToFail) throw new Error('ended there')
  }
  await using hub = await createTestHub({}, { steps: { reached } })
  const secret = await enrolToken(hub)
  expect((await post(hub, secret)).status).toBe(500)
  isToFail = false
  const first = (await post(hub, secret)).body as { readonly token: string }
  const second = (await post(hub, secret)).body as { readonly token: string }
  expect(first.token).not.toBe(second.token)
  expect([await isAlive(hub, first.token), await isAlive(hub, second.token)]).toEqual([false, true])
  expect((await hub.as().get('/api/v1/nodes')).body.items).toHaveLength(1)
})

test.each<[string, object]>([
  ['without the secret', { retrySecret: null }],
  ['with another secret', { retrySecret: 'f'.repeat(64) }],
  ['for another node', { name: 'web2' }],
  ['for another machine', { machineId: 'f'.repeat(32) }],
  ['for no machine', { machineId: null }],
])('whoever has the used token and asks %s gets nothing, and learns nothing', async (_what, change) => {
  await using hub = await createTestHub()
  const secret = await enrolToken(hub)
  const { token } = (await post(hub, secret)).body as { readonly token: string }
  await hub.as().post('/api/v1/nodes').send({ name: 'taken', environment: 'staging' })
  for (const tried of [change, { ...change, name: 'taken' }]) {
    for (const query of ['', '?dryRun=true']) {
      const reply = await post(hub, secret, tried, query)
      expect(reply.body).toMatchObject({ status: 401, code: 'auth.invalid' })
    }
  }
  expect(await isAlive(hub, token)).toBe(true)
})

test('another token does not help who knows the secret, and a token is of one environment', async () => {
  await using hub = await createTestHub()
  const secret = await enrolToken(hub)
  const { token } = (await post(hub, secret)).body as { readonly token: string }
  expect((await post(hub, await enrolToken(hub))).body.code).toBe('node.exists')
  expect((await post(hub, ADMIN_TOKEN)).body.code).toBe('node.exists')
  expect((await post(hub, secret, { environment: 'production' })).body.code).toBe('auth.forbidden')
  expect(await isAlive(hub, token)).toBe(true)
})

test('it is over once the node reported, left, or a day has gone by, and with the time of the token', async () => {
  await using hub = await createTestHub()
  const reported = await enrolToken(hub)
  const { token } = (await post(hub, reported)).body as { readonly token: string }
  await hub.as(token).post('/api/v1/nodes/web1/report').send(reportOf([]))
  expect((await post(hub, reported)).body.code).toBe('auth.invalid')
  expect(await isAlive(hub, token)).toBe(true)

  const left = await enrolToken(hub)
  expect((await post(hub, left, { name: 'web2' })).status).toBe(201)
  await hub.as().delete('/api/v1/nodes/web2')
  expect((await post(hub, left, { name: 'web2' })).body.code).toBe('auth.invalid')

  const late = await enrolToken(hub)
  const short = await enrolToken(hub, { expiresIn: '1h' })
  await post(hub, late, { name: 'web3' })
  await post(hub, short, { name: 'web4' })
  hub.clock.set('2026-01-02T04:04:06Z')
  expect((await post(hub, short, { name: 'web4' })).body.code).toBe('auth.invalid')
  hub.clock.set('2026-01-03T03:04:05Z')
  expect((await post(hub, late, { name: 'web3' })).status).toBe(201)
  hub.clock.set('2026-01-03T03:04:06Z')
  expect((await post(hub, late, { name: 'web3' })).body.code).toBe('auth.invalid')
})

test('a token that an administrator took back before it was used stays dead', async () => {
  await using hub = await createTestHub()
  const secret = await enrolToken(hub)
  const { items } = (await hub.as().get('/api/v1/tokens')).body as {
    readonly items: readonly { readonly id: string; readonly role: string }[]
  }
  await hub.as().delete(`/api/v1/tokens/${items.find(({ role }) => role === 'enrol')?.id ?? ''}`)
  expect((await post(hub, secret)).body).toMatchObject({ status: 401, code: 'auth.invalid' })
  expect((await hub.as().get('/api/v1/nodes')).body.items).toEqual([])
})

test('a used token opens no other address, and no other method of this one', async () => {
  await using hub = await createTestHub()
  const secret = await enrolToken(hub)
  await post(hub, secret)
  const statuses = [
    (await hub.as(secret).get('/api/v1/whoami')).status,
    (await hub.as(secret).get('/api/v1/nodes')).status,
    (await hub.as(secret).post('/api/v1/tokens').send({})).status,
    (await hub.as(secret).get('/git/staging.git/info/refs?service=git-upload-pack')).status,
  ]
  expect(statuses).toEqual([401, 401, 401, 401])
})

test('with an Idempotency-Key the token is given again too, and the key alone gives nothing', async () => {
  await using hub = await createTestHub()
  const ask = async (token: string, change: object = {}) =>
    await hub
      .as(token)
      .post('/api/v1/nodes')
      .set('Idempotency-Key', 'k')
      .send({ ...BODY, ...change })
  const secret = await enrolToken(hub)
  expect((await ask(secret)).body.token).toMatch(/^phub_/)
  expect((await ask(secret)).body.token).toMatch(/^phub_/)
  expect((await ask(secret, { retrySecret: null })).body.code).toBe('auth.invalid')
  const byAdministrator = { name: 'web2', retrySecret: 'a'.repeat(64) }
  expect((await ask(ADMIN_TOKEN, byAdministrator)).body.token).toMatch(/^phub_/)
  expect((await ask(ADMIN_TOKEN, byAdministrator)).body.token).toMatch(/^phub_/)
})

test.each([['short'], ['F'.repeat(64)], [''], [1]])('the secret %j is none', async (given) => {
  await using hub = await createTestHub()
  const reply = await post(hub, await enrolToken(hub), { retrySecret: given })
  expect(reply.body).toMatchObject({ status: 400, code: 'request.invalid' })
})
