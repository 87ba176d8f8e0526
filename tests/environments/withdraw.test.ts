import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const MASK = '/overlays/staging/tree/profiles/package.mask/portage-hub-withdrawn'

async function upload(hub: TestHub, build: number): Promise<void> {
  await hub.upload('shop', tarball({ f: String(build) }), { build: String(build) })
}

async function releaseOf(hub: TestHub, build: number, environment = 'staging'): Promise<string> {
  const { body } = await hub.as().get(`/api/v1/environments/${environment}/releases?state=released`)
  return body.items.find((item: { build: number }) => item.build === build).id as string
}

async function withdraw(hub: TestHub, build: number, reason: string, environment = 'staging', query = '') {
  const id = await releaseOf(hub, build, environment)
  return await hub
    .as()
    .post(`/api/v1/environments/${environment}/releases/${id}/withdraw${query}`)
    .send({ reason })
}

async function promote(hub: TestHub, build: number, body: Record<string, unknown> = {}) {
  return await hub
    .as()
    .post('/api/v1/promotions')
    .send({ app: 'shop', build, environment: 'staging', ...body })
}

async function maskText(hub: TestHub): Promise<string | null> {
  const reply = await hub.as().get(MASK)
  return reply.status === 404 ? null : reply.text
}

test('a withdrawn release is masked with who, when and why; its ebuild and distfile stay', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await upload(hub, 2)
  const reply = await withdraw(hub, 2, 'it loses orders')
  expect(reply.status, reply.text).toBe(200)
  expect(reply.body).toMatchObject({
    state: 'withdrawn',
    withdrawnBy: 'HUB_ADMIN_TOKEN',
    withdrawnAt: '2026-01-02T03:04:05Z',
    withdrawnRevision: 4,
    reason: 'it loses orders',
    published: { revision: 4 },
  })
  expect(await maskText(hub)).toBe('# HUB_ADMIN_TOKEN (2026-01-02)\n# it loses orders\n=app-hub/shop-0_p2\n')
  expect((await hub.as().get('/overlays/staging/tree/app-hub/shop/shop-0_p2.ebuild')).status).toBe(200)
  expect((await hub.as().get('/distfiles/staging/hub-shop-0_p2.tar.gz')).status).toBe(200)
  expect((await hub.as().get('/api/v1/apps/shop/builds/2')).body.releases).toMatchObject([
    { state: 'withdrawn' },
  ])
})

test('what was withdrawn does not come back by itself', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await withdraw(hub, 1, 'bad')
  await upload(hub, 1)
  await upload(hub, 2)
  expect(await maskText(hub)).toContain('=app-hub/shop-0_p1')
  const again = await promote(hub, 1)
  expect(again.body).toMatchObject({ status: 409, code: 'promotion.not_eligible' })
  expect(again.body.rules).toMatchObject([
    { code: 'environment.withdrawn', state: 'unmet', detail: expect.stringContaining('bad') },
  ])
  await using restarted = await hub.restart()
  expect(await maskText(restarted)).toContain('=app-hub/shop-0_p1')
})

test('what was withdrawn from staging is not promoted to production', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await withdraw(hub, 1, 'bad')
  const reply = await hub.promote('shop', 1, 'production')
  expect(reply.body).toMatchObject({ status: 409, code: 'promotion.not_eligible' })
})

test('a withdrawal is lifted only by whoever says so, and may be made again', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await withdraw(hub, 1, 'bad')
  const lifted = await promote(hub, 1, { liftWithdrawal: true })
  expect(lifted.status, lifted.text).toBe(201)
  expect(await maskText(hub)).toBeNull()
  expect((await promote(hub, 1)).body).toMatchObject({ id: lifted.body.id })
  expect((await withdraw(hub, 1, 'bad again')).status).toBe(200)
  expect(await maskText(hub)).toContain('bad again')
  expect((await hub.as().get('/api/v1/environments/staging/releases')).body.items).toHaveLength(2)
})

test('a release that is withdrawn already, or is none, is refused', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  const id = await releaseOf(hub, 1)
  await withdraw(hub, 1, 'bad')
  const path = (environment: string, release: string) =>
    `/api/v1/environments/${environment}/releases/${release}/withdraw`
  const post = async (at: string, body: object = { reason: 'x' }) => (await hub.as().post(at).send(body)).body
  expect(await post(path('staging', id))).toMatchObject({ status: 409, code: 'release.already_withdrawn' })
  expect(await post(path('production', id))).toMatchObject({ status: 404, code: 'release.unknown' })
  expect(await post(path('staging', 'rel_none'))).toMatchObject({ status: 404, code: 'release.unknown' })
  expect(await post(path('moon', id))).toMatchObject({ status: 404, code: 'environment.unknown' })
  for (const reason of ['', '  ', 'x'.repeat(501), 'a\nb', 'a\u202eb', 7, undefined])
    expect(await post(path('staging', id), { reason })).toMatchObject({
      status: 400,
      code: 'request.invalid',
    })
})

test('a dry run shows the mask that would be and makes none', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  const reply = await withdraw(hub, 1, 'bad', 'staging', '?dryRun=true')
  expect(reply.body).toMatchObject({
    state: 'withdrawn',
    published: { commit: null, changes: [{ action: 'write' }] },
  })
  expect(await maskText(hub)).toBeNull()
  expect((await withdraw(hub, 1, 'bad')).status).toBe(200)
})

test('a withdrawn release stays masked while it is listed, and goes with its ebuild', async () => {
  await using hub = await createTestHub({ HUB_KEEP_RELEASES: '2' })
  await upload(hub, 1)
  await withdraw(hub, 1, 'bad')
  await upload(hub, 2)
  expect(await maskText(hub)).toContain('=app-hub/shop-0_p1')
  await upload(hub, 3)
  expect(await maskText(hub)).toBeNull()
  expect((await hub.as().get('/overlays/staging/tree/app-hub/shop/shop-0_p1.ebuild')).status).toBe(404)
})

test('production is not touched by a withdrawal from staging', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await hub.promote('shop', 1, 'production')
  const before = (await hub.as().get('/api/v1/environments/production')).body.overlay
  await withdraw(hub, 1, 'bad')
  expect((await hub.as().get('/api/v1/environments/production')).body.overlay).toEqual(before)
  expect((await withdraw(hub, 1, 'bad there too', 'production')).status).toBe(200)
})

test.each([
  "'; touch /x; '",
  '$(touch /x) `id`',
  '=app-hub/shop-0_p2',
  '# x',
  '*/* -n ../..',
  '<script>alert(1)</script>',
  ' \t x',
  '  =a/b-1 ',
  '😀'.repeat(100),
])('the reason %j becomes one comment and nothing else, or is refused', async (reason) => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  const reply = await withdraw(hub, 1, reason)
  if (reply.status === 400) return
  expect(reply.status).toBe(200)
  const lines = ((await maskText(hub)) ?? '').split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[1]).toMatch(/^# /)
  expect(lines[2]).toBe('=app-hub/shop-0_p1')
})

test.each(['a\nb', 'a\0b', 'a\u2028b', 'a\u202eb', 'a\ud800', '\u001b[31m'])(
  'the reason %j is refused: it hides something from who reads it',
  async (reason) => {
    await using hub = await createTestHub()
    await upload(hub, 1)
    expect((await withdraw(hub, 1, reason)).body).toMatchObject({ status: 400, code: 'request.invalid' })
    expect(await maskText(hub)).toBeNull()
  },
)
