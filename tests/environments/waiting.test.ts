/** Promotions that wait: for checks, for people, for their time; what ends them, and what takes their place. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { advanceWaiting } from '../../src/environments/promote.ts'
import { cliOf } from '../cli/support.ts'
import { send } from '../support/raw-http.ts'
import { openReceiver } from '../support/receiver.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const put = async (hub: TestHub, environment: string, policy: object) => {
  const reply = await hub.as().put(`/api/v1/environments/${environment}/policy`).send(policy)
  expect(reply.status, reply.text).toBe(200)
}
const upload = async (hub: TestHub, build: number, token?: string) => {
  const fields = { build: String(build), version: '1.0.0' }
  const reply = await hub.upload('shop', tarball({ 'shop/run': String(build) }), fields, token)
  expect(reply.status, reply.text).toBe(201)
  return reply.body as { readonly promotions: readonly { readonly id: string; readonly state: string }[] }
}
const check = async (hub: TestHub, build: number, name: string, status: string, stage = 'commit') =>
  await hub
    .as()
    .post(`/api/v1/apps/shop/builds/${String(build)}/checks`)
    .send({ stage, name, status })
const show = async (hub: TestHub, id: string) => (await hub.as().get(`/api/v1/promotions/${id}`)).body
const say = async (hub: TestHub, id: string, verb: string, token?: string, body: object = {}) =>
  await hub.as(token).post(`/api/v1/promotions/${id}/${verb}`).send(body)
const released = async (hub: TestHub, environment: string) =>
  (
    (await hub.as().get(`/api/v1/environments/${environment}/releases`)).body as {
      items: { build: number }[]
    }
  ).items.map(({ build }) => build)

test('from the upload to production: checks, soak, two people, a freeze, the same bytes', async () => {
  await using receiver = await openReceiver()
  await using hub = await createTestHub({ HUB_WEBHOOK_ALLOW: '127.0.0.1' })
  const webhook = { url: receiver.url, types: ['promotion.requested'], environment: 'staging' }
  expect((await hub.as().post('/api/v1/webhooks').send(webhook)).status).toBe(201)
  await put(hub, 'staging', {
    ...{ promote: 'automatic', checks: { commit: ['unit'], acceptance: ['functional'] } },
  })
  await put(hub, 'production', {
    ...{ promote: 'request', approvals: { count: 2, roles: ['release-manager', 'approver'] }, soak: '1h' },
    freezes: [{ from: 'Fri 04:30', to: 'Sat 00:00', timeZone: 'UTC', reason: 'inventory' }],
  })
  const ci = await hub.token('developer', { name: 'ci' })
  // A Friday, 03:04.
  const uploaded = await upload(hub, 1, ci)
  const first = uploaded.promotions[0]?.id ?? ''
  expect(await show(hub, first)).toMatchObject({
    ...{ state: 'checking', requestedBy: 'policy', policyVersion: 1 },
    detail:
      'The commit check "unit" was never reported. The acceptance check "functional" was never reported.',
  })
  await check(hub, 1, 'unit', 'failed')
  expect(await show(hub, first)).toMatchObject({
    ...{ state: 'refused', detail: expect.stringContaining('The commit check "unit" failed.') as string },
  })
  expect(await released(hub, 'staging')).toEqual([])
  await check(hub, 1, 'unit', 'passed')
  // The webhook asks for the acceptance check of what is requested anew, which is all that is missing.
  await receiver.has(2)
  const { data } = receiver.received[1]?.json as {
    readonly data: { readonly subject: string; readonly rules: readonly { state: string; detail: string }[] }
  }
  expect(data).toMatchObject({ type: 'promotion.requested', app: 'shop', build: 1, environment: 'staging' })
  expect(data.rules.filter(({ state }) => state === 'unmet').map(({ detail }) => detail)).toEqual([
    'The acceptance check "functional" was never reported.',
  ])
  const id = data.subject
  await check(hub, 1, 'functional', 'running', 'acceptance')
  expect(await show(hub, id)).toMatchObject({
    ...{ state: 'checking', detail: 'The acceptance check "functional" is running.' },
  })
  await check(hub, 1, 'functional', 'passed', 'acceptance')
  expect(await show(hub, id)).toMatchObject({ state: 'released', detail: null, rules: null })

  const [ada, bob, eve] = [
    await hub.tokenOf('ada', 'release-manager'),
    await hub.tokenOf('bob', 'approver'),
    await hub.tokenOf('eve', 'release-manager'),
  ]
  const asked = await hub.promote('shop', 1, 'production', ada)
  expect(asked.status, asked.text).toBe(202)
  const wish = asked.body as { readonly id: string }
  expect(asked.headers['location']).toBe(`/api/v1/promotions/${wish.id}`)
  expect(asked.body).toMatchObject({ state: 'awaiting_approval', published: null, requestedBy: 'ada' })
  const again = await hub.promote('shop', 1, 'production', eve)
  expect(again.body).toMatchObject({ id: wish.id, requestedBy: 'ada' })

  expect((await say(hub, wish.id, 'approve', ada)).body).toMatchObject({
    ...{ status: 403, code: 'promotion.own_request' },
  })
  expect((await say(hub, wish.id, 'approve', ci)).body).toMatchObject({ status: 403 })
  expect((await say(hub, wish.id, 'approve')).body).toMatchObject({
    ...{ status: 403, code: 'promotion.approval_forbidden' },
  })
  expect((await say(hub, wish.id, 'approve', bob, { comment: 'looked at it' })).body).toMatchObject({
    ...{ state: 'awaiting_approval', approvals: [{ by: 'bob', comment: 'looked at it' }] },
  })
  expect((await say(hub, wish.id, 'approve', bob)).body.approvals).toHaveLength(1)
  hub.clock.set('2026-01-02T04:31:00Z')
  const second = await say(hub, wish.id, 'approve', eve)
  // The soak is over, and the freeze has begun.
  expect(second.body).toMatchObject({ state: 'scheduled', approvals: [{ by: 'bob' }, { by: 'eve' }] })
  const why = (await hub.as().get('/api/v1/apps/shop/builds/1/eligibility/production')).body
  expect(second.body.rules).toEqual(why.rules)
  expect(
    (why.rules as { code: string; state: string }[]).map(({ code, state }) => `${code} ${state}`),
  ).toEqual([...['environment.previous met', 'approvals met', 'soak met', 'freeze unmet']])
  await advanceWaiting(hub.hub)
  expect(await released(hub, 'production')).toEqual([])
  hub.clock.set('2026-01-03T00:00:00Z')
  await advanceWaiting(hub.hub)
  expect(await show(hub, wish.id)).toMatchObject({ state: 'released', policyVersion: 1 })
  const [staging, production] = await Promise.all(
    ['staging', 'production'].map(async (environment) => {
      const { body } = await hub.as().get(`/overlays/${environment}/tree/app-hub/shop`)
      return (body.items as { name: string; oid: string }[]).filter(({ name }) => name.endsWith('.ebuild'))
    }),
  )
  expect(production).toHaveLength(1)
  expect(production).toEqual(staging)
  const { sha512 } = (await hub.as().get('/api/v1/apps/shop/builds/1')).body.tarball as { sha512: string }
  for (const environment of ['staging', 'production']) {
    const served = await send(hub.url, { path: `/distfiles/${environment}/hub-shop-1.0.0_p1.tar.gz` })
    expect(createHash('sha512').update(served.body).digest('hex')).toBe(sha512)
  }
})

test('a check that fails ends what waits for it, and one that passes later is asked for anew', async () => {
  await using hub = await createTestHub()
  await put(hub, 'staging', { promote: 'automatic', checks: { commit: ['unit'] } })
  const [first] = (await upload(hub, 1)).promotions
  await check(hub, 1, 'unit', 'failed')
  expect(await show(hub, first?.id ?? '')).toMatchObject({
    ...{ state: 'refused', detail: 'The commit check "unit" failed.' },
  })
  await check(hub, 1, 'unit', 'passed')
  expect(await released(hub, 'staging')).toEqual([1])
})

test('another policy asks for the approvals anew', async () => {
  await using hub = await createTestHub()
  const approvals = { count: 1, roles: ['approver'] }
  await put(hub, 'production', { approvals, checks: { manual: ['looked at'] } })
  await upload(hub, 1)
  const { id } = (await hub.promote('shop', 1, 'production')).body as { readonly id: string }
  const bob = await hub.tokenOf('bob', 'approver')
  await say(hub, id, 'approve', bob)
  expect(await show(hub, id)).toMatchObject({ state: 'checking' })
  await put(hub, 'production', { approvals })
  expect(await show(hub, id)).toMatchObject({
    ...{ state: 'awaiting_approval', policyVersion: 2, approvals: [{ by: 'bob', policyVersion: 1 }] },
  })
  await say(hub, id, 'approve', bob)
  expect(await show(hub, id)).toMatchObject({ state: 'released', approvals: [{}, { policyVersion: 2 }] })
})

test('whoever uploaded what a policy asks for does not approve it', async () => {
  await using hub = await createTestHub()
  await put(hub, 'staging', { promote: 'automatic', approvals: { count: 1, roles: ['administrator'] } })
  const [promotion] = (await upload(hub, 1)).promotions
  // Another token of whoever made it is the same person.
  for (const token of [undefined, await hub.token('administrator', { name: 'mine too' })]) {
    const own = await say(hub, promotion?.id ?? '', 'approve', token)
    expect(own.body).toMatchObject({ status: 403, code: 'promotion.own_request' })
  }
  const other = await hub.tokenOf('another', 'administrator')
  expect((await say(hub, promotion?.id ?? '', 'approve', other)).body).toMatchObject({ state: 'released' })
})

test('a hub without accounts knows people by their tokens, whoever made those', async () => {
  await using hub = await createTestHub()
  await put(hub, 'production', { approvals: { count: 2, roles: ['release-manager', 'approver'] } })
  await upload(hub, 1)
  const tokenFor = async (name: string, role: string) =>
    ((await hub.as().post('/api/v1/tokens').send({ name, role })).body as { readonly token: string }).token
  const ada = await tokenFor('ada', 'release-manager')
  const { id } = (await hub.promote('shop', 1, 'production', ada)).body as { readonly id: string }
  expect((await say(hub, id, 'approve', ada)).body).toMatchObject({ code: 'promotion.own_request' })
  await say(hub, id, 'approve', await tokenFor('bob', 'approver'))
  expect(await show(hub, id)).toMatchObject({ state: 'awaiting_approval' })
  await say(hub, id, 'approve', await tokenFor('carol', 'approver'))
  expect(await show(hub, id)).toMatchObject({
    state: 'released',
    approvals: [{ by: 'bob' }, { by: 'carol' }],
  })
})

test('a newer build takes the place of an older one that waits, whoever asked for it; an older one does not', async () => {
  await using hub = await createTestHub()
  await put(hub, 'staging', { promote: 'automatic', checks: { commit: ['unit'] } })
  const ids: string[] = []
  for (const build of [2, 3, 1]) ids.push((await upload(hub, build)).promotions[0]?.id ?? '')
  expect(await Promise.all(ids.map(async (id) => await show(hub, id)))).toMatchObject([
    {
      state: 'superseded',
      supersededBy: ids[1],
      detail: `Build 3 was asked for by policy (${ids[1] ?? ''}).`,
    },
    { state: 'checking' },
    { state: 'checking' },
  ])
  await check(hub, 3, 'unit', 'passed')
  expect(await released(hub, 'staging')).toEqual([3])
  // A person may want an older one in its place.
  await put(hub, 'production', { soak: '1h' })
  await check(hub, 1, 'unit', 'passed')
  const newer = (await hub.promote('shop', 3, 'production')).body as { readonly id: string }
  const older = (await hub.promote('shop', 1, 'production')).body as { readonly id: string }
  expect(await show(hub, newer.id)).toMatchObject({ state: 'superseded', supersededBy: older.id })
  expect(await show(hub, older.id)).toMatchObject({ state: 'scheduled' })
})

test('what waits is rejected, cancelled or held, and ends so; a second word is told that it has ended', async () => {
  await using hub = await createTestHub()
  await put(hub, 'production', { approvals: { count: 1, roles: ['approver'] } })
  await upload(hub, 1)
  const bob = await hub.tokenOf('bob', 'approver')
  const ask = async () => ((await hub.promote('shop', 1, 'production')).body as { readonly id: string }).id
  const rejected = await ask()
  expect((await say(hub, rejected, 'reject', bob)).body).toMatchObject({ status: 400 })
  expect((await say(hub, rejected, 'reject', bob, { reason: 'too big' })).body).toMatchObject({
    ...{ state: 'refused', detail: 'Rejected by bob: too big' },
  })
  for (const verb of ['approve', 'reject', 'cancel'])
    expect(
      (await say(hub, rejected, verb, undefined, verb === 'approve' ? {} : { reason: 'x' })).body,
    ).toMatchObject({ status: 409, code: 'promotion.ended' })
  const cancelled = await ask()
  expect((await say(hub, cancelled, 'cancel', bob, { reason: 'no' })).body).toMatchObject({ status: 403 })
  expect((await say(hub, cancelled, 'cancel', undefined, { reason: 'no need' })).body).toMatchObject({
    ...{ state: 'cancelled', detail: 'Cancelled by HUB_ADMIN_TOKEN: no need' },
  })
  const held = await ask()
  await hub.as().post('/api/v1/holds').send({ app: 'shop', reason: 'charges twice' })
  expect(await show(hub, held)).toMatchObject({ state: 'refused' })
  expect(new Set([rejected, cancelled, held]).size).toBe(3)
})

test('an emergency hurries on what waits: its reason is kept, and what no waiting mends stays', async () => {
  await using hub = await createTestHub()
  await put(hub, 'production', { approvals: { count: 2, roles: ['approver'] }, soak: '24h' })
  await upload(hub, 1)
  const ada = await hub.tokenOf('ada', 'release-manager')
  const { id } = (await hub.promote('shop', 1, 'production', ada)).body as { readonly id: string }
  const body = { app: 'shop', build: 1, environment: 'production', override: { reason: 'the shop is down' } }
  const hurried = await hub.as().post('/api/v1/promotions').send(body)
  expect(hurried.status, hurried.text).toBe(201)
  expect(hurried.body).toMatchObject({
    ...{ id, state: 'released', requestedBy: 'ada', overrideReason: 'the shop is down' },
    overrideBy: 'HUB_ADMIN_TOKEN',
  })
  const feed = (await hub.as().get('/api/v1/environments/production/feed.atom')).text
  expect(feed).toContain('shop build 1 is released in production: EMERGENCY, the waiting is skipped, by ')
  expect(feed).toContain('<content type="text">the shop is down</content>')
})

test('what waits is there after a restart, and is taken up', async () => {
  await using hub = await createTestHub()
  await put(hub, 'production', { soak: '1h' })
  await upload(hub, 1)
  const { id } = (await hub.promote('shop', 1, 'production')).body as { readonly id: string }
  await using again = await hub.restart()
  expect(await show(again, id)).toMatchObject({ state: 'scheduled' })
  again.clock.set('2026-01-02T05:00:00Z')
  await advanceWaiting(again.hub)
  expect(await show(again, id)).toMatchObject({ state: 'released' })
})

test('a release that a crash cut before its end is one, though its rules speak against it by the time of the start', async () => {
  await using hub = await createTestHub({ HUB_PUBLIC_URL: 'https://hub.example' })
  const freezes = [{ from: 'Fri 04:30', to: 'Sat 00:00', timeZone: 'UTC', reason: 'inventory' }]
  await put(hub, 'production', { freezes })
  await upload(hub, 1)
  hub.hub.blobs.linkIntoMirror = () => Promise.reject(new Error('the process died here'))
  expect((await hub.promote('shop', 1, 'production')).status).toBe(500)
  hub.clock.set('2026-01-02T05:00:00Z')
  await using again = await hub.restart()
  const { items } = (await again.as().get('/api/v1/promotions?environment=production')).body
  expect(items).toMatchObject([{ state: 'released', revision: 2 }])
  expect(await released(again, 'production')).toEqual([1])
})

test('the command line asks, shows what is waited for, approves and rejects', async () => {
  await using hub = await createTestHub()
  await put(hub, 'production', { approvals: { count: 1, roles: ['approver'] } })
  await upload(hub, 1)
  const cli = cliOf(hub)
  const bob = cliOf(hub, { env: { HUB_TOKEN: await hub.tokenOf('bob', 'approver') } })
  const dry = await cli('promote', 'shop', '1', 'production', '--dry-run')
  expect(dry.stdout).toContain('shop build 1 would wait for production, awaiting approval:')
  const asked = await cli('promote', 'shop', '1', 'production')
  const id = /\((pro_\w+)\)/.exec(asked.stdout)?.[1] ?? ''
  expect(asked.stdout).toContain(
    `shop build 1 waits for production, awaiting approval (${id}):\n  unmet   0 of 1`,
  )
  expect((await cli('promotions', 'list', '--state', 'open')).stdout).toContain(id)
  expect((await cli('promotions', 'list', '--state', 'ended', '--environment', 'production')).stderr).toBe(
    'No promotions.\n',
  )
  expect((await cli('promotions', 'show', id)).stdout).toContain(
    'awaiting approval\n  asked for by HUB_ADMIN_TOKEN',
  )
  const approved = await bob('approve', id, '--comment', 'fine')
  expect(approved.status, approved.stderr).toBe(0)
  expect(approved.stdout).toContain('production, released')
  expect(approved.stdout).toMatch(/approved by bob at .* UTC: fine/)
  const late = await bob('reject', id, '--reason', 'no')
  expect(late.status).toBe(3)
  expect(late.stderr).toContain('promotion.ended')
})
