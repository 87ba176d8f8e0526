/** The addresses of Portage and of people with every kind of token. Those of the API are in matrix.test.ts. */
import { globSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROLES } from '../../src/access/rights.ts'
import { describeApi } from '../../src/http/openapi/document.ts'
import { send } from '../support/raw-http.ts'
import type { RawReply } from '../support/raw-http.ts'
import type { TestHub } from '../support/test-hub.ts'
import { BUILD, createWholeHub } from './whole-hub.ts'
import type { WholeHub } from './whole-hub.ts'

const NAME = `hub-shop-0_p${String(BUILD)}.tar.gz`

interface Route {
  readonly call: string
  readonly body?: Buffer
  /** Besides administrators. Whoever is not named must get 403; nobody at all, 401. */
  readonly allowed: readonly string[]
}

const READERS = ['release-manager', 'approver', 'node', 'reader']

const ROUTES: readonly Route[] = [
  { call: 'GET /nodes/web1/etc/portage/hub/fetch', allowed: ['node'] },
  { call: 'GET /binhost/nodes/web1/Packages', allowed: ['node'] },
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
  'GET /docs',
  'GET /docs/api-docs.css',
  'GET /docs/api-docs.js',
  'GET /enroll.sh',
  'GET /ci.sh',
  'GET /enroll.sh.asc',
  'GET /healthz',
  'GET /readyz',
  'GET /keys/hub.asc',
  'GET /keys/binhost.asc',
  'GET /keys/statement.json',
]

/** Where somebody shows who they are: tests/people/. */
const SIGNING_IN = [
  ...['GET /sign-in/openid', 'GET /sign-in/openid/callback', 'GET /sign-in', 'POST /sign-in'],
  ...['GET /sign-in/x', 'POST /sign-in/x', 'GET /sign-out', 'POST /sign-out', 'GET /account'],
  ...['POST /account/password', 'POST /account/sessions/x/end'],
]

let hub: TestHub
let tokens: WholeHub['tokens']

beforeAll(async () => {
  ;({ hub, tokens } = await createWholeHub())
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function call(route: Pick<Route, 'call' | 'body'>, headers: Record<string, string>): Promise<RawReply> {
  const [method = '', path = ''] = route.call.split(' ')
  const { body } = route
  return await send(hub.url, {
    ...{ method, path, token: null },
    headers: { 'Git-Protocol': 'version=2', ...headers },
    ...(body ? { body } : {}),
  })
}

const bearer = (secret = ''): Record<string, string> => ({ Authorization: `Bearer ${secret}` })
const basic = (secret: string, user = 'node'): Record<string, string> => ({
  Authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`,
})

describe.each(ROUTES)('$call', (route) => {
  test.each(ROLES)('for a token of the role %s', async (role) => {
    const isAllowed = role === 'administrator' || route.allowed.includes(role)
    const reply = await call(route, bearer(tokens.get(role)))
    if (isAllowed) expect(reply.status, reply.text).toBeLessThan(300)
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

test('the table has every route there is, beside those that the API is described by', () => {
  const calls = [...ROUTES.map(({ call }) => call), ...OPEN, ...SIGNING_IN].map((call) =>
    call.replace(/\?.*/, ''),
  )
  const ofApi = Object.keys(describeApi().paths ?? {})
  const missing = declaredRoutes().filter(
    ({ method, path, pattern }) =>
      !ofApi.includes(path.replaceAll(/[:*](\w+)/g, '{$1}').replace('/api/v1', '')) &&
      calls.every((call) => !new RegExp(`^${method} ${pattern}$`).test(call)),
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
function declaredRoutes() {
  const root = new URL('../../src/http/', import.meta.url)
  const sources = globSync('*.ts', { cwd: root }).map((file) => readFileSync(new URL(file, root), 'utf8'))
  const found = sources.join('\n').matchAll(/routes\.(get|post|put|patch|delete)\(\s*\[?'([^']+)'/g)
  return Array.from(found, ([, method = '', path = '']) => ({
    method: method.toUpperCase(),
    path,
    pattern: path.replaceAll(/:\w+/g, '[^/]+').replaceAll(/\*\w+/g, '.+').replaceAll('.git', '\\.git'),
  }))
}
