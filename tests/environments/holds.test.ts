/** Holds: what they stop, what they mask, and how they end. */
import { describe, expect, test } from 'vitest'
import { holdsTable } from '../support/holds.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { findingsOf } from '../support/verify.ts'

const MASK = '/overlays/staging/tree/profiles/package.mask/portage-hub-held'
const SAME_ADDRESS = { HUB_PUBLIC_URL: 'https://hub.example' }

async function upload(hub: TestHub, build: number, fields: Readonly<Record<string, string>> = {}) {
  const reply = await hub.upload('shop', tarball({ f: String(build) }), { build: String(build), ...fields })
  if (reply.status !== 201) throw new Error(reply.text)
  return reply
}

async function hold(hub: TestHub, body: object, environment: string | null = 'staging', query = '') {
  const path = environment === null ? '/api/v1/holds' : `/api/v1/environments/${environment}/holds`
  return await hub
    .as()
    .post(path + query)
    .send({ app: 'shop', reason: 'it loses orders', ...body })
}

async function lift(hub: TestHub, id: string, query = '') {
  return await hub.as().post(`/api/v1/holds/${id}/lift${query}`).send({ reason: 'mended' })
}

async function maskText(hub: TestHub): Promise<string | null> {
  const reply = await hub.as().get(MASK)
  return reply.status === 404 ? null : reply.text
}

async function rules(hub: TestHub, build: number, environment: string) {
  const path = `/api/v1/apps/shop/builds/${String(build)}/eligibility/${environment}`
  const { body } = await hub.as().get(path)
  return (body.rules as { code: string; state: string }[]).map(({ code, state }) => `${code} ${state}`)
}

async function revisionOf(hub: TestHub): Promise<number> {
  return (await hub.as().get('/api/v1/environments/staging')).body.overlay.revision as number
}

describe('what is held', () => {
  test('is promoted by nobody until the hold is lifted, and the refusal says by whom and how', async () => {
    await using hub = await createTestHub()
    await upload(hub, 1)
    const held = await hold(hub, { build: 1 }, 'production')
    expect(held.status, held.text).toBe(201)
    expect(held.headers['location']).toBe(`/api/v1/holds/${held.body.id}`)
    expect(held.body).toEqual({
      ...{ id: held.body.id, app: 'shop', build: 1, cpv: 'app-hub/shop-0_p1', environment: 'production' },
      ...{ newer: false, mask: false, yank: false, state: 'held', rollback: null, reason: 'it loses orders' },
      ...{ heldBy: 'HUB_ADMIN_TOKEN', heldAt: '2026-01-02T03:04:05Z', heldRevision: null },
      ...{ liftedBy: null, liftedAt: null, liftedRevision: null, liftReason: null, published: null },
    })
    const refused = await hub.promote('shop', 1, 'production')
    expect(refused.body).toMatchObject({ status: 409, code: 'promotion.not_eligible' })
    expect(refused.body.rules).toMatchObject([
      { code: 'environment.previous', state: 'met' },
      {
        ...{ code: 'environment.held', state: 'unmet' },
        detail:
          'Build 1 is held in production since 2026-01-02T03:04:05Z by HUB_ADMIN_TOKEN: it loses orders.',
        toMeet: expect.stringContaining(`portage-hub hold lift ${held.body.id}`),
      },
    ])
    expect(await rules(hub, 1, 'production')).toEqual(['environment.previous met', 'environment.held unmet'])

    const lifted = await lift(hub, held.body.id as string)
    expect(lifted.body).toMatchObject({
      ...{ state: 'lifted', liftedBy: 'HUB_ADMIN_TOKEN', liftedAt: '2026-01-02T03:04:05Z' },
      liftReason: 'mended',
    })
    expect((await hub.promote('shop', 1, 'production')).status).toBe(201)
  })

  test('is not published by a policy either, and does not come by itself when the hold is lifted', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    await upload(hub, 1)
    const { body } = await hold(hub, {}, null)
    const uploaded = await upload(hub, 2)
    expect(uploaded.body.promotions).toMatchObject([
      { environment: 'staging', requestedBy: 'policy', state: 'refused' },
    ])
    expect(uploaded.body.promotions[0].detail).toContain('Every build of shop is held in all environments')
    const revision = await revisionOf(hub)
    await lift(hub, body.id as string)
    await using restarted = await hub.restart()
    expect(await revisionOf(restarted)).toBe(revision)
    expect((await restarted.promote('shop', 2, 'staging')).status).toBe(201)
  })

  test.each([
    ['one build', { build: 2 }, [1, 3]],
    ['a build and newer ones, by version', { build: 2, newer: true }, [1]],
    ['the app', {}, []],
  ] as [string, object, readonly number[]][])('is %s', async (_what, body, free) => {
    await using hub = await createTestHub()
    // By version 3 is above 2 and 4 below: numbers alone do not say what is newer.
    const versions = ['1.0.0', '2.0.0', '2.1.0']
    for (const [at, version] of versions.entries()) await upload(hub, at + 1, { version, promote: 'false' })
    await hold(hub, body)
    for (const build of [1, 2, 3])
      expect((await hub.promote('shop', build, 'staging')).status).toBe(free.includes(build) ? 201 : 409)
    const hotfix = await upload(hub, 4, { version: '1.9.0', promote: 'false' })
    expect(hotfix.status).toBe(201)
    expect((await hub.promote('shop', 4, 'staging')).status).toBe('build' in body ? 201 : 409)
  })

  test('stays held while one of two holds is open', async () => {
    await using hub = await createTestHub()
    await upload(hub, 1, { promote: 'false' })
    const first = await hold(hub, { build: 1 })
    const second = await hold(hub, { build: 1, reason: 'another one' }, null)
    await lift(hub, first.body.id as string)
    const refused = await hub.promote('shop', 1, 'staging')
    expect(refused.body.detail).toContain('another one')
    await lift(hub, second.body.id as string)
    expect((await hub.promote('shop', 1, 'staging')).status).toBe(201)
  })

  test('is not published when the hold comes between verdict and release', async () => {
    await using hub = await createTestHub()
    await upload(hub, 1, { promote: 'false' })
    const signingKey = hub.hub.overlayKeys.current
    const sign = signingKey.sign.bind(signingKey)
    signingKey.sign = async (...args) => {
      signingKey.sign = sign
      expect((await hold(hub, { build: 1 })).status).toBe(201)
      return await sign(...args)
    }
    const reply = await hub.promote('shop', 1, 'staging')
    expect(reply.body).toMatchObject({ status: 409, code: 'promotion.not_eligible' })
    expect(await revisionOf(hub)).toBe(1)
    const { items } = (await hub.as().get('/api/v1/promotions')).body
    expect(items).toMatchObject([{ state: 'refused', detail: expect.stringContaining('it loses orders') }])
    await using restarted = await hub.restart()
    expect((await restarted.as().get('/api/v1/apps/shop/builds/1')).body.releases).toEqual([])
  })
})

describe('a hold with a mask', () => {
  test('masks its build in one revision, with the reason, and lifting it takes the mask away', async () => {
    await using hub = await createTestHub()
    for (const build of [1, 2]) await upload(hub, build)
    const held = await hold(hub, { build: 2, mask: true, reason: 'it loses `orders` # "$(rm -rf /)"' })
    expect(held.body).toMatchObject({
      ...{ mask: true, heldRevision: 4 },
      published: {
        revision: 4,
        changes: [{ path: 'profiles/package.mask/portage-hub-held', action: 'write' }],
      },
    })
    expect(await maskText(hub)).toBe(
      '# HUB_ADMIN_TOKEN (2026-01-02)\n# it loses `orders` # "$(rm -rf /)"\n=app-hub/shop-0_p2\n',
    )
    const { body: revision } = await hub.as().get('/api/v1/environments/staging/revisions/4')
    expect(revision.message).toBe(
      `app-hub/shop: hold 0_p2\n\nit loses \`orders\` # "$(rm -rf /)"\n\nHold: ${held.body.id}\n`,
    )
    // It is released there, and yet not to be had: asked for again it is refused, also for the next environment.
    for (const environment of ['staging', 'production'])
      expect((await hub.promote('shop', 2, environment)).body).toMatchObject({ status: 409 })
    expect(await rules(hub, 2, 'production')).toEqual(['environment.previous unmet'])
    await upload(hub, 3)
    expect(await maskText(hub)).toContain('=app-hub/shop-0_p2\n')
    await hub.hub.settled()
    expect(await findingsOf(hub.directory)).toEqual([])

    const lifted = await lift(hub, held.body.id as string)
    expect(lifted.body).toMatchObject({ liftedRevision: 6, published: { revision: 6 } })
    expect(await maskText(hub)).toBeNull()
    expect((await hub.promote('shop', 2, 'staging')).body).toMatchObject({ state: 'released', revision: 3 })
  })

  test('of newer builds too masks from its version on, whatever comes', async () => {
    await using hub = await createTestHub({ HUB_KEEP_RELEASES: '1' })
    for (const build of [1, 2]) await upload(hub, build)
    await hold(hub, { build: 2, newer: true, mask: true })
    expect(await maskText(hub)).toContain('\n>=app-hub/shop-0_p2\n')
    const later = await upload(hub, 3)
    expect(later.body.promotions).toMatchObject([{ state: 'refused' }])
  })

  test('is gone from the mask when its build is no longer listed, and the rest verifies', async () => {
    await using hub = await createTestHub({ HUB_KEEP_RELEASES: '1' })
    await upload(hub, 1)
    await hold(hub, { build: 1, mask: true })
    expect(await maskText(hub)).not.toBeNull()
    await upload(hub, 2)
    expect(await maskText(hub)).toBeNull()
    await hub.hub.settled()
    expect(await findingsOf(hub.directory)).toEqual([])
  })

  test('beside a withdrawal: each is lifted for itself', async () => {
    await using hub = await createTestHub()
    await upload(hub, 1)
    const { items } = (await hub.as().get('/api/v1/environments/staging/releases')).body
    await hub
      .as()
      .post(`/api/v1/environments/staging/releases/${items[0].id}/withdraw`)
      .send({ reason: 'bad' })
    const held = await hold(hub, { build: 1, mask: true })
    expect(await rules(hub, 1, 'staging')).toEqual(['environment.withdrawn unmet', 'environment.held unmet'])
    await lift(hub, held.body.id as string)
    expect(await rules(hub, 1, 'staging')).toEqual(['environment.withdrawn unmet'])
    expect(await maskText(hub)).toBeNull()
  })

  test('that a crash cuts after its row is finished by the start, and one before it never was', async () => {
    await using hub = await createTestHub(SAME_ADDRESS)
    await upload(hub, 1)
    const signingKey = hub.hub.overlayKeys.current
    const sign = signingKey.sign.bind(signingKey)
    signingKey.sign = () => Promise.reject(new Error('the process died here'))
    expect((await hold(hub, { build: 1, mask: true })).status).toBe(500)
    expect(await holdsTable(hub)).toEqual([])
    signingKey.sign = sign
    const { repository } = hub.hub.overlays.get('staging')!
    repository.growPack = () => Promise.reject(new Error('the process died here'))
    expect((await hold(hub, { build: 1, mask: true })).status).toBe(500)
    await using again = await hub.restart()
    expect(await holdsTable(again)).toMatchObject([{ state: 'held', heldRevision: 3 }])
    expect(await maskText(again)).toContain('=app-hub/shop-0_p1')
  })
})

test('a dry run of setting and lifting says what would be, and keeps nothing', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  const dry = await hold(hub, { build: 1, mask: true }, 'staging', '?dryRun=true')
  expect(dry.status).toBe(200)
  expect(dry.body).toMatchObject({ id: null, dryRun: true, published: { revision: 3, commit: null } })
  expect([await holdsTable(hub), await maskText(hub)]).toEqual([[], null])
  const { body } = await hold(hub, { build: 1, mask: true })
  expect((await lift(hub, body.id as string, '?dryRun=true')).body).toMatchObject({
    published: { revision: 4 },
  })
  expect(await holdsTable(hub)).toMatchObject([{ state: 'held' }])
  expect(await maskText(hub)).not.toBeNull()
})

test('holds are listed where they bind, lifted ones when they are asked for, and seen by who reads there', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  const here = (await hold(hub, { build: 1 })).body.id as string
  const everywhere = (await hold(hub, {}, null)).body.id as string
  const gone = (await hold(hub, {}, 'production')).body.id as string
  await lift(hub, gone)
  const ids = async (path: string, token?: string) =>
    (await hub.as(token).get(`/api/v1${path}`)).body.items?.map(({ id }: { id: string }) => id)
  expect(await ids('/holds')).toEqual([everywhere, here])
  expect(await ids('/holds?state=all')).toEqual([gone, everywhere, here])
  expect(await ids('/holds?state=lifted')).toEqual([gone])
  expect(await ids('/environments/production/holds')).toEqual([everywhere])
  expect(await ids('/holds?app=other')).toEqual([])
  const reader = await hub.token('reader', { environments: ['production'] })
  expect(await ids('/holds?state=all', reader)).toEqual([gone, everywhere])
  expect((await hub.as(reader).get(`/api/v1/holds/${here}`)).body).toMatchObject({ code: 'hold.unknown' })
  expect((await hub.as(reader).get('/api/v1/environments/staging/holds')).status).toBe(403)
  expect((await hub.as(reader).post(`/api/v1/holds/${everywhere}/lift`).send({ reason: 'x' })).status).toBe(
    403,
  )
  const promoter = await hub.token('release-manager', { environments: ['staging'] })
  expect((await hub.as(promoter).post(`/api/v1/holds/${everywhere}/lift`).send({ reason: 'x' })).status).toBe(
    403,
  )
  expect((await hub.as(promoter).post(`/api/v1/holds/${here}/lift`).send({ reason: 'x' })).status).toBe(200)
})

test.each([
  [{ app: 'none' }, 'staging', 404, 'app.unknown'],
  [{ build: 9 }, 'staging', 404, 'build.unknown'],
  [{ build: 1 }, 'moon', 404, 'environment.unknown'],
  [{ mask: true }, 'staging', 422, 'hold.impossible'],
  [{ build: 1, mask: true }, null, 422, 'hold.impossible'],
  [{ newer: true }, 'staging', 422, 'hold.impossible'],
  [{ build: 1.5 }, 'staging', 400, 'request.invalid'],
  [{ reason: ' ' }, 'staging', 400, 'request.invalid'],
  [{ reason: 'a\n=*/*' }, 'staging', 400, 'request.invalid'],
  [{ until: 'monday' }, 'staging', 400, 'request.invalid'],
])('the hold %j in %s is refused and leaves nothing', async (body, environment, status, code) => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  expect((await hold(hub, body, environment)).body).toMatchObject({ status, code })
  expect([await holdsTable(hub), await revisionOf(hub)]).toEqual([[], 2])
})

test('a hold is lifted once, with a reason', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  const id = (await hold(hub, { build: 1, mask: true })).body.id as string
  const none = await hub.as().post(`/api/v1/holds/${id}/lift`).send({})
  expect(none.body).toMatchObject({ status: 400, code: 'request.invalid' })
  const lifts = await Promise.all([lift(hub, id), lift(hub, id)])
  expect(lifts.map(({ status }) => status).sort()).toEqual([200, 409])
  expect((await lift(hub, id)).body).toMatchObject({ status: 409, code: 'hold.lifted' })
  expect((await lift(hub, 'hld_none')).body).toMatchObject({ status: 404, code: 'hold.unknown' })
  expect(await revisionOf(hub)).toBe(4)
})

test('the mask of holds is not kept by hand', async () => {
  await using hub = await createTestHub()
  const path = '/api/v1/environments/staging/files/profiles/package.mask/portage-hub-held'
  for (const at of [path, `${path}/x`])
    expect((await hub.as().put(at).send('x')).body).toMatchObject({ code: 'overlay.path_refused' })
})
