/** Yanks: one build, held and masked in every environment at once, in all of them or in none. */
import { describe, expect, test } from 'vitest'
import { cliOf } from '../cli/support.ts'
import { holdsTable } from '../support/holds.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { findingsOf } from '../support/verify.ts'

const SAME_ADDRESS = { HUB_PUBLIC_URL: 'https://hub.example' }
const ENVIRONMENTS = ['staging', 'production']
const BUILD = '/api/v1/apps/shop/builds/1'

async function upload(hub: TestHub, build: number, fields: Readonly<Record<string, string>> = {}) {
  const reply = await hub.upload('shop', tarball({ f: String(build) }), { build: String(build), ...fields })
  if (reply.status !== 201) throw new Error(reply.text)
  return reply
}
/** Build 1 in both environments. */
async function open(env: Readonly<Record<string, string>> = {}): Promise<TestHub> {
  const hub = await createTestHub(env)
  await upload(hub, 1)
  expect((await hub.promote('shop', 1, 'production')).status).toBe(201)
  return hub
}
const yank = async (hub: TestHub, body: object = { reason: 'it loses orders' }, query = '', token?: string) =>
  await hub.as(token).post(`${BUILD}/yank${query}`).send(body)
const unyank = async (hub: TestHub, query = '') =>
  await hub.as().post(`${BUILD}/unyank${query}`).send({ reason: 'it was the database' })
const maskIn = async (hub: TestHub, environment: string) => {
  const reply = await hub.as().get(`/overlays/${environment}/tree/profiles/package.mask/portage-hub-held`)
  return reply.status === 404 ? null : reply.text
}
const masks = async (hub: TestHub) =>
  await Promise.all(ENVIRONMENTS.map(async (environment) => await maskIn(hub, environment)))
const revisions = async (hub: TestHub) =>
  await Promise.all(
    ENVIRONMENTS.map(
      async (name) => (await hub.as().get(`/api/v1/environments/${name}`)).body.overlay.revision as number,
    ),
  )
const verdict = async (hub: TestHub, environment: string) =>
  (await hub.as().get(`${BUILD}/eligibility/${environment}`)).body

test('a yank masks the build in every overlay that has it, by one revision each, and unyank takes that back', async () => {
  await using hub = await open({ HUB_ENVIRONMENTS: 'staging:automatic production later' })
  const before = await revisions(hub)
  const yanked = await yank(hub, { reason: 'it loses `orders` # "$(rm -rf /)"' })
  expect(yanked.status, yanked.text).toBe(201)
  expect(yanked.body).toMatchObject({
    ...{ app: 'shop', build: 1, environment: null, mask: true, yank: true, state: 'held', newer: false },
    ...{ reason: 'it loses `orders` # "$(rm -rf /)"', heldRevision: null },
    published: ENVIRONMENTS.toSorted().map((environment) => ({
      environment,
      revision: (before[ENVIRONMENTS.indexOf(environment)] ?? 0) + 1,
      changes: [{ path: 'profiles/package.mask/portage-hub-held', action: 'write' }],
    })),
  })
  const mask =
    '# HUB_ADMIN_TOKEN (2026-01-02)\n# Yanked: it loses `orders` # "$(rm -rf /)"\n=app-hub/shop-0_p1\n'
  expect(await masks(hub)).toEqual([mask, mask])
  expect(await maskIn(hub, 'later')).toBeNull()
  expect((await hub.as().get(BUILD)).body.yanked).toEqual({
    ...{ hold: yanked.body.id, reason: 'it loses `orders` # "$(rm -rf /)"' },
    ...{ by: 'HUB_ADMIN_TOKEN', at: '2026-01-02T03:04:05Z' },
  })
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])

  const lifted = await unyank(hub)
  expect(lifted.body).toMatchObject({ state: 'lifted', liftReason: 'it was the database' })
  expect(lifted.body.published).toHaveLength(2)
  expect(await masks(hub)).toEqual([null, null])
  expect(await revisions(hub)).toEqual(before.map((revision) => revision + 2))
  expect((await hub.as().get(BUILD)).body.yanked).toBeNull()
  expect((await hub.promote('shop', 1, 'later')).status).toBe(201)
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
})

test('a yanked build is promoted nowhere, by nobody, whatever speaks for it, and each answer says why', async () => {
  await using hub = await open()
  const { body } = await yank(hub)
  for (const environment of ENVIRONMENTS) {
    const rule = {
      ...{ code: 'build.yanked', state: 'unmet', by: 'HUB_ADMIN_TOKEN', since: '2026-01-02T03:04:05Z' },
      detail: 'Build 1 is yanked since 2026-01-02T03:04:05Z by HUB_ADMIN_TOKEN: it loses orders.',
      toMeet: expect.stringContaining('portage-hub unyank shop 1'),
    }
    expect((await verdict(hub, environment)).rules).toContainEqual(rule)
    const asked = { app: 'shop', build: 1, environment, liftWithdrawal: true, override: { reason: 'now' } }
    const refused = await hub.as().post('/api/v1/promotions').send(asked)
    expect(refused.body).toMatchObject({ status: 409, code: 'promotion.not_eligible' })
    expect(refused.body.rules).toContainEqual(rule)
  }
  expect((await verdict(hub, 'production')).rules[0]).toMatchObject({
    ...{ code: 'environment.previous', state: 'unmet' },
    detail: 'It is masked in staging, held by HUB_ADMIN_TOKEN: it loses orders.',
  })
  expect((await upload2(hub)).body.promotions).toMatchObject([{ state: 'released' }])
  expect(await maskIn(hub, 'staging')).toContain('=app-hub/shop-0_p1\n')
  // It is a hold like others: whoever lifts that unyanks the build.
  expect((await hub.as().get('/api/v1/holds')).body.items).toMatchObject([{ id: body.id, yank: true }])
  const lifted = await hub.as().post(`/api/v1/holds/${body.id}/lift`).send({ reason: 'fine' })
  expect(lifted.body.published).toHaveLength(2)
  expect((await verdict(hub, 'production')).eligible).toBe(true)
})

async function upload2(hub: TestHub) {
  return await upload(hub, 2)
}

test('what waits is told no when its build is yanked', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await hub.as().put('/api/v1/environments/production/policy').send({ soak: '1h' })
  const waiting = await hub.promote('shop', 1, 'production')
  expect(waiting.body).toMatchObject({ state: 'scheduled' })
  await yank(hub)
  expect((await hub.as().get(`/api/v1/promotions/${waiting.body.id}`)).body).toMatchObject({
    ...{ state: 'refused', detail: expect.stringContaining('Build 1 is yanked') },
  })
})

test('a build that is in no overlay is yanked too, and never gets in', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1, { promote: 'false' })
  const before = await revisions(hub)
  const yanked = await yank(hub)
  expect(yanked.status).toBe(201)
  expect(yanked.body.published).toEqual([])
  expect(await revisions(hub)).toEqual(before)
  expect((await hub.promote('shop', 1, 'staging')).body).toMatchObject({ code: 'promotion.not_eligible' })
  // Asked for by the policy it is refused as well.
  const again = await hub.upload('shop', tarball({ f: '1' }), { build: '1' })
  expect(again.body).toMatchObject({ yanked: { reason: 'it loses orders' }, releases: [] })
})

test('a build is yanked once and unyanked once, also by two at the same time', async () => {
  await using hub = await open()
  const yanks = await Promise.all([yank(hub), yank(hub)])
  expect(yanks.map(({ status }) => status).toSorted()).toEqual([201, 409])
  expect((await yank(hub)).body).toMatchObject({
    ...{ status: 409, code: 'yank.exists', detail: expect.stringContaining('it loses orders') },
  })
  expect(await holdsTable(hub)).toHaveLength(1)
  const lifts = await Promise.all([unyank(hub), unyank(hub)])
  expect(lifts.map(({ status }) => status).toSorted()).toEqual([200, 409])
  expect((await unyank(hub)).body).toMatchObject({ status: 404, code: 'yank.unknown' })
  expect((await yank(hub)).status).toBe(201)
})

test('a dry run says what would be and keeps nothing', async () => {
  await using hub = await open()
  const before = await revisions(hub)
  const dry = await yank(hub, { reason: 'x' }, '?dryRun=true')
  expect(dry.status).toBe(200)
  expect(dry.body).toMatchObject({ id: null, dryRun: true, published: [{ commit: null }, { commit: null }] })
  expect(await holdsTable(hub)).toEqual([])
  await yank(hub)
  expect((await unyank(hub, '?dryRun=true')).body.published).toHaveLength(2)
  expect((await hub.as().get(BUILD)).body.yanked).not.toBeNull()
  expect(await revisions(hub)).toEqual(before.map((revision) => revision + 1))
})

test.each([
  [{}, 400, 'request.invalid'],
  [{ reason: ' ' }, 400, 'request.invalid'],
  [{ reason: 'a\n=*/*' }, 400, 'request.invalid'],
  [{ reason: 'a\u202eb' }, 400, 'request.invalid'],
  [{ reason: 'x', environment: 'staging' }, 400, 'request.invalid'],
])('the yank %j is refused and leaves nothing', async (body, status, code) => {
  await using hub = await open()
  expect((await yank(hub, body)).body).toMatchObject({ status, code })
  expect([await holdsTable(hub), await masks(hub)]).toEqual([[], [null, null]])
})

test('only who may promote everywhere yanks, a build that there is', async () => {
  await using hub = await open()
  const token = await hub.token('release-manager', { environments: ['production'] })
  expect((await yank(hub, { reason: 'x' }, '', token)).body).toMatchObject({ status: 403 })
  const none = await hub.as().post('/api/v1/apps/shop/builds/9/yank').send({ reason: 'x' })
  expect(none.body).toMatchObject({ status: 404, code: 'build.unknown' })
})

describe('a crash', () => {
  /** As if the process had died at the first moment of that name. */
  const dieAt = (hub: TestHub, overlay: string, part: 'sign' | 'show') => {
    const death = () => Promise.reject(new Error('the process died here'))
    if (part === 'sign') hub.hub.overlayKeys.current.sign = death
    else hub.hub.overlays.get(overlay)!.repository.growPack = death
  }

  test('before the rows leaves no environment changed', async () => {
    await using hub = await open(SAME_ADDRESS)
    dieAt(hub, '', 'sign')
    expect((await yank(hub)).status).toBe(500)
    await using again = await hub.restart()
    expect([await holdsTable(again), await masks(again)]).toEqual([[], [null, null]])
    expect((await verdict(again, 'production')).eligible).toBe(true)
  })

  test.each(ENVIRONMENTS)('while %s is shown is finished by the start, in all', async (environment) => {
    await using hub = await open(SAME_ADDRESS)
    dieAt(hub, environment, 'show')
    expect((await yank(hub)).status).toBe(500)
    // The other one is shown all the same.
    expect((await masks(hub)).filter((mask) => mask !== null)).toHaveLength(1)
    await using again = await hub.restart()
    expect(await holdsTable(again)).toMatchObject([{ yank: true, state: 'held' }])
    for (const mask of await masks(again))
      expect(mask).toContain('# Yanked: it loses orders\n=app-hub/shop-0_p1')
    await again.hub.settled()
    expect(await findingsOf(again.directory)).toEqual([])
  })
})

test('the feed of each environment and the events tell of it, and the command line does it', async () => {
  await using hub = await open()
  const cli = cliOf(hub)
  const dry = await cli('yank', 'shop', '1', '--reason', 'it loses orders', '--dry-run')
  expect(dry.stdout).toBe(
    [
      'shop build 1 would be yanked:',
      '  production: revision 3 of its overlay',
      '    + profiles/package.mask/portage-hub-held',
      '  staging: revision 3 of its overlay',
      '    + profiles/package.mask/portage-hub-held',
      '',
    ].join('\n'),
  )
  const done = await cli('yank', 'shop', '1', '--reason', 'it loses orders')
  expect(done.status, done.stderr).toBe(0)
  expect((await cli('build', 'shop', '1')).stdout).toMatch(
    /yanked +by HUB_ADMIN_TOKEN at .*: it loses orders/,
  )
  const why = await cli('why', 'shop', '1', 'production')
  expect(why.status).toBe(3)
  expect(why.stdout).toContain('unmet   Build 1 is yanked')
  for (const environment of ENVIRONMENTS) {
    const feed = await send(hub.url, { path: `/api/v1/environments/${environment}/feed.atom` })
    expect(feed.text).toContain(
      'shop build 1 is yanked everywhere, by HUB_ADMIN_TOKEN. Reason: it loses orders',
    )
  }
  expect((await cli('unyank', 'shop', '1', '--reason', 'fine')).stdout).toContain(
    'shop build 1 is yanked no more:\n  production: revision 4',
  )
})
