/** Release sets: builds of several apps, promoted together as one revision or not at all. */
import { describe, expect, test } from 'vitest'
import { advanceWaiting } from '../../src/environments/promote.ts'
import { cliOf } from '../cli/support.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { findingsOf } from '../support/verify.ts'

const SAME_ADDRESS = { HUB_PUBLIC_URL: 'https://hub.example' }
const SET = [
  { app: 'shop', build: 1 },
  { app: 'cart', build: 1 },
]
interface Told {
  readonly id: string
  readonly state: string
  readonly set: readonly { readonly id: string; readonly app: string; readonly build: number }[]
}

/** Both apps in staging. */
async function open(env: Readonly<Record<string, string>> = {}): Promise<TestHub> {
  const hub = await createTestHub(env)
  for (const app of ['shop', 'cart']) await upload(hub, app, 1)
  return hub
}
async function upload(hub: TestHub, app: string, build: number): Promise<void> {
  const reply = await hub.upload(app, tarball({ f: `${app} ${String(build)}` }), { build: String(build) })
  expect(reply.status, reply.text).toBe(201)
}
const ask = async (hub: TestHub, more: object = {}, query = '', token?: string) =>
  await hub
    .as(token)
    .post(`/api/v1/promotions${query}`)
    .send({ set: SET, environment: 'production', ...more })
const policy = async (hub: TestHub, body: object) => {
  const reply = await hub.as().put('/api/v1/environments/production/policy').send(body)
  expect(reply.status, reply.text).toBe(200)
}
const check = async (hub: TestHub, app: string, status: string, build = 1) => {
  const path = `/api/v1/apps/${app}/builds/${String(build)}/checks`
  const reply = await hub.as().post(path).send({ stage: 'commit', name: 'unit', status })
  expect(reply.status, reply.text).toBe(201)
}
const show = async (hub: TestHub, id: string) => (await hub.as().get(`/api/v1/promotions/${id}`)).body
const states = async (hub: TestHub, { set }: Told) =>
  await Promise.all(set.map(async ({ id }) => (await show(hub, id)).state as string))
const released = async (hub: TestHub) => {
  const { body } = await hub.as().get('/api/v1/environments/production/releases')
  return (body.items as { app: string; build: number; revision: number }[]).map(
    ({ app, build, revision }) => `${app} ${String(build)} @${String(revision)}`,
  )
}
const revisionOf = async (hub: TestHub): Promise<number> =>
  (await hub.as().get('/api/v1/environments/production')).body.overlay.revision
const say = async (hub: TestHub, id: string, verb: string, token?: string, body: object = {}) =>
  await hub.as(token).post(`/api/v1/promotions/${id}/${verb}`).send(body)

test('all of a set are released by one revision, each with a promotion of its own', async () => {
  await using hub = await open()
  const before = await revisionOf(hub)
  const reply = await ask(hub)
  expect(reply.status, reply.text).toBe(201)
  const told = reply.body as Told
  expect(told).toMatchObject({
    ...{ app: 'shop', build: 1, environment: 'production', state: 'released', revision: before + 1 },
    set: SET,
    published: { revision: before + 1 },
  })
  expect(reply.headers['location']).toBe(`/api/v1/promotions/${told.id}`)
  expect(await released(hub)).toEqual([`cart 1 @${String(before + 1)}`, `shop 1 @${String(before + 1)}`])
  for (const { id, app } of told.set)
    expect(await show(hub, id)).toMatchObject({ id, app, state: 'released', set: told.set, rules: null })
  const { body: revision } = await hub
    .as()
    .get(`/api/v1/environments/production/revisions/${String(before + 1)}`)
  expect(revision.message).toBe(
    'Release 2 builds together\n\napp-hub/shop: add 0_p1\n\nBuild: 1\n\napp-hub/cart: add 0_p1\n\nBuild: 1\n',
  )
  for (const name of ['hub-shop-0_p1.tar.gz', 'hub-cart-0_p1.tar.gz'])
    expect((await hub.as().get(`/distfiles/production/${name}`)).status).toBe(200)
  const { items } = (await hub.as().get('/api/v1/promotions?environment=production')).body
  expect(items).toMatchObject([
    { app: 'cart', set: SET },
    { app: 'shop', set: SET },
  ])
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
})

test('apps of different categories come into a new overlay together', async () => {
  await using hub = await createTestHub()
  for (const app of ['shop', 'cart'])
    await hub.upload(app, tarball({ f: app }), { build: '1', recipe: `category: app-${app}\n` })
  expect((await ask(hub)).status).toBe(201)
  const categories = (await hub.as().get('/overlays/production/tree/profiles/categories')).text
  expect(categories).toContain('app-cart\napp-hub\napp-shop\n')
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
})

test('a set waits until all of it may go, and the one list of rules names whose each is', async () => {
  await using hub = await open()
  await policy(hub, { checks: { commit: ['unit'] } })
  const reply = await ask(hub)
  expect(reply.status, reply.text).toBe(202)
  const told = reply.body as Told & { readonly rules: object[]; readonly detail: string }
  expect(told).toMatchObject({
    state: 'checking',
    detail:
      'shop build 1: The commit check "unit" was never reported. cart build 1: The commit check "unit" was never reported.',
  })
  const shape = (rules: { app: string; build: number; code: string; state: string }[]) =>
    rules.map(({ app, build, code, state }) => `${app} ${String(build)} ${code} ${state}`)
  expect(shape(told.rules as never)).toEqual([
    ...['shop 1 environment.previous met', 'shop 1 check.commit unmet'],
    ...['cart 1 environment.previous met', 'cart 1 check.commit unmet'],
  ])
  await check(hub, 'shop', 'passed')
  expect(await states(hub, told)).toEqual(['checking', 'checking'])
  expect(await released(hub)).toEqual([])
  const why = (await hub.as().get('/api/v1/apps/shop/builds/1/eligibility/production')).body
  expect(why.eligible).toBe(false)
  expect(why.rules).toEqual((await show(hub, told.set[1]?.id ?? '')).rules)
  await check(hub, 'cart', 'passed')
  expect(await states(hub, told)).toEqual(['released', 'released'])
  expect(new Set((await released(hub)).map((text) => text.replace(/.*@/, ''))).size).toBe(1)
})

test('what one of them cannot meet ends all of it, and releases none', async () => {
  await using hub = await open()
  await policy(hub, { checks: { commit: ['unit'] } })
  const told = (await ask(hub)).body as Told
  await check(hub, 'shop', 'passed')
  await check(hub, 'cart', 'failed')
  expect(await states(hub, told)).toEqual(['refused', 'refused'])
  expect((await show(hub, told.id)).detail).toBe('cart build 1: The commit check "unit" failed.')
  const refused = await ask(hub)
  expect(refused.body).toMatchObject({ status: 409, code: 'promotion.not_eligible' })
  expect(refused.body.rules).toContainEqual(
    expect.objectContaining({ app: 'cart', code: 'check.commit', state: 'unmet' }),
  )
  expect(await released(hub)).toEqual([])
  expect(await revisionOf(hub)).toBe(1)
})

test.each(['hold', 'yank'])('a %s of one of them stops the set', async (how) => {
  await using hub = await open()
  await policy(hub, { soak: '1h' })
  const told = (await ask(hub)).body as Told
  expect(await states(hub, told)).toEqual(['scheduled', 'scheduled'])
  const stopped =
    how === 'hold'
      ? await hub.as().post('/api/v1/environments/production/holds').send({ app: 'cart', reason: 'not yet' })
      : await hub.as().post('/api/v1/apps/cart/builds/1/yank').send({ reason: 'not yet' })
  expect(stopped.status).toBe(201)
  expect(await states(hub, told)).toEqual(['refused', 'refused'])
  hub.clock.set('2026-01-02T05:00:00Z')
  await advanceWaiting(hub.hub)
  expect(await released(hub)).toEqual([])
})

test('one approval is of the whole set, from whoever has the role for each app of it', async () => {
  await using hub = await open()
  await policy(hub, { approvals: { count: 2, roles: ['approver', 'release-manager'] } })
  const ada = await hub.tokenOf('ada', 'release-manager')
  const told = (await ask(hub, {}, '', ada)).body as Told
  const [shop = '', cart = ''] = told.set.map(({ id }) => id)
  expect((await say(hub, cart, 'approve', ada)).body).toMatchObject({ code: 'promotion.own_request' })
  const partial = await hub.token('approver', { name: 'of cart', apps: ['cart'] })
  expect((await say(hub, cart, 'approve', partial)).body).toMatchObject({ status: 403 })
  const bob = await hub.tokenOf('bob', 'approver')
  const first = await say(hub, cart, 'approve', bob, { comment: 'fine' })
  expect(first.body).toMatchObject({ id: cart, state: 'awaiting_approval', approvals: [{ by: 'bob' }] })
  // The same approval, whichever of the set it is given for.
  expect((await say(hub, shop, 'approve', bob)).body.approvals).toHaveLength(1)
  const eve = await hub.tokenOf('eve', 'approver')
  expect((await say(hub, shop, 'approve', eve)).body).toMatchObject({ state: 'released' })
  expect(await states(hub, told)).toEqual(['released', 'released'])
})

test.each([
  ['reject', 'refused'],
  ['cancel', 'cancelled'],
])('to %s one of them is to do so with all', async (verb, state) => {
  await using hub = await open()
  await policy(hub, { approvals: { count: 1, roles: ['approver'] } })
  const told = (await ask(hub)).body as Told
  const reply = await say(hub, told.set[1]?.id ?? '', verb, undefined, { reason: 'too big' })
  expect(reply.body).toMatchObject({ app: 'cart', state })
  expect(await states(hub, told)).toEqual([state, state])
  expect((await say(hub, told.id, verb, undefined, { reason: 'x' })).body).toMatchObject({
    code: 'promotion.ended',
  })
})

test('asked for again it is the same set, also at the same time; with other builds it is another', async () => {
  await using hub = await open()
  await policy(hub, { soak: '1h' })
  const [one, two] = await Promise.all([ask(hub), ask(hub, { set: SET.toReversed() })])
  expect(
    new Set(
      [one.body.set, two.body.set].map((set: Told['set']) =>
        set
          .map(({ id }) => id)
          .toSorted()
          .join(),
      ),
    ).size,
  ).toBe(1)
  expect((await hub.as().get('/api/v1/promotions?environment=production')).body.items).toHaveLength(2)
  const hurried = await ask(hub, { override: { reason: 'the shop is down' } })
  expect(hurried.body).toMatchObject({ state: 'released', overrideReason: 'the shop is down' })
  const revision = await revisionOf(hub)
  const again = await ask(hub)
  expect(again.status).toBe(200)
  expect(again.body).toMatchObject({ id: hurried.body.id, state: 'released', published: null })
  expect(await revisionOf(hub)).toBe(revision)
  // One of it alone stands there by the same promotion.
  const alone = await hub.promote('cart', 1, 'production')
  expect(alone.status).toBe(200)
  expect(alone.body.set).toHaveLength(2)
})

test('one that stands there already stays as it is, and the others join it', async () => {
  await using hub = await open()
  expect((await hub.promote('shop', 1, 'production')).status).toBe(201)
  const reply = await ask(hub)
  expect(reply.status).toBe(201)
  expect(await released(hub)).toEqual(['cart 1 @3', 'shop 1 @2'])
  expect(
    await Promise.all((reply.body as Told).set.map(async ({ id }) => (await show(hub, id)).revision)),
  ).toEqual([2, 3])
})

describe('what takes the place of a set that waits', () => {
  test('is a newer promotion of one of its apps, and ends all of it', async () => {
    await using hub = await open()
    await policy(hub, { soak: '1h' })
    const told = (await ask(hub)).body as Told
    await upload(hub, 'cart', 2)
    const newer = (await hub.promote('cart', 2, 'production')).body as Told
    expect(await states(hub, told)).toEqual(['superseded', 'superseded'])
    expect(await show(hub, told.id)).toMatchObject({
      supersededBy: newer.id,
      detail: `Build 2 of cart was asked for by HUB_ADMIN_TOKEN (${newer.id}).`,
    })
    // The same build alone is another wish than with the others.
    const again = (await ask(hub)).body as Told
    const alone = (await hub.promote('shop', 1, 'production')).body as Told
    expect(alone).toMatchObject({ state: 'scheduled', set: null })
    expect(await states(hub, again)).toEqual(['superseded', 'superseded'])
  })

  test('is a newer set; and a set takes the place of what waits alone', async () => {
    await using hub = await open()
    await policy(hub, { soak: '1h' })
    const alone = (await hub.promote('cart', 1, 'production')).body as Told
    const first = (await ask(hub)).body as Told
    expect(await show(hub, alone.id)).toMatchObject({ state: 'superseded' })
    await upload(hub, 'shop', 2)
    const second = (await ask(hub, { set: [{ app: 'shop', build: 2 }, SET[1]] })).body as Told
    expect(await states(hub, first)).toEqual(['superseded', 'superseded'])
    expect(await states(hub, second)).toEqual(['scheduled', 'scheduled'])
    const { items } = (await hub.as().get('/api/v1/promotions?state=open&environment=production')).body
    expect(items).toHaveLength(2)
  })
})

test('a set that waits is there after a restart, and goes on whole', async () => {
  await using hub = await open(SAME_ADDRESS)
  await policy(hub, { soak: '1h' })
  const told = (await ask(hub)).body as Told
  await using again = await hub.restart()
  expect(await states(again, told)).toEqual(['scheduled', 'scheduled'])
  again.clock.set('2026-01-02T05:00:00Z')
  await advanceWaiting(again.hub)
  expect(await states(again, told)).toEqual(['released', 'released'])
})

describe('a crash', () => {
  const death = () => Promise.reject(new Error('the process died here'))

  test('before the rows of its revision leaves it to be asked for again', async () => {
    await using hub = await open(SAME_ADDRESS)
    const signingKey = hub.hub.overlayKeys.current
    const sign = signingKey.sign.bind(signingKey)
    signingKey.sign = death
    expect((await ask(hub)).status).toBe(500)
    expect(await released(hub)).toEqual([])
    signingKey.sign = sign
    const { items } = (await hub.as().get('/api/v1/promotions?environment=production')).body
    expect(items).toMatchObject([{ state: 'failed' }, { state: 'failed' }])
    // One of it sent again does not go alone.
    await hub.upload('shop', tarball({ f: 'shop 1' }), { build: '1' })
    expect(await released(hub)).toEqual([])
    expect((await ask(hub)).status).toBe(201)
  })

  test('after them is finished by the start, whole', async () => {
    await using hub = await open(SAME_ADDRESS)
    hub.hub.blobs.linkIntoMirror = death
    expect((await ask(hub)).status).toBe(500)
    const { items } = (await hub.as().get('/api/v1/promotions?environment=production')).body
    expect(items).toMatchObject([{ state: 'publishing' }, { state: 'publishing' }])
    await using again = await hub.restart()
    expect(await released(again)).toEqual(['cart 1 @2', 'shop 1 @2'])
    expect((await again.as().get('/api/v1/promotions?environment=production')).body.items).toMatchObject([
      ...[
        { state: 'released', revision: 2 },
        { state: 'released', revision: 2 },
      ],
    ])
    await again.hub.settled()
    expect(await findingsOf(again.directory)).toEqual([])
  })
})

test('a hold that comes between verdict and release stops all of it', async () => {
  await using hub = await open()
  const signingKey = hub.hub.overlayKeys.current
  const sign = signingKey.sign.bind(signingKey)
  signingKey.sign = async (...args) => {
    signingKey.sign = sign
    await hub.as().post('/api/v1/environments/production/holds').send({ app: 'cart', reason: 'not yet' })
    return await sign(...args)
  }
  expect((await ask(hub)).body).toMatchObject({ status: 409, code: 'promotion.not_eligible' })
  expect(await released(hub)).toEqual([])
  expect(await revisionOf(hub)).toBe(1)
})

test('at the same time as yanks and other requests, all of a set is released or none of it', async () => {
  await using hub = await open()
  for (let build = 2; build <= 7; build++) {
    for (const app of ['shop', 'cart']) await upload(hub, app, build)
    const set = [
      { app: 'shop', build },
      { app: 'cart', build },
    ]
    const yank = hub.as().post(`/api/v1/apps/cart/builds/${String(build)}/yank`)
    const work = [
      async () => await ask(hub, { set }),
      async () => await yank.send({ reason: 'it is bad' }),
      async () => await hub.promote('shop', build, 'production'),
      async () => await ask(hub, { set: set.toReversed() }),
    ]
    const turned = [...work.slice(build % work.length), ...work.slice(0, build % work.length)]
    for (const { status } of await Promise.all(turned.map(async (one) => await one())))
      expect([200, 201, 409]).toContain(status)
  }
  const { items } = (await hub.as().get('/api/v1/promotions?environment=production&limit=500')).body
  const sets = (items as Partial<Told>[]).filter((told): told is Told => Array.isArray(told.set))
  expect(sets.length).toBeGreaterThanOrEqual(12)
  for (const told of sets) expect(new Set(await states(hub, told)).size).toBe(1)
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
})

test('a dry run says what would be and keeps nothing', async () => {
  await using hub = await open()
  const dry = await ask(hub, {}, '?dryRun=true')
  expect(dry.status).toBe(200)
  expect(dry.body).toMatchObject({
    ...{ id: null, dryRun: true, state: 'released', published: { revision: 2, commit: null } },
    set: SET.map((member) => ({ ...member, id: null })),
  })
  const paths = (dry.body.published.changes as { path: string }[]).map(({ path }) => path)
  expect(paths).toContain('app-hub/shop/shop-0_p1.ebuild')
  expect(paths).toContain('app-hub/cart/cart-0_p1.ebuild')
  expect((await hub.as().get('/api/v1/promotions?environment=production')).body.items).toEqual([])
})

test.each([
  [{ set: [SET[0]] }, 400, 'request.invalid'],
  [{ set: [] }, 400, 'request.invalid'],
  [{ set: [SET[0], { app: 'shop', build: 2 }] }, 400, 'request.invalid'],
  [{ set: SET, app: 'shop' }, 400, 'request.invalid'],
  [{ set: SET, app: 'shop', build: 1 }, 400, 'request.invalid'],
  [{ set: undefined, app: 'shop' }, 400, 'request.invalid'],
  [{ set: [SET[0], { app: 'cart', build: 9 }] }, 404, 'build.unknown'],
  [{ environment: 'moon' }, 404, 'environment.unknown'],
])('%j is refused and leaves nothing', async (body, status, code) => {
  await using hub = await open()
  expect((await ask(hub, body)).body).toMatchObject({ status, code })
  expect((await hub.as().get('/api/v1/promotions?environment=production')).body.items).toEqual([])
})

test('who may promote only one of the apps promotes no set of both', async () => {
  await using hub = await open()
  const token = await hub.token('release-manager', { apps: ['shop'] })
  expect((await ask(hub, {}, '', token)).body).toMatchObject({ status: 403, code: 'auth.forbidden' })
})

test('events carry the set, and the command line promotes it', async () => {
  await using hub = await open()
  await policy(hub, { approvals: { count: 1, roles: ['approver'] } })
  const cli = cliOf(hub)
  const asked = await cli('promote', 'shop=1', 'cart=1', '--to', 'production')
  expect(asked.status, asked.stderr).toBe(0)
  expect(asked.stdout).toContain('shop build 1 and cart build 1 wait for production, awaiting approval (pro_')
  expect(asked.stdout).toContain('  unmet   cart build 1: 0 of 1 approvals.')
  const id = /\((pro_\w+)\)/.exec(asked.stdout)?.[1] ?? ''
  expect((await cli('promotions', 'show', id)).stdout).toContain('together with cart build 1 (pro_')
  expect((await cli('why', 'cart', '1', 'production')).stdout).toContain('unmet   shop build 1: 0 of 1')
  for (const type of ['promotion.requested', 'promotion.moved']) {
    const { items } = (await hub.as().get(`/api/v1/audit?type=${type}&environment=production`)).body
    expect(items).toMatchObject([{ after: { set: SET } }, { after: { set: SET } }])
  }
  const done = await cli(
    'promote',
    'shop=1',
    'cart=1',
    '--to',
    'production',
    '--override',
    'the shop is down',
  )
  expect(done.stdout).toBe(
    [
      'shop build 1 and cart build 1 are released in production: revision 2 of its overlay.',
      '  EMERGENCY, the waiting is skipped by HUB_ADMIN_TOKEN: the shop is down\n',
    ].join('\n'),
  )
  const single = await cli('promote', 'shop=1', '--to', 'production')
  expect(single.stdout).toContain('shop build 1 and cart build 1 are released in production already')
  for (const wrong of [
    ['shop', '1'],
    ['shop=1', 'production'],
    ['shop=1', 'cart', '--to', 'production'],
    ['shop', 'x', 'production'],
  ])
    expect((await cli('promote', ...wrong)).status).toBe(2)
})
