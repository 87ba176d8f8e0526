/** Bodies that were found by fuzzing: refused before their end, and the connection never came to its next request. */
import { Agent } from 'node:http'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { formBody, FORM_TYPE } from '../../support/raw-http.ts'
import { createTestHub } from '../../support/test-hub.ts'
import { exchange } from '../support/exchange.ts'

const LARGE = Buffer.alloc(9_000_000, 'x')
const GIT = '/git/staging.git/git-upload-pack'

test.each([
  ['a git request that is too large', GIT, {}, LARGE, 413],
  ['a git request that is no gzip', GIT, { 'Content-Encoding': 'gzip' }, LARGE, 400],
  [
    'a git request that unpacks to too much',
    GIT,
    { 'Content-Encoding': 'gzip' },
    gzipSync(LARGE, { level: 0 }),
    413,
  ],
  ['a git request in another coding', GIT, { 'Content-Encoding': 'br' }, LARGE, 400],
  ['JSON that is too large', '/api/v1/promotions', { 'Content-Type': 'application/json' }, LARGE, 413],
  ['a body that nobody reads', '/nowhere', {}, LARGE, 404],
  [
    'a form of no boundary',
    '/api/v1/apps/shop/builds',
    { 'Content-Type': 'multipart/form-data' },
    LARGE,
    400,
  ],
  [
    'a form with much behind its end',
    '/api/v1/apps/shop/builds',
    { 'Content-Type': FORM_TYPE },
    Buffer.concat([formBody({ build: '1' }), LARGE]),
    400,
  ],
] as const)('after %s the next request is answered', async (_, path, headers, body, status) => {
  await using hub = await createTestHub()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (let times = 0; times < 2; times++)
      expect((await exchange(hub.url, agent, { method: 'POST', path, headers, body })).status).toBe(status)
    expect((await exchange(hub.url, agent, { path: '/healthz' })).status).toBe(200)
  } finally {
    agent.destroy()
  }
})
