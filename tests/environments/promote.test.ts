import { describe, expect, test } from 'vitest'
import { PROMOTION_MOVES } from '../../src/environments/promotion.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const BYTES = tarball({ 'shop/run': 'hi' })

async function oidOf(hub: TestHub, environment: string, path: string): Promise<string | undefined> {
  const [, folder = '', name = ''] = /^(.*)\/([^/]+)$/.exec(path) ?? []
  const { body } = await hub.as().get(`/overlays/${environment}/tree/${folder}`)
  const items = (body.items ?? []) as { name: string; oid: string }[]
  return items.find((item) => item.name === name)?.oid
}

async function revisionOf(hub: TestHub, environment: string): Promise<number> {
  return (await hub.as().get(`/api/v1/environments/${environment}`)).body.overlay.revision as number
}

async function eligibility(hub: TestHub, build: number, environment: string) {
  return (await hub.as().get(`/api/v1/apps/shop/builds/${String(build)}/eligibility/${environment}`)).body
}

test('a promotion publishes the same texts: ebuild and cache entry have one id in both overlays', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES, { build: '45', version: '1.2.3' })
  const reply = await hub.promote('shop', 45, 'production')
  expect(reply.status, reply.text).toBe(201)
  expect(reply.headers['location']).toBe(`/api/v1/promotions/${reply.body.id}`)
  expect(reply.body).toMatchObject({
    app: 'shop',
    build: 45,
    environment: 'production',
    state: 'released',
    requestedBy: 'HUB_ADMIN_TOKEN',
    revision: 2,
    published: { revision: 2 },
  })
  for (const path of ['app-hub/shop/shop-1.2.3_p45.ebuild', 'metadata/md5-cache/app-hub/shop-1.2.3_p45']) {
    const oid = await oidOf(hub, 'production', path)
    expect(oid).toMatch(/^[0-9a-f]{40}$/)
    expect(oid).toBe(await oidOf(hub, 'staging', path))
  }
  expect((await hub.as().get(reply.headers['location'] ?? '')).body).toMatchObject({ id: reply.body.id })
})

test('the same promotion again gives back the first and makes no revision', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES, { build: '1' })
  const first = await hub.promote('shop', 1, 'production')
  const again = await hub.promote('shop', 1, 'production')
  expect(again.status).toBe(200)
  expect(again.body).toMatchObject({ id: first.body.id, published: null })
  expect(await revisionOf(hub, 'production')).toBe(2)
})

test('the same promotion twice at once is one promotion', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES, { build: '1' })
  const replies = await Promise.all([1, 2, 3].map(async () => await hub.promote('shop', 1, 'production')))
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 201])
  expect(new Set(replies.map(({ body }) => body.id)).size).toBe(1)
  expect(await revisionOf(hub, 'production')).toBe(2)
})

test('a build goes through every environment in its order, two productions as well', async () => {
  const order = ['dev', 'qa', 'production-eu', 'production-us']
  await using hub = await createTestHub({ HUB_ENVIRONMENTS: order.join(' ') })
  const { items } = (await hub.as().get('/api/v1/environments')).body as { items: { name: string }[] }
  expect(items.map(({ name }) => name)).toEqual(order)
  await hub.upload('shop', BYTES, { build: '1' })
  for (const environment of order.slice(1)) {
    const reply = await hub.promote('shop', 1, environment)
    expect(reply.body).toMatchObject({ status: 409, code: 'promotion.not_eligible' })
    expect(reply.body.rules).toMatchObject([{ code: 'environment.previous', state: 'unmet' }])
  }
  for (const environment of order) expect((await hub.promote('shop', 1, environment)).status).toBe(201)
})

test('a refused promotion is recorded with its cause, and publishes nothing', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES, { build: '1', promote: 'false' })
  await hub.promote('shop', 1, 'production')
  expect((await hub.as().get('/api/v1/promotions')).body.items).toMatchObject([
    {
      environment: 'production',
      state: 'refused',
      detail: 'It is not released in staging.',
      releaseId: null,
    },
  ])
  expect(await revisionOf(hub, 'production')).toBe(1)
})

test('eligibility gives the answer that a promotion would give, with what to do', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES, { build: '1', promote: 'false' })
  const before = await eligibility(hub, 1, 'production')
  expect(before).toEqual({
    eligible: false,
    policyVersion: 0,
    rules: [
      {
        code: 'environment.previous',
        state: 'unmet',
        detail: 'It is not released in staging.',
        since: null,
        by: null,
        toMeet: 'Promote it to staging first.',
      },
    ],
  })
  expect((await hub.promote('shop', 1, 'production')).body.rules).toEqual(before.rules)
  await hub.promote('shop', 1, 'staging')
  expect(await eligibility(hub, 1, 'production')).toMatchObject({ eligible: true })
})

test('a dry run tells what would change and changes nothing', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES, { build: '1' })
  const body = { app: 'shop', build: 1, environment: 'production' }
  const reply = await hub.as().post('/api/v1/promotions?dryRun=true').send(body)
  expect(reply.status).toBe(200)
  expect(reply.body).toMatchObject({
    dryRun: true,
    state: 'released',
    published: { revision: 2, commit: null },
  })
  expect(reply.body.published.changes).toContainEqual({
    path: 'app-hub/shop/shop-0_p1.ebuild',
    action: 'write',
  })
  expect(await revisionOf(hub, 'production')).toBe(1)
  expect((await hub.as().get('/api/v1/promotions')).body.items).toHaveLength(1)
  expect(await hub.hub.blobs.mirrored('production')).toEqual([])
})

test.each([
  [{ app: 'shop', build: 9, environment: 'production' }, 404, 'build.unknown'],
  [{ app: 'none', build: 1, environment: 'production' }, 404, 'build.unknown'],
  [{ app: 'shop', build: 1, environment: 'moon' }, 404, 'environment.unknown'],
  [{ app: 'shop', build: 1.5, environment: 'production' }, 400, 'request.invalid'],
  [{ app: 'shop', build: 1, environment: 'production', force: true }, 400, 'request.invalid'],
])('%j is refused', async (body, status, code) => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES, { build: '1' })
  const reply = await hub.as().post('/api/v1/promotions').send(body)
  expect(reply.body).toMatchObject({ status, code })
  expect(await revisionOf(hub, 'production')).toBe(1)
})

test('each state of a promotion leads only to states that there are', () => {
  for (const next of Object.values(PROMOTION_MOVES).flat())
    expect(Object.keys(PROMOTION_MOVES)).toContain(next)
})

describe('the newest releases', () => {
  const listed = async (hub: TestHub) => {
    const { body } = await hub.as().get('/overlays/staging/tree/app-hub/shop')
    return (body.items as { name: string }[])
      .map(({ name }) => name)
      .filter((name) => name.endsWith('.ebuild'))
  }

  test('are listed, older ones leave the overlay and stay on the mirror', async () => {
    await using hub = await createTestHub({ HUB_KEEP_RELEASES: '3' })
    for (let build = 1; build <= 5; build++)
      await hub.upload('shop', tarball({ f: String(build) }), { build: String(build) })
    expect(await listed(hub)).toEqual(['shop-0_p3.ebuild', 'shop-0_p4.ebuild', 'shop-0_p5.ebuild'])
    const manifest = (await hub.as().get('/overlays/staging/tree/app-hub/shop/Manifest')).text
    expect(
      manifest
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ')[1]),
    ).toEqual(['hub-shop-0_p3.tar.gz', 'hub-shop-0_p4.tar.gz', 'hub-shop-0_p5.tar.gz'])
    const cache = (await hub.as().get('/overlays/staging/tree/metadata/md5-cache/app-hub')).body.items
    expect(cache.map(({ name }: { name: string }) => name)).toEqual(['shop-0_p3', 'shop-0_p4', 'shop-0_p5'])
    for (let build = 1; build <= 5; build++) {
      const name = `hub-shop-0_p${String(build)}.tar.gz`
      expect((await hub.as().get(`/distfiles/staging/${name}`)).status).toBe(200)
    }
    expect((await hub.as().get('/api/v1/environments/staging/releases')).body.items).toHaveLength(5)
  })

  test('are the newest by version, whatever came last', async () => {
    await using hub = await createTestHub({ HUB_KEEP_RELEASES: '2' })
    for (const [build, version] of [
      ['1', '2.0.0'],
      ['2', '1.0.0'],
      ['3', '2.0.0-rc.1'],
      ['4', '1.5.0'],
    ] as const)
      await hub.upload('shop', tarball({ f: build }), { build, version })
    expect(await listed(hub)).toEqual(['shop-2.0.0_p1.ebuild', 'shop-2.0.0_rc1_p3.ebuild'])
  })

  test('of one app do not push out those of another', async () => {
    await using hub = await createTestHub({ HUB_KEEP_RELEASES: '1' })
    await hub.upload('shop', tarball({ f: '1' }), { build: '1' })
    for (const build of ['1', '2']) await hub.upload('desk', tarball({ f: build }), { build })
    expect(await listed(hub)).toEqual(['shop-0_p1.ebuild'])
  })
})
