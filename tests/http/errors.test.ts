import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERRORS } from '../../src/errors.ts'
import { openSocket, requestHead, send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const PROMOTION = JSON.stringify({ app: 'shop', build: 1, environment: 'production' })
const JSON_TYPE = { 'Content-Type': 'application/json' }

test('a refusal is a problem document that names code, cause and the request', async () => {
  await using hub = await createTestHub()
  const reply = await send(hub.url, { path: '/api/v1/apps/none' })
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(reply.headers['cache-control']).toBe('no-store')
  expect(reply.json).toEqual({
    type: 'about:blank',
    status: 404,
    code: 'app.unknown',
    title: ERRORS['app.unknown'].title,
    detail: 'there is no app "none"; its first upload makes it',
    requestId: reply.headers['x-request-id'],
  })
})

let shared: TestHub
beforeAll(async () => {
  shared = await createTestHub()
  await shared.upload('shop', tarball({ f: '' }), { build: '1' })
})
afterAll(async () => {
  await shared[Symbol.asyncDispose]()
})

test.each(['/healthz', '/readyz', '/', '/keys/hub.asc', '/api/v1/apps', '/none', '/overlays/staging.zip'])(
  'every answer carries an X-Request-Id: %s',
  async (path) => {
    const ids = [await send(shared.url, { path }), await send(shared.url, { path })].map(
      ({ headers }) => headers['x-request-id'],
    )
    expect(ids[0]).toMatch(/^req_[0-9a-z]{22}$/)
    expect(ids[1]).not.toBe(ids[0])
  },
)

test.each([
  ['GET', '/none', {}, undefined, 404, 'request.unknown_route'],
  ['GET', '/api/v1/none', {}, undefined, 404, 'request.unknown_route'],
  ['GET', '/api/v2/apps', {}, undefined, 404, 'request.unknown_route'],
  ['DELETE', '/api/v1/apps/shop', {}, undefined, 404, 'request.unknown_route'],
  ['POST', '/api/v1/apps', JSON_TYPE, '{}', 404, 'request.unknown_route'],
  ['GET', '/api/v1/apps/%', {}, undefined, 400, 'request.invalid'],
  ['GET', '/api/v1/apps/%E0%A4%A', {}, undefined, 400, 'request.invalid'],
  ['GET', '/distfiles/staging/%', {}, undefined, 400, 'request.invalid'],
  ['POST', '/api/v1/promotions', JSON_TYPE, '{', 400, 'request.invalid'],
  ['POST', '/api/v1/promotions', JSON_TYPE, '"text"', 400, 'request.invalid'],
  ['POST', '/api/v1/promotions', JSON_TYPE, '[]', 400, 'request.invalid'],
  ['POST', '/api/v1/promotions', JSON_TYPE, '{}', 400, 'request.invalid'],
  ['POST', '/api/v1/promotions', {}, undefined, 400, 'request.invalid'],
  ['POST', '/api/v1/promotions', { 'Content-Type': 'text/plain' }, '{}', 400, 'request.invalid'],
  [
    'POST',
    '/api/v1/promotions',
    { 'Content-Type': 'application/json; charset=ebcdic' },
    '{}',
    400,
    'request.invalid',
  ],
  ['POST', '/api/v1/promotions', { ...JSON_TYPE, 'Content-Encoding': 'x' }, '{}', 400, 'request.invalid'],
  [
    'POST',
    '/api/v1/promotions',
    { ...JSON_TYPE, 'Content-Encoding': 'gzip' },
    'no gzip',
    400,
    'request.invalid',
  ],
  ['POST', '/api/v1/promotions', JSON_TYPE, `"${'x'.repeat(1_100_000)}"`, 413, 'request.too_large'],
  [
    'PUT',
    '/api/v1/environments/staging/files/profiles/x',
    {},
    'x'.repeat(1_100_000),
    413,
    'request.too_large',
  ],
  ['GET', '/api/v1/builds?dryRun=1', {}, undefined, 200, undefined],
  ['POST', '/api/v1/promotions?dryRun=1', JSON_TYPE, PROMOTION, 400, 'request.invalid'],
] as const)('%s %s %j', async (method, path, headers, body, status, code) => {
  const reply = await send(shared.url, {
    method,
    path,
    headers,
    ...(body ? { body: Buffer.from(body) } : {}),
  })
  expect(reply.status, reply.text).toBe(status)
  if (code !== undefined) {
    expect(reply.json).toMatchObject({ status, code })
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
  }
})

test('a refused body names every fault in it', async () => {
  await using hub = await createTestHub()
  const { body } = await hub.as().post('/api/v1/promotions').send({ app: 1, build: 0, more: true })
  expect(body.issues.map(({ path }: { path: string }) => path).sort()).toEqual([
    '',
    'app',
    'build',
    'environment',
  ])
  expect(body.detail).toContain('more')
})

describe('a fault', () => {
  test('answers 500 with the request’s id and no inner text; the log has the text', async () => {
    const lines: string[] = []
    const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) })
    await using hub = await createTestHub({}, { log })
    hub.hub.records.apps.find = async () => {
      throw new Error('the inner text: /var/lib/secret')
    }
    const reply = await send(hub.url, { path: '/api/v1/apps/shop' })
    expect(reply.status).toBe(500)
    expect(reply.json).toMatchObject({
      status: 500,
      code: 'fault',
      requestId: expect.stringMatching(/^req_/),
    })
    expect(reply.text).not.toContain('inner')
    const line = lines.find((text) => text.includes('the inner text'))
    expect(line).toContain(String(reply.json['requestId']))
  })

  test.each([
    ['PUT', '/api/v1/apps/shop/builds/1/tarball', tarball({ f: '' })],
    ['POST', '/api/v1/promotions', Buffer.from(PROMOTION)],
    ['PUT', '/api/v1/environments/staging/files/profiles/x', Buffer.from('x')],
  ])('of %s %s is told as such, though its body was read', async (method, path, body) => {
    await using hub = await createTestHub()
    await hub.upload('shop', tarball({ f: '' }), { build: '1', promote: 'false' })
    for (const records of [hub.hub.records.builds, hub.hub.records.apps])
      records.find = () => Promise.reject(new Error('inner'))
    hub.hub.records.transaction = () => Promise.reject(new Error('inner'))
    const reply = await send(hub.url, { method, path, body, headers: JSON_TYPE })
    expect(reply.json).toMatchObject({ status: 500, code: 'fault' })
  })
})

test('readyz says when the records do not answer', async () => {
  await using hub = await createTestHub()
  expect((await send(hub.url, { path: '/readyz', token: null })).status).toBe(200)
  hub.hub.records.tokens.hasAdministrator = () => Promise.reject(new Error('gone'))
  expect((await send(hub.url, { path: '/readyz', token: null })).json).toEqual({ status: 'unavailable' })
})

test.each([
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['a header that is too large', requestHead('GET /healthz', { X: 'x'.repeat(100_000) })],
  [
    'two lengths',
    requestHead('PUT /api/v1/apps/a/builds/1/tarball', { 'Content-Length': '1\r\nContent-Length: 2' }),
  ],
  [
    'length and chunks',
    requestHead('PUT /api/v1/apps/a/builds/1/tarball', {
      'Content-Length': 5,
      'Transfer-Encoding': 'chunked',
    }),
  ],
])('%s: refused by the connection, and the hub goes on', async (_what, bytes) => {
  const { socket, answer } = await openSocket(shared.url)
  socket.write(bytes)
  expect(await answer).toMatch(/^HTTP\/1\.1 4\d\d /)
  socket.destroy()
  expect((await send(shared.url, { path: '/healthz' })).status).toBe(200)
})
