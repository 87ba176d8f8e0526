/** Policies by the API: set, refused, judged by, remembered. */
import { afterAll, describe, expect, test } from 'vitest'
import { advanceWaiting } from '../../src/environments/promote.ts'
import { promoteWhatWaited } from '../../src/environments/promote-upload.ts'
import { cliOf } from '../cli/support.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const BYTES = tarball({ 'shop/run': 'hi' })
const OF_THE_ISSUE = {
  promote: 'request',
  checks: { commit: ['unit'], acceptance: ['functional'] },
  approvals: { count: 2, roles: ['approver'] },
  soak: '24h',
  freezes: [{ from: 'Fri 16:00', to: 'Mon 08:00', timeZone: 'Europe/Berlin', reason: 'weekend' }],
  schema: 'reversible',
}

const put = async (hub: TestHub, environment: string, policy: object, query = '') =>
  await hub.as().put(`/api/v1/environments/${environment}/policy${query}`).send(policy)
const policyIn = async (hub: TestHub, environment: string, query = '') =>
  (await hub.as().get(`/api/v1/environments/${environment}/policy${query}`)).body
const check = async (hub: TestHub, name: string, status: string, stage = 'commit') =>
  await hub.as().post('/api/v1/apps/shop/builds/1/checks').send({ stage, name, status })
const verdict = async (hub: TestHub, environment: string) =>
  (await hub.as().get(`/api/v1/apps/shop/builds/1/eligibility/${environment}`)).body

test('a newcomer has staging that takes every upload and production by one click', async () => {
  await using hub = await createTestHub()
  const nothing = {
    ...{ version: 0, setBy: null, setAt: null, soak: null, freezes: [], schema: 'none' },
    checks: { commit: [], acceptance: [], manual: [] },
    approvals: { count: 0, roles: [] },
    override: { roles: ['administrator'] },
  }
  expect(await policyIn(hub, 'staging')).toEqual({ environment: 'staging', promote: 'automatic', ...nothing })
  expect(await policyIn(hub, 'production')).toEqual({
    environment: 'production',
    promote: 'request',
    ...nothing,
  })
})

test('a policy is set, gets a version, and is read back as it can be sent again', async () => {
  await using hub = await createTestHub()
  const first = await put(hub, 'production', OF_THE_ISSUE)
  expect(first.status, first.text).toBe(200)
  expect(first.body).toMatchObject({
    ...OF_THE_ISSUE,
    version: 1,
    setBy: 'HUB_ADMIN_TOKEN',
    setAt: '2026-01-02T03:04:05Z',
  })
  const read = await policyIn(hub, 'production')
  expect(read).toEqual(first.body)
  expect((await put(hub, 'production', read)).body.version).toBe(1)
  expect((await put(hub, 'production', { ...read, soak: '1h' })).body).toMatchObject({
    version: 2,
    soak: '1h',
  })
  const late = await put(hub, 'production', { ...read, soak: '2h' })
  expect(late.body).toMatchObject({ status: 409, code: 'policy.changed' })
  expect(await policyIn(hub, 'production', '?version=1')).toEqual(first.body)
  expect(await policyIn(hub, 'production', '?version=0')).toMatchObject({ version: 0, soak: null })
  expect((await hub.as().get('/api/v1/environments/production/policy?version=9')).body).toMatchObject({
    ...{ status: 404, code: 'policy.unknown' },
  })
  await using again = await hub.restart()
  expect(await policyIn(again, 'production')).toMatchObject({ version: 2, soak: '1h' })
})

describe('a policy is refused', () => {
  const shared = createTestHub()
  afterAll(async () => {
    await (await shared)[Symbol.asyncDispose]()
  })
  const window = (from: string, to: string) => ({ from, to, timeZone: 'UTC', reason: 'x' })

  test.each([
    ['staging', { soak: '1h' }, 422, 'policy.unmeetable', 'this is the first one'],
    ['production', { approvals: { count: 1, roles: [] } }, 422, 'policy.unmeetable', 'from no role'],
    [
      'production',
      { approvals: { count: 1, roles: ['reader'] } },
      422,
      'policy.unmeetable',
      'reader, who cannot approve',
    ],
    [
      'production',
      { freezes: [window('Mon 10:00', 'Fri 10:00'), window('Fri 09:00', 'Mon 10:00')] },
      422,
      'policy.unmeetable',
      'no moment',
    ],
    ['production', { freezes: [window('Mon 10:00', 'Mon 10:00')] }, 400, 'request.invalid', 'same time'],
    [
      'production',
      { freezes: [{ ...window('Mon 10:00', 'Tue 10:00'), timeZone: 'Mars/Base' }] },
      400,
      'request.invalid',
      'time zone',
    ],
    ['production', { freezes: [window('Monday', 'Tue 25:00')] }, 400, 'request.invalid', 'weekday'],
    ['production', { checks: { commit: ['a', 'a'] } }, 400, 'request.invalid', 'twice'],
    ['production', { checks: { smoke: ['a'] } }, 400, 'request.invalid', 'smoke'],
    ['production', { soak: 'long' }, 400, 'request.invalid', 'soak'],
    ['production', { freeze: [] }, 400, 'request.invalid', 'freeze'],
    ['moon', {}, 404, 'environment.unknown', 'moon'],
  ])('of %s: %j', async (environment, policy, status, code, words) => {
    const hub = await shared
    const reply = await put(hub, environment, policy)
    expect(reply.body).toMatchObject({ status, code, detail: expect.stringContaining(words) })
    expect(await policyIn(hub, 'production')).toMatchObject({ version: 0 })
  })

  test('in a dry run it is told and not kept', async () => {
    const hub = await shared
    expect((await put(hub, 'production', { soak: '1h' }, '?dryRun=true')).body).toMatchObject({
      version: 1,
      dryRun: true,
    })
    expect(await policyIn(hub, 'production')).toMatchObject({ version: 0 })
  })
})

test('a build waits for its checks, its soak and the end of a freeze, and each answer is the same list', async () => {
  await using hub = await createTestHub()
  await put(hub, 'production', {
    ...{ checks: { commit: ['unit'] }, soak: '24h' },
    freezes: [{ from: 'Fri 16:00', to: 'Mon 08:00', timeZone: 'Europe/Berlin', reason: 'weekend' }],
  })
  await hub.upload('shop', BYTES, { build: '1' })
  const states = async () =>
    ((await verdict(hub, 'production')).rules as { code: string; state: string }[]).map(
      ({ code, state }) => `${code} ${state}`,
    )
  expect(await states()).toEqual([
    'environment.previous met',
    'check.commit unmet',
    'soak unmet',
    'freeze met',
  ])
  const waiting = await hub.promote('shop', 1, 'production')
  expect(waiting.status, waiting.text).toBe(202)
  expect(waiting.body.rules).toEqual((await verdict(hub, 'production')).rules)
  const why = await cliOf(hub)('why', 'shop', '1', 'production')
  expect(why.status).toBe(3)
  expect(why.stdout).toContain(
    'shop build 1 cannot be promoted to production now.\n  met     It is released in staging.',
  )
  expect(why.stdout).toContain(
    '  unmet   The commit check "unit" was never reported.\n          Report it as passed',
  )
  await check(hub, 'unit', 'passed')
  hub.clock.set('2026-01-03T03:04:05Z')
  expect(await states()).toEqual(['environment.previous met', 'check.commit met', 'soak met', 'freeze unmet'])
  hub.clock.set('2026-01-05T07:00:00Z')
  const released = await hub.promote('shop', 1, 'production')
  expect(released.status, released.text).toBe(201)
  expect(released.body).toMatchObject({ state: 'released', policyVersion: 1, overrideReason: null })
  await put(hub, 'production', {})
  expect((await hub.as().get(`/api/v1/promotions/${released.body.id}`)).body.policyVersion).toBe(1)
})

test('an automatic environment takes a build when its check passes, and not before', async () => {
  await using hub = await createTestHub()
  await put(hub, 'staging', { promote: 'automatic', checks: { commit: ['unit'] } })
  const uploaded = await hub.upload('shop', BYTES, { build: '1' })
  expect(uploaded.status).toBe(201)
  expect(uploaded.body.promotions).toMatchObject([
    {
      environment: 'staging',
      state: 'checking',
      policyVersion: 1,
      detail: 'The commit check "unit" was never reported.',
    },
  ])
  const releases = async () =>
    (await hub.as().get('/api/v1/environments/staging/releases')).body.items as unknown[]
  await check(hub, 'unit', 'failed')
  expect(await releases()).toEqual([])
  await check(hub, 'unit', 'passed')
  expect(await releases()).toMatchObject([{ build: 1, releasedBy: 'policy' }])
  await check(hub, 'unit', 'failed')
  await check(hub, 'unit', 'passed')
  expect(await releases()).toHaveLength(1)
})

test('what a freeze kept out of an automatic environment comes when it ends; what nobody asked for does not', async () => {
  await using hub = await createTestHub()
  const frozen = { from: 'Fri 00:00', to: 'Sat 00:00', timeZone: 'UTC', reason: 'inventory' }
  await put(hub, 'staging', { promote: 'automatic', freezes: [frozen] })
  await hub.upload('shop', BYTES, { build: '1' })
  await hub.upload('shop', tarball({ 'shop/run': 'ho' }), { build: '2', promote: 'false' })
  const releases = async () =>
    (await hub.as().get('/api/v1/environments/staging/releases')).body.items as unknown[]
  await promoteWhatWaited(hub.hub)
  expect(await releases()).toEqual([])
  hub.clock.set('2026-01-03T00:00:00Z')
  await advanceWaiting(hub.hub)
  await promoteWhatWaited(hub.hub)
  expect(await releases()).toMatchObject([{ build: 1 }])
})

test('who may skips the waiting with a reason, which is kept; the order of environments and a schema stay', async () => {
  await using hub = await createTestHub()
  await put(hub, 'production', { checks: { commit: ['unit'] }, approvals: { count: 1, roles: ['approver'] } })
  await hub.upload('shop', BYTES, { build: '1', promote: 'false' })
  const ask = async (token: string | undefined, override: object) =>
    await hub
      .as(token)
      .post('/api/v1/promotions')
      .send({ app: 'shop', build: 1, environment: 'production', override })
  const promoter = await hub.token('release-manager')
  expect((await ask(promoter, { reason: 'now' })).body).toMatchObject({
    status: 403,
    code: 'promotion.override_forbidden',
  })
  expect((await ask(undefined, {})).body).toMatchObject({ status: 400, code: 'request.invalid' })
  const early = await ask(undefined, { reason: 'the shop is down' })
  expect(early.body).toMatchObject({
    code: 'promotion.not_eligible',
    detail: 'It is not released in staging.',
  })
  await hub.promote('shop', 1, 'staging')
  const released = await ask(undefined, { reason: 'the shop is down' })
  expect(released.body).toMatchObject({
    state: 'released',
    overrideReason: 'the shop is down',
    policyVersion: 1,
  })
})

test('a schema that does not let one go back is refused where the policy asks for it', async () => {
  await using hub = await createTestHub()
  await put(hub, 'production', { schema: 'reversible' })
  const recipe = (version: number, from: number) =>
    `schema: {version: ${String(version)}, reversible_from: ${String(from)}}\n`
  for (const [build, version, from] of [
    [1, 3, 3],
    [2, 4, 3],
    [3, 5, 5],
  ] as const) {
    const file = tarball({ 'shop/run': String(build) })
    await hub.upload('shop', file, { build: String(build), recipe: recipe(version, from) })
  }
  expect((await hub.promote('shop', 1, 'production')).status).toBe(201)
  expect((await hub.promote('shop', 2, 'production')).status).toBe(201)
  const refused = await hub.promote('shop', 3, 'production')
  expect(refused.body.rules).toContainEqual(
    expect.objectContaining({ code: 'schema.reversible', state: 'unmet' }),
  )
  expect(refused.body.detail).toContain('build 2 has schema 4')
})

test('the command line shows and sets it', async () => {
  await using hub = await createTestHub()
  const cli = cliOf(hub, { input: JSON.stringify({ soak: '2h' }) })
  expect((await cli('policy', 'set', 'production', '-', '--dry-run')).stdout).toBe(
    'It would be version 1 of the policy of production.\n',
  )
  expect((await cli('policy', 'set', 'production', '-')).stdout).toBe(
    'Version 1 of the policy holds in production.\n',
  )
  expect(JSON.parse((await cli('policy', 'show', 'production')).stdout)).toMatchObject({
    soak: '2h',
    version: 1,
  })
})
