/** How the hub comes by the keys of an issuer: kept, asked for again, and never from where it must not ask. */
import type { RequestListener } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { providerFetch } from '../../src/access/provider-fetch.ts'
import { openIdentityProvider } from '../support/identity-provider.ts'
import type { IdentityProvider } from '../support/identity-provider.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const HUB = 'https://hub.acme.example'
const JOB = { sub: 'pipeline:shop' }

let hub: TestHub
let ci: IdentityProvider
let laterSec = 0

beforeAll(async () => {
  hub = await createTestHub({ HUB_IDENTITY_ALLOW: '127.0.0.1', HUB_PUBLIC_URL: HUB })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

beforeEach(async () => {
  ci = await openIdentityProvider([HUB])
  pass(0)
  const body = { provider: 'other', issuer: ci.issuer, claims: JOB }
  const reply = await hub.as().post('/api/v1/apps/shop/trusted-publishers').send(body)
  expect(reply.status, reply.text).toBe(201)
  return async () => {
    await ci[Symbol.asyncDispose]()
  }
})

/** The provider lives by the time of the day. */
function pass(seconds: number): void {
  laterSec = seconds === 0 ? 0 : laterSec + seconds
  hub.clock.set(new Date(Date.now() + laterSec * 1000).toISOString())
}

/** The code of the refusal, or `given`. */
async function exchange(identity: string): Promise<string> {
  const body = { app: 'shop', identity }
  const reply = await hub.as(null).post('/api/v1/trusted-publishing/token').send(body)
  return reply.status === 201 ? 'given' : (reply.body as { code: string }).code
}

const unknownKey = async () => {
  const [, body = '', signature = ''] = (await ci.identity(JOB)).split('.')
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'made up' })).toString('base64url')
  return `${header}.${body}.${signature}`
}

describe('the keys of an issuer', () => {
  test('are fetched once for many at the same time, and then kept', async () => {
    const identities = await Promise.all(Array.from({ length: 5 }, async () => await ci.identity(JOB)))
    const codes = await Promise.all(identities.map(exchange))
    // Of one second and one job they are the same token.
    expect(codes).toContain('given')
    expect(ci.keyRequests).toBe(1)
    pass(9 * 60)
    expect(await exchange(await ci.identity({ ...JOB, jti: '2' }))).toBe('identity.expired')
    expect(ci.keyRequests).toBe(1)
  })

  test('are fetched again for a token of a new key, but not at every token of a made-up one', async () => {
    expect(await exchange(await ci.identity({ ...JOB, jti: '1' }))).toBe('given')
    await ci.rotate()
    const renewed = await ci.identity({ ...JOB, jti: '2' })
    expect(await exchange(renewed)).toBe('identity.invalid')
    expect(ci.keyRequests).toBe(1)
    pass(31)
    expect(await exchange(renewed)).toBe('given')
    expect(ci.keyRequests).toBe(2)
    for (const _ of [1, 2, 3]) expect(await exchange(await unknownKey())).toBe('identity.invalid')
    expect(ci.keyRequests).toBe(2)
    pass(31)
    for (const _ of [1, 2, 3]) expect(await exchange(await unknownKey())).toBe('identity.invalid')
    expect(ci.keyRequests).toBe(3)
  })

  test('that the issuer took away are not believed for longer than ten minutes', async () => {
    const former = [await ci.identity({ ...JOB, jti: '1' }), await ci.identity({ ...JOB, jti: '2' })]
    expect(await exchange(former[0] ?? '')).toBe('given')
    await ci.rotate()
    pass(10 * 60)
    expect(await exchange(former[1] ?? '')).toBe('identity.invalid')
  })

  test('come back when the issuer does', async () => {
    const identity = await ci.identity(JOB)
    ci.instead = (_request, response) => response.writeHead(503).end()
    expect(await exchange(identity)).toBe('identity.issuer_unreachable')
    ci.instead = null
    expect(await exchange(identity)).toBe('given')
  })
})

describe('an issuer is not believed', () => {
  const answering =
    (discovery: (issuer: string) => unknown, keys: unknown = { keys: [] }): RequestListener =>
    (request, response) => {
      const said = request.url === '/jwks' ? keys : discovery(ci.issuer)
      response.setHeader('Content-Type', 'application/json')
      response.end(typeof said === 'string' ? said : JSON.stringify(said))
    }
  const honest = (issuer: string) => ({ issuer, jwks_uri: `${issuer}/jwks` })

  test.each<[string, RequestListener]>([
    ['that says it is another', answering((issuer) => ({ ...honest(issuer), issuer: `${issuer}/` }))],
    ['without keys', answering((issuer) => ({ issuer }))],
    [
      'whose keys are elsewhere without TLS',
      answering((issuer) => ({ issuer, jwks_uri: 'http://127.0.0.1:1/' })),
    ],
    ['whose keys are within', answering((issuer) => ({ issuer, jwks_uri: 'https://10.0.0.1/jwks' }))],
    ['whose keys are in a file', answering((issuer) => ({ issuer, jwks_uri: 'file:///etc/passwd' }))],
    ['that answers no JSON', answering(() => '<html>')],
    ['that answers a list', answering(() => [])],
    ['whose keys are none', answering(honest, { keys: 'none' })],
    ['whose keys are null', answering(honest, 'null')],
    ['that answers without an end', answering(honest, `{"keys":[${'1,'.repeat(2 ** 18)}1]}`)],
    ['that sends elsewhere', (_request, response) => response.writeHead(302, { Location: '/jwks' }).end()],
    ['that breaks off', (_request, response) => response.writeHead(200).destroy()],
  ])('%s', async (_what, listener) => {
    const identity = await ci.identity(JOB)
    ci.instead = listener
    expect(await exchange(identity)).toBe('identity.issuer_unreachable')
  })

  test('that does not answer in time', async () => {
    ci.instead = () => undefined
    await expect(providerFetch(['127.0.0.1'], 50)(ci.issuer)).rejects.toThrow('no answer within 0.05 seconds')
  })

  test('where the hub may not ask', async () => {
    await expect(providerFetch([])(ci.issuer)).rejects.toThrow('no address of the public internet')
    await expect(providerFetch(['127.0.0.1'])('http://localhost:1/')).rejects.toThrow('through https only')
    await expect(providerFetch(['127.0.0.1'])('http://127.0.0.1.example:1/')).rejects.toThrow('https only')
    await expect(providerFetch([])('https://localhost:1/')).rejects.toThrow(
      'no address of the public internet',
    )
  })
})

test('what the issuer answered is for the log, not for whoever sent the token', async () => {
  ci.instead = (_request, response) => response.writeHead(418).end('a teapot')
  const body = { app: 'shop', identity: await unanswered() }
  const reply = await hub.as(null).post('/api/v1/trusted-publishing/token').send(body)
  expect(reply.body).toMatchObject({ status: 503, code: 'identity.issuer_unreachable' })
  expect(reply.text).not.toMatch(/418|teapot/)
})

async function unanswered(): Promise<string> {
  const { instead } = ci
  ci.instead = null
  const identity = await ci.identity(JOB)
  ci.instead = instead
  return identity
}
