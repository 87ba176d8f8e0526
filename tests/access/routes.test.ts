/** Every address of the hub with every kind of token: the whole of who may do what, through the door. */
import { globSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROLES } from '../../src/access/rights.ts'
import { queueDeliveries } from '../../src/events/deliver-event.ts'
import { formBody, FORM_TYPE, send } from '../support/raw-http.ts'
import type { RawReply } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { POINT, announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { chunkHead, finished, TUS } from '../support/tus.ts'

const BYTES = tarball({ 'shop/run': 'hi' })
const NAME = 'hub-shop-0_p1.tar.gz'

interface Route {
  readonly call: string
  readonly body?: Buffer | object
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Besides administrators. Whoever is not named must get 403; nobody at all, 401. */
  readonly allowed: readonly string[]
  /** What whoever may is told; none: the call goes well. */
  readonly refusal?: string
}

const EVERYBODY = ['release-manager', 'approver', 'developer', 'reader', 'node']
const READERS = ['release-manager', 'approver', 'node', 'reader']

const REPORT = {
  ...{ at: '2026-01-02T03:04:05Z', portage: '3.0.82', hubNode: '0.1.0' },
  ...{ sync: { at: null, revision: null, commit: null }, packages: [] },
}

/** Changes are dry runs, so that the order of the calls does not matter. */
const ROUTES: readonly Route[] = [
  { call: 'GET /api/v1/whoami', allowed: [...EVERYBODY, 'enrol'] },
  { call: 'GET /api/v1/apps', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop', allowed: EVERYBODY },
  { call: 'PATCH /api/v1/apps/shop?dryRun=true', body: {}, allowed: [] },
  { call: 'GET /api/v1/builds', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds/1', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds/1/tarball', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds/1/files', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds/1/files/shop/run', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds/1/ebuild', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds/1/eligibility/staging', allowed: EVERYBODY },
  {
    call: 'POST /api/v1/apps/shop/builds/1/checks?dryRun=true',
    body: { stage: 'commit', name: 'unit', status: 'passed' },
    allowed: ['developer'],
  },
  {
    call: 'POST /api/v1/apps/shop/builds/1/checks?dryRun=true',
    body: { stage: 'manual', name: 'looked at', status: 'passed' },
    allowed: ['release-manager', 'approver'],
  },
  { call: 'GET /api/v1/apps/shop/builds/1/checks', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds/1/checks/$check', allowed: EVERYBODY },
  { call: 'GET /api/v1/apps/shop/builds/1/checks/$check/results', allowed: EVERYBODY },
  {
    call: 'POST /api/v1/apps/shop/builds?dryRun=true',
    body: formBody({ tarball: BYTES }),
    type: FORM_TYPE,
    allowed: ['developer'],
  },
  { call: 'PUT /api/v1/apps/shop/builds/9/tarball?dryRun=true', body: BYTES, allowed: ['developer'] },
  {
    call: 'POST /api/v1/apps/shop/builds?dryRun=true',
    body: { upload: '$upload' },
    allowed: ['developer'],
  },
  {
    call: 'POST /api/v1/uploads?dryRun=true',
    headers: { ...TUS, 'Upload-Length': '5' },
    allowed: ['developer'],
  },
  { call: 'GET /api/v1/uploads/$upload', allowed: ['developer'] },
  {
    call: 'PATCH /api/v1/uploads/$upload',
    headers: { ...TUS, ...chunkHead(BYTES.byteLength) },
    allowed: ['developer'],
  },
  { call: 'DELETE /api/v1/uploads/$upload?dryRun=true', headers: TUS, allowed: ['developer'] },
  {
    call: 'POST /api/v1/apps/shop/builds/1/yank?dryRun=true',
    ...{ body: { reason: 'x' }, allowed: ['release-manager'] },
  },
  {
    call: 'POST /api/v1/apps/shop/builds/1/unyank?dryRun=true',
    ...{ body: { reason: 'x' }, allowed: ['release-manager'], refusal: 'yank.unknown' },
  },
  {
    call: 'POST /api/v1/apps/shop/builds/1/pin?dryRun=true',
    ...{ body: { reason: 'x' }, allowed: ['release-manager'] },
  },
  {
    call: 'POST /api/v1/apps/shop/builds/1/unpin?dryRun=true',
    ...{ allowed: ['release-manager'], refusal: 'pin.unknown' },
  },
  { call: 'GET /api/v1/environments', allowed: EVERYBODY },
  { call: 'GET /api/v1/environments/staging', allowed: EVERYBODY },
  { call: 'GET /api/v1/environments/staging/policy', allowed: EVERYBODY },
  { call: 'PUT /api/v1/environments/staging/policy?dryRun=true', body: {}, allowed: [] },
  { call: 'GET /api/v1/environments/staging/releases', allowed: EVERYBODY },
  { call: 'GET /api/v1/environments/staging/feed.atom', allowed: READERS },
  { call: 'GET /api/v1/environments/staging/revisions', allowed: READERS },
  { call: 'GET /api/v1/environments/staging/revisions/2', allowed: READERS },
  { call: 'GET /api/v1/environments/staging/revisions/2/diff', allowed: READERS },
  { call: 'GET /api/v1/environments/staging/files', allowed: READERS },
  { call: 'PUT /api/v1/environments/staging/files/profiles/x?dryRun=true', body: BYTES, allowed: [] },
  { call: 'DELETE /api/v1/environments/staging/files/profiles/mine?dryRun=true', allowed: [] },
  {
    call: 'POST /api/v1/environments/staging/releases/$release/withdraw?dryRun=true',
    body: { reason: 'x' },
    allowed: ['release-manager'],
  },
  {
    call: 'POST /api/v1/environments/staging/holds?dryRun=true',
    body: { app: 'shop', reason: 'x' },
    allowed: ['release-manager'],
  },
  {
    call: 'POST /api/v1/holds?dryRun=true',
    body: { app: 'shop', reason: 'x' },
    allowed: ['release-manager'],
  },
  { call: 'GET /api/v1/environments/staging/holds', allowed: EVERYBODY },
  { call: 'GET /api/v1/holds', allowed: EVERYBODY },
  { call: 'GET /api/v1/holds/$hold', allowed: EVERYBODY },
  { call: 'POST /api/v1/holds/$hold/lift?dryRun=true', body: { reason: 'x' }, allowed: ['release-manager'] },
  { call: 'GET /api/v1/digests/$sha256', allowed: EVERYBODY },
  { call: 'GET /api/v1/promotions', allowed: EVERYBODY },
  { call: 'GET /api/v1/promotions/$promotion', allowed: EVERYBODY },
  {
    call: 'POST /api/v1/promotions?dryRun=true',
    body: { app: 'shop', build: 1, environment: 'staging' },
    allowed: ['release-manager'],
  },
  {
    ...{ call: 'POST /api/v1/promotions/$promotion/approve?dryRun=true', body: {} },
    ...{ allowed: ['release-manager', 'approver'], refusal: 'promotion.ended' },
  },
  {
    ...{ call: 'POST /api/v1/promotions/$promotion/reject?dryRun=true', body: { reason: 'x' } },
    ...{ allowed: ['release-manager', 'approver'], refusal: 'promotion.ended' },
  },
  {
    ...{ call: 'POST /api/v1/promotions/$promotion/cancel?dryRun=true', body: { reason: 'x' } },
    ...{ allowed: ['release-manager'], refusal: 'promotion.ended' },
  },
  { call: 'GET /api/v1/keys', allowed: [] },
  { call: 'POST /api/v1/keys?dryRun=true', body: { purpose: 'overlay' }, allowed: [] },
  {
    call: 'POST /api/v1/keys/none/revoke?dryRun=true',
    body: { reason: 'retired' },
    allowed: [],
    refusal: 'key.unknown',
  },
  { call: 'GET /api/v1/audit', allowed: [] },
  { call: 'GET /api/v1/audit/export', allowed: [] },
  { call: 'GET /api/v1/audit/verify', allowed: [] },
  { call: 'GET /api/v1/events?follow=false', allowed: EVERYBODY },
  { call: 'GET /api/v1/webhooks', allowed: [] },
  { call: 'POST /api/v1/webhooks?dryRun=true', body: { url: 'https://ci.acme.example/' }, allowed: [] },
  { call: 'GET /api/v1/webhooks/$webhook', allowed: [] },
  { call: 'PATCH /api/v1/webhooks/$webhook?dryRun=true', body: { enabled: false }, allowed: [] },
  { call: 'GET /api/v1/webhooks/$webhook/deliveries', allowed: [] },
  { call: 'POST /api/v1/webhooks/$webhook/deliveries/$delivery/replay?dryRun=true', allowed: [] },
  { call: 'DELETE /api/v1/webhooks/$webhook?dryRun=true', allowed: [] },
  { call: 'GET /api/v1/apps/shop/trusted-publishers', allowed: [] },
  {
    call: 'POST /api/v1/apps/shop/trusted-publishers?dryRun=true',
    body: { provider: 'github', repository: 'acme/other' },
    allowed: [],
  },
  { call: 'DELETE /api/v1/apps/shop/trusted-publishers/$trust?dryRun=true', allowed: [] },
  { call: 'GET /api/v1/people', allowed: [] },
  { call: 'POST /api/v1/people?dryRun=true', body: { name: 'bob' }, allowed: [] },
  { call: 'GET /api/v1/people/anna', allowed: [] },
  { call: 'PATCH /api/v1/people/anna?dryRun=true', body: { disabled: true }, allowed: [] },
  { call: 'POST /api/v1/people/anna/link?dryRun=true', allowed: [] },
  { call: 'POST /api/v1/people/anna/sign-out?dryRun=true', allowed: [] },
  // Of people who have signed in: tests/people/sessions.test.ts. No token will do.
  { call: 'POST /api/v1/sign-out', allowed: [], refusal: 'auth.forbidden' },
  { call: 'GET /api/v1/session', allowed: [], refusal: 'auth.forbidden' },
  { call: 'GET /api/v1/sessions', allowed: [], refusal: 'auth.forbidden' },
  { call: 'DELETE /api/v1/sessions/ses_x', allowed: [], refusal: 'auth.forbidden' },
  { call: 'PUT /api/v1/password', allowed: [], refusal: 'auth.forbidden' },
  { call: 'GET /api/v1/tokens', allowed: [] },
  { call: 'POST /api/v1/tokens?dryRun=true', body: { name: 'x', role: 'reader' }, allowed: [] },
  { call: 'DELETE /api/v1/tokens/tok_none?dryRun=true', allowed: [] },
  {
    call: 'POST /api/v1/nodes?dryRun=true',
    body: { name: 'web2', environment: 'staging' },
    allowed: ['enrol'],
  },
  { call: 'GET /api/v1/nodes', allowed: ['release-manager', 'approver', 'reader'] },
  { call: 'GET /api/v1/nodes/web1', allowed: ['release-manager', 'approver', 'reader'] },
  { call: 'DELETE /api/v1/nodes/web1?dryRun=true', allowed: [] },
  { call: 'POST /api/v1/nodes/web1/report?dryRun=true', body: REPORT, allowed: [] },
  { call: 'GET /nodes/web1/etc/portage/hub/fetch', allowed: [] },
  { call: 'GET /api/v1/nodes/web1/restore-points', allowed: [] },
  {
    call: 'POST /api/v1/nodes/web1/restore-points?dryRun=true',
    body: announcementOf([], { id: 'rp_20260103T000000Z_aaaaaa' }),
    allowed: [],
  },
  { call: `GET /api/v1/nodes/web1/restore-points/${POINT}`, allowed: [] },
  { call: `POST /api/v1/nodes/web1/restore-points/${POINT}/complete`, allowed: [] },
  { call: `GET /api/v1/nodes/web1/restore-points/${POINT}/dumps/shop.dump`, allowed: [] },
  { call: `PUT /api/v1/nodes/web1/restore-points/${POINT}/dumps/shop.dump`, body: BYTES, allowed: [] },
  {
    ...{ call: `PUT /api/v1/nodes/web1/restore-points/${POINT}/metadata/shop.gpkg.tar`, body: BYTES },
    ...{ allowed: [], refusal: 'restore_point.unknown_file' },
  },
  { call: `DELETE /api/v1/nodes/web1/restore-points/${POINT}?newest=true&dryRun=true`, allowed: [] },
  { call: `PUT /api/v1/nodes/web1/restore-points/${POINT}/pin?dryRun=true`, allowed: [] },
  { call: `DELETE /api/v1/nodes/web1/restore-points/${POINT}/pin?dryRun=true`, allowed: [] },
  { call: 'GET /binhost/nodes/web1/Packages', allowed: [] },
  {
    call: 'POST /api/v1/rollbacks?dryRun=true',
    body: { node: 'web1', app: 'shop', force: true },
    allowed: [],
  },
  { call: 'GET /api/v1/rollbacks', allowed: [] },
  { call: 'GET /api/v1/rollbacks/$rollback', allowed: [] },
  { call: 'DELETE /api/v1/rollbacks/$rollback?dryRun=true', allowed: [] },
  { call: 'GET /api/v1/nodes/web1/rollbacks', allowed: [] },
  {
    call: 'POST /api/v1/nodes/web1/rollbacks/$rollback/result',
    body: { status: 0 },
    allowed: [],
  },
  { call: 'GET /git/staging.git/info/refs?service=git-upload-pack', allowed: READERS },
  {
    call: 'POST /git/staging.git/git-upload-pack',
    body: Buffer.from('0014command=ls-refs\n00010000'),
    allowed: READERS,
  },
  { call: 'GET /overlays/staging.zip', allowed: READERS },
  { call: 'GET /overlays/staging@2.zip', allowed: READERS },
  { call: 'GET /overlays/staging/tree', allowed: READERS },
  { call: 'GET /overlays/staging/tree/profiles/repo_name', allowed: READERS },
  { call: `GET /distfiles/staging/${NAME}`, allowed: READERS },
  { call: 'GET /distfiles/staging/layout.conf', allowed: READERS },
]
const OPEN = [
  'GET /',
  'GET /api/v1/openapi.json',
  'GET /api/v1/sign-in',
  'GET /enroll.sh',
  'GET /ci.sh',
  'GET /enroll.sh.asc',
  'GET /healthz',
  'GET /readyz',
  'GET /keys/hub.asc',
  'GET /keys/binhost.asc',
  'GET /keys/statement.json',
]
/** What is brought there in place of a token is judged in trusted-publishing.test.ts. */
const BY_IDENTITY = ['POST /api/v1/trusted-publishing/token']

/** Where somebody shows who they are: tests/people/. */
const SIGNING_IN = [
  ...['GET /sign-in/openid', 'GET /sign-in/openid/callback'],
  ...['POST /api/v1/sign-in', 'POST /api/v1/sign-in/link', 'GET /sign-in', 'POST /sign-in'],
  ...['GET /sign-in/x', 'POST /sign-in/x', 'GET /sign-out', 'POST /sign-out', 'GET /account'],
  ...['POST /account/password', 'POST /account/sessions/x/end'],
]

let hub: TestHub
const ids: Record<string, string> = {}
const tokens = new Map<string, string>()

beforeAll(async () => {
  hub = await createTestHub()
  const { body } = await hub.upload('shop', BYTES, { build: '1' })
  ids['$release'] = body.releases[0].id
  ids['$promotion'] = body.promotions[0].id
  const held = await hub
    .as()
    .post('/api/v1/environments/production/holds')
    .send({ app: 'shop', reason: 'not yet' })
  ids['$hold'] = held.body.id
  await hub.as().post('/api/v1/people').send({ name: 'anna' })
  ids['$sha256'] = body.tarball.sha256
  const check = { stage: 'commit', name: 'lint', status: 'passed' }
  ids['$check'] = (await hub.as().post('/api/v1/apps/shop/builds/1/checks').send(check)).body.id
  const trust = { provider: 'github', repository: 'acme/shop' }
  ids['$trust'] = (await hub.as().post('/api/v1/apps/shop/trusted-publishers').send(trust)).body.id
  // It stands for an address that no webhook goes to.
  const webhook = await hub.as().post('/api/v1/webhooks').send({ url: 'http://localhost:9/' })
  ids['$webhook'] = webhook.body.id
  await hub.as().put('/api/v1/environments/staging/files/profiles/mine').send('x')
  await queueDeliveries(hub.hub)
  const { items } = (await hub.as().get(`/api/v1/webhooks/${ids['$webhook']}/deliveries`)).body
  ids['$delivery'] = items[0].id
  await keepPoint(await enrolNode(hub, 'web1'))
  for (const role of ROLES)
    tokens.set(role, await hub.token(role, role === 'enrol' ? { environments: ['staging'] } : {}))
  ids['$upload'] = await finished(hub, BYTES, { token: tokens.get('developer') ?? '' })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

/** A point that is complete, so that every request for it succeeds whatever came before. */
async function keepPoint(token: string): Promise<void> {
  const dump = { kind: 'dump', name: 'shop.dump', bytes: BYTES } as const
  const points = pointsOf(hub, 'web1', token)
  await points.announce(announcementOf([dump], { encrypted: true }))
  await points.put(dump)
  await points.complete()
  const asked = await hub.as().post('/api/v1/rollbacks').send({ node: 'web1', app: 'shop' })
  ids['$rollback'] = asked.body.id
  await hub.as(token).post(`/api/v1/nodes/web1/rollbacks/${ids['$rollback']}/result`).send({ status: 0 })
}

async function call(
  route: Pick<Route, 'call' | 'body' | 'type' | 'headers'>,
  headers: Record<string, string>,
): Promise<RawReply> {
  const [method = '', path = ''] = withIds(route.call).split(' ')
  const body = Buffer.isBuffer(route.body)
    ? route.body
    : route.body && Buffer.from(withIds(JSON.stringify(route.body)))
  return await send(hub.url, {
    method,
    path,
    token: null,
    headers: {
      'Content-Type': route.type ?? 'application/json',
      'Git-Protocol': 'version=2',
      ...route.headers,
      ...headers,
    },
    ...(body ? { body } : {}),
  })
}

const withIds = (text: string): string => text.replaceAll(/\$\w+/g, (name) => ids[name] ?? '')
const bearer = (secret = ''): Record<string, string> => ({ Authorization: `Bearer ${secret}` })
const basic = (secret: string, user = 'node'): Record<string, string> => ({
  Authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`,
})

describe.each(ROUTES)('$call', (route) => {
  test.each(ROLES)('for a token of the role %s', async (role) => {
    const isAllowed = role === 'administrator' || route.allowed.includes(role)
    const reply = await call(route, bearer(tokens.get(role)))
    if (isAllowed && route.refusal !== undefined) expect(reply.json).toMatchObject({ code: route.refusal })
    else if (isAllowed) expect(reply.status, reply.text).toBeLessThan(300)
    else expect(reply.json).toMatchObject({ status: 403, code: 'auth.forbidden' })
  })

  test('asks for a token when there is none, and takes no wrong one', async () => {
    const none = await call(route, {})
    expect(none.json).toMatchObject({ status: 401, code: 'auth.required' })
    expect(none.headers['www-authenticate']).toMatch(/^Basic realm=/)
    const wrong = await call(route, bearer('phub_wrong'))
    expect(wrong.json).toMatchObject({ status: 401, code: 'auth.invalid' })
  })
})

test('the table has every route there is', () => {
  const calls = [...ROUTES.map(({ call }) => call), ...OPEN, ...BY_IDENTITY, ...SIGNING_IN].map((call) =>
    call.replace(/\?.*/, ''),
  )
  const missing = declaredRoutes().filter(({ method, pattern }) =>
    calls.every((call) => !new RegExp(`^${method} (/api/v1)?${pattern}$`).test(call)),
  )
  expect(missing).toEqual([])
})

test.each(OPEN)('%s needs no token', async (open) => {
  expect((await call({ call: open }, {})).status).toBe(200)
})

describe('a token', () => {
  const WHOAMI = { call: 'GET /api/v1/whoami' }

  test('is taken as the password of HTTP Basic, whatever the user', async () => {
    const secret = tokens.get('reader') ?? ''
    for (const user of ['node', '', 'a b', 'é']) {
      expect((await call(WHOAMI, basic(secret, user))).json).toMatchObject({ role: 'reader' })
    }
    expect((await call(WHOAMI, basic(secret.slice(1)))).status).toBe(401)
  })

  test.each([
    'Bearer',
    'Bearer ',
    'Basic',
    'Basic !!!',
    'Digest x',
    '',
    'bearer',
    'Token x',
    `Bearer ${'x'.repeat(5000)}`,
  ])('sent as %j is none', async (value) => {
    expect((await call(WHOAMI, { Authorization: value })).status).toBe(401)
  })

  test('ends at its time', async () => {
    const secret = await hub.token('reader', { expiresIn: '12h' })
    expect((await call(WHOAMI, bearer(secret))).status).toBe(200)
    const now = hub.clock.now()
    hub.clock.set('2026-01-02T15:04:04Z')
    expect((await call(WHOAMI, bearer(secret))).status).toBe(200)
    hub.clock.set('2026-01-02T15:04:05Z')
    expect((await call(WHOAMI, bearer(secret))).json).toMatchObject({ status: 401, code: 'auth.invalid' })
    hub.clock.set(now.toISOString())
  })

  test('that was revoked is none, and stays so', async () => {
    const made = await hub.as().post('/api/v1/tokens').send({ name: 'ci', role: 'developer' })
    const { id, token } = made.body as { id: string; token: string }
    expect((await call(WHOAMI, bearer(token))).status).toBe(200)
    const revoke = async () => await hub.as().delete(`/api/v1/tokens/${id}`)
    const first = await revoke()
    expect(first.body.revokedAt).toBe('2026-01-02T03:04:05Z')
    expect((await call(WHOAMI, bearer(token))).json).toMatchObject({ code: 'auth.invalid' })
    hub.clock.set('2026-01-03T00:00:00Z')
    expect((await revoke()).body.revokedAt).toBe(first.body.revokedAt)
    hub.clock.set('2026-01-02T03:04:05Z')
  })

  test('that a dry run would revoke goes on', async () => {
    const made = await hub.as().post('/api/v1/tokens').send({ name: 'ci', role: 'developer' })
    await hub.as().delete(`/api/v1/tokens/${made.body.id}?dryRun=true`)
    expect((await call(WHOAMI, bearer(made.body.token))).status).toBe(200)
  })
})

/** The routes that the sources declare, with patterns for their parameters. */
function declaredRoutes(): readonly { readonly method: string; readonly pattern: string }[] {
  const root = new URL('../../src/http/', import.meta.url)
  const sources = globSync('*.ts', { cwd: root }).map((file) => readFileSync(new URL(file, root), 'utf8'))
  const found = sources.join('\n').matchAll(/routes\.(get|post|put|patch|delete)\(\s*\[?'([^']+)'/g)
  return Array.from(found, ([, method = '', path = '']) => ({
    method: method.toUpperCase(),
    pattern: path.replaceAll(/:\w+/g, '[^/]+').replaceAll(/\*\w+/g, '.+').replaceAll('.git', '\\.git'),
  }))
}
