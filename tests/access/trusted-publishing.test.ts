/** Trusted publishing through the door, with a real OpenID provider in the place of the CI. */
import { createHmac, createPublicKey } from 'node:crypto'
import { CompactSign, exportJWK, generateKeyPair, importJWK } from 'jose'
import type { CryptoKey } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pruneExchanges } from '../../src/jobs/prune-exchanges.ts'
import {
  GITHUB_JOB,
  GITLAB_JOB,
  jenkinsJob,
  LASTS_SEC,
  openIdentityProvider,
} from '../support/identity-provider.ts'
import type { IdentityProvider } from '../support/identity-provider.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const ENV = { HUB_IDENTITY_ALLOW: '127.0.0.1', HUB_PUBLIC_URL: 'https://hub.acme.example' }
const HUB = ENV.HUB_PUBLIC_URL
const SOMEBODY_ELSE = 'https://pypi.example'

let hub: TestHub
let ci: IdentityProvider
/** The first trust of shop. */
let first: string

beforeAll(async () => {
  hub = await createTestHub(ENV)
  ci = await openIdentityProvider([HUB, SOMEBODY_ELSE])
  setClock(0)
  first = await trust('shop', { provider: 'github', repository: 'acme/shop', workflow: 'release.yml' })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await ci[Symbol.asyncDispose]()
})

/** The provider lives by the time of the day. */
function setClock(laterSec: number): void {
  hub.clock.set(new Date(Date.now() + laterSec * 1000).toISOString())
}

async function trust(app: string, body: object, issuer = ci.issuer): Promise<string> {
  const path = `/api/v1/apps/${app}/trusted-publishers`
  const reply = await hub
    .as()
    .post(path)
    .send({ ...body, issuer })
  expect(reply.status, reply.text).toBe(201)
  return (reply.body as { id: string }).id
}

async function exchange(identity: string, app = 'shop') {
  return await hub.as(null).post('/api/v1/trusted-publishing/token').send({ app, identity })
}

async function given(identity: string, app = 'shop') {
  const reply = await exchange(identity, app)
  expect(reply.status, reply.text).toBe(201)
  return reply.body as { readonly token: string; readonly id: string; readonly [field: string]: unknown }
}

async function upload(app: string, token: string, build: string, recipe?: string) {
  const fields = { build, promote: 'false', ...(recipe !== undefined && { recipe }) }
  return await hub.upload(app, tarball({ f: build }), fields, token)
}

let job = 0
const githubJob = () => ({ ...GITHUB_JOB, jti: `job-${String(++job)}` })

const nowSec = () => Math.floor(Date.now() / 1000)

/** As the provider would sign it, with claims that it would not; by another key under its name, if one is given. */
async function signed(
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
  ownKey: CryptoKey | null = null,
): Promise<string> {
  const { kid = '', alg = '' } = ci.key
  const times = { iat: nowSec(), exp: nowSec() + 60 }
  const bytes = Buffer.from(JSON.stringify({ ...githubJob(), iss: ci.issuer, aud: HUB, ...times, ...claims }))
  const key = ownKey ?? (await importJWK(ci.key, alg))
  return await new CompactSign(bytes).setProtectedHeader({ alg, kid, ...header }).sign(key)
}

describe('a job that an app trusts', () => {
  test('uploads builds of that app and nothing else, for 15 minutes', async () => {
    const made = await given(await ci.identity(githubJob()))
    expect(made).toMatchObject({
      ...{ name: 'GitHub acme/shop run 812.2', role: 'developer', apps: ['shop'], environments: null },
      ...{ commands: true, expiresAt: later(15 * 60) },
    })
    expect((await upload('shop', made.token, '1')).status).toBe(201)
    expect((await upload('cart', made.token, '1')).body).toMatchObject({ code: 'auth.forbidden' })
    const check = { stage: 'commit', name: 'unit', status: 'passed' }
    const checked = await hub.as(made.token).post('/api/v1/apps/shop/builds/1/checks').send(check)
    expect(checked.status, checked.text).toBe(201)
    expect((await hub.promote('shop', 1, 'production', made.token)).body).toMatchObject({
      code: 'auth.forbidden',
    })
    const build = await hub.as().get('/api/v1/apps/shop/builds/1')
    expect(build.body).toMatchObject({ uploadedBy: 'GitHub acme/shop run 812.2' })
    setClock(15 * 60 + 1)
    expect((await upload('shop', made.token, '2')).body).toMatchObject({ code: 'auth.invalid' })
    setClock(0)
  })

  test('may make the app by its first upload', async () => {
    await trust('newcomer', { provider: 'github', repository: 'acme/shop' })
    const { token } = await given(await ci.identity(githubJob()), 'newcomer')
    expect((await upload('newcomer', token, '1')).status).toBe(201)
  })

  test('sends commands only where it was trusted with them', async () => {
    await trust('plain', { provider: 'github', repository: 'acme/shop', commands: false })
    const { token } = await given(await ci.identity(githubJob()), 'plain')
    const recipe = 'backup: {commands: ["true"]}'
    expect((await upload('plain', token, '1', recipe)).body).toMatchObject({ code: 'recipe.forbidden' })
  })

  test('is in the audit as whom its CI said it is', async () => {
    const made = await given(await ci.identity(githubJob()))
    const { items } = (await hub.as().get('/api/v1/audit?type=token.exchanged&limit=1')).body
    expect(items).toMatchObject([
      {
        ...{ subject: made.id, app: 'shop', actor: `${GITHUB_JOB.sub} (${ci.issuer})` },
        ...{ actorRole: 'identity', address: expect.stringMatching(/127\.0\.0\.1$/) as string },
        after: { issuer: ci.issuer, identity: GITHUB_JOB.sub, name: made['name'] },
      },
    ])
    expect(JSON.stringify(items)).not.toContain(made.token)
  })

  test.each([
    ['gitlab', { project: 'acme/web/shop', ref: 'refs/heads/*', protected: true }, GITLAB_JOB],
    ['jenkins', { url: 'https://ci.acme.example', job: 'team/*' }, jenkinsJob('https://ci.acme.example')],
    ['other', { claims: { sub: 'pipeline:shop', branch: 'main' } }, { sub: 'pipeline:shop', branch: 'main' }],
  ])('may be one of %s', async (provider, body, claims) => {
    const app = `by-${provider}`
    await trust(app, { provider, ...body })
    const { token } = await given(await ci.identity(claims), app)
    expect((await upload(app, token, '1')).status).toBe(201)
  })

  test.each(['RS256', 'PS256', 'EdDSA'] as const)('may be signed by %s', async (algorithm) => {
    await using other = await openIdentityProvider([HUB], algorithm)
    const app = `by-${algorithm.toLowerCase().replace(/(\d)/, 'x$1')}`
    await trust(app, { provider: 'github', repository: 'acme/shop' }, other.issuer)
    await given(await other.identity(githubJob()), app)
  })

  test('is tried without effect by a dry run', async () => {
    const identity = await ci.identity(githubJob())
    const tried = await hub
      .as(null)
      .post('/api/v1/trusted-publishing/token?dryRun=true')
      .send({ app: 'shop', identity })
    expect(tried.body).toMatchObject({ dryRun: true, id: null, name: 'GitHub acme/shop run 812.2' })
    expect(tried.body).not.toHaveProperty('token')
    await given(identity)
    const again = await hub
      .as(null)
      .post('/api/v1/trusted-publishing/token?dryRun=true')
      .send({ app: 'shop', identity })
    expect(again.body).toMatchObject({ code: 'identity.used' })
  })
})

function later(seconds: number): string {
  return new Date(hub.clock.now().getTime() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
}

describe('an identity that the app does not trust is refused, by its own claim', () => {
  const whole = {
    provider: 'github',
    repository: 'acme/shop',
    environment: 'release',
    ref: 'refs/heads/main',
  }
  beforeAll(async () => {
    await trust('strict', { ...whole, workflow: 'release.yml' })
    await trust('strict-gitlab', { provider: 'gitlab', project: 'acme/web/shop', protected: true })
    await trust('strict-jenkins', { provider: 'jenkins', url: 'https://ci.acme.example', job: 'team/shop' })
  })

  test.each([
    ['repository', { repository: 'acme/shop2' }],
    ['repository', { repository: 'acme-shop/shop' }],
    ['repository', { repository: 'Acme/shop' }],
    ['repository', { repository: 'acme/sh0p' }],
    ['repository', { repository: 'evil/acme/shop' }],
    ['repository', { repository: 'acme/shop\u200b' }],
    ['repository', { repository: ['acme/shop'] }],
    ['workflow', { workflow_ref: 'acme/shop/.github/workflows/other.yml@refs/heads/main' }],
    ['workflow', { workflow_ref: undefined, workflow: 'release.yml' }],
    ['workflow', { workflow_ref: 'acme/shop/.github/workflows/x/release.yml@refs/heads/main' }],
    ['environment', { environment: 'releases' }],
    ['environment', { environment: undefined }],
    ['ref', { ref: 'refs/heads/main-evil' }],
    ['ref', { ref: 'refs/tags/refs/heads/main' }],
    ['event_name', { event_name: 'pull_request_target' }],
    ['event_name', { event_name: 'workflow_run' }],
  ])('%s: %j', async (claim, different) => {
    const reply = await exchange(await ci.identity({ ...githubJob(), ...different }), 'strict')
    expect(reply.body).toMatchObject({ status: 403, code: 'identity.untrusted' })
    expect((reply.body as { claims: string[] }).claims).toContain(claim)
  })

  test.each([
    ['strict-gitlab', { ...GITLAB_JOB, project_path: 'acme/web/shop-evil' }, 'project_path'],
    ['strict-gitlab', { ...GITLAB_JOB, ref_protected: 'false' }, 'ref_protected'],
    ['strict-jenkins', jenkinsJob('https://ci.acme.example', 'team/shop2'), 'sub'],
    ['strict-jenkins', jenkinsJob('https://ci.acme.example.evil.example'), 'sub'],
  ])('%s: %j', async (app, claims, claim) => {
    const reply = await exchange(await ci.identity(claims), app)
    expect(reply.body).toMatchObject({ code: 'identity.untrusted', claims: [claim] })
  })

  test('and what it should be is not told', async () => {
    const reply = await exchange(await ci.identity({ ...githubJob(), environment: 'staging' }), 'strict')
    expect(reply.body).toMatchObject({ claims: ['environment'] })
    expect(reply.text).toContain('environment is \\"staging\\"')
    expect(reply.text).not.toContain('release')
  })

  test('the same subject of another issuer is another identity', async () => {
    await using impostor = await openIdentityProvider([HUB])
    const reply = await exchange(await impostor.identity(githubJob()))
    expect(reply.body).toMatchObject({ status: 403, code: 'identity.untrusted' })
    expect(impostor.keyRequests).toBe(0)
  })

  test('an app that nobody has heard of is refused in the same way', async () => {
    const unknown = await exchange(await ci.identity(githubJob()), 'nobodys-app')
    expect(unknown.body).toMatchObject({ code: 'identity.untrusted' })
    const none = await exchange(await ci.identity(githubJob()), 'No App')
    expect(none.body).toMatchObject({ code: 'app.invalid_name' })
  })
})

describe('an identity token that is none is refused:', () => {
  const payloadOf = (token: string) => token.split('.')[1] ?? ''
  const headed = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url')
  test('for somebody else', async () => {
    const reply = await exchange(await ci.identity(githubJob(), SOMEBODY_ELSE))
    expect(reply.body).toMatchObject({ status: 403, code: 'identity.wrong_audience' })
    expect(reply.text).toContain(HUB)
  })

  test.each([[[HUB, SOMEBODY_ELSE]], [`${HUB}/`], [[]], [undefined]])('for %j', async (aud) => {
    const reply = await exchange(await signed({ aud }))
    expect(reply.body).toMatchObject({ code: 'identity.wrong_audience' })
  })

  test('past its end', async () => {
    const identity = await ci.identity(githubJob())
    setClock(LASTS_SEC + 31)
    const reply = await exchange(identity)
    setClock(0)
    expect(reply.body).toMatchObject({ status: 401, code: 'identity.expired' })
  })

  test.each([
    ['nbf', { nbf: 3600 }],
    ['iat', { iat: 3600, exp: 7200 }],
    ['iat', { iat: -25 * 3600, exp: 3600 }],
    ['exp', { iat: -100, exp: -31 }],
  ])('that does not hold at this time by %s: %j', async (claim, offsets) => {
    const times = Object.entries(offsets).map(([name, offset]) => [name, nowSec() + offset])
    const reply = await exchange(await signed(Object.fromEntries(times)))
    expect(reply.body).toMatchObject({ code: 'identity.expired' })
    expect(reply.text).toContain(`\\"${claim}\\"`)
  })

  test('two clocks may differ by seconds', async () => {
    await given(await signed({ iat: nowSec() + 20, nbf: nowSec() + 20 }))
    await given(await signed({ iat: nowSec() - 100, exp: nowSec() - 20 }))
  })

  test.each([
    ['without an end', { exp: undefined }],
    ['without a beginning', { iat: undefined }],
    ['with an end that is a text', { exp: '9999999999' }],
    ['without a subject', { sub: undefined }],
    ['with a subject that is a number', { sub: 7 }],
  ])('%s', async (_what, claims) => {
    expect((await exchange(await signed(claims))).body).toMatchObject({
      ...{ status: 401, code: 'identity.invalid' },
    })
  })

  test('of another kind, or with a key that its issuer does not have', async () => {
    const own = await generateKeyPair('ES256', { extractable: true })
    const jwk = await exportJWK(own.publicKey)
    for (const identity of [
      await signed({}, { typ: 'at+jwt' }),
      await signed({}, { kid: 'none' }),
      await signed({}, {}, own.privateKey),
      await signed({}, { jwk }, own.privateKey),
      await signed({}, { jwk, kid: undefined }, own.privateKey),
    ])
      expect((await exchange(identity)).body).toMatchObject({ code: 'identity.invalid' })
  })

  test('unsigned, or signed with the public key as if it were a shared secret', async () => {
    const identity = await ci.identity(githubJob())
    for (const alg of ['none', 'None', 'NONE'])
      expect((await exchange(`${headed({ alg })}.${payloadOf(identity)}.`)).body).toMatchObject({
        code: 'identity.invalid',
      })
    await using rsa = await openIdentityProvider([HUB], 'RS256')
    await trust('rsa', { provider: 'github', repository: 'acme/shop' }, rsa.issuer)
    const { n = '', e = '', kid } = rsa.key
    const publicKey = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' })
    const pem = publicKey.export({ type: 'spki', format: 'pem' })
    const input = `${headed({ alg: 'HS256', kid })}.${payloadOf(await rsa.identity(githubJob()))}`
    const forged = `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`
    expect((await exchange(forged, 'rsa')).body).toMatchObject({ code: 'identity.invalid' })
  })

  test.each(['', 'x', 'a.b.c', 'phub_token', '..', `${'x'.repeat(16_000)}.b.c`, '\u0000.\u0000.'])(
    'no token at all: %j',
    async (identity) => {
      const { status } = await exchange(identity)
      expect([400, 401]).toContain(status)
    },
  )

  test('altered in any part', async () => {
    const [head = '', body = '', signature = ''] = (await ci.identity(githubJob())).split('.')
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object
    const other = headed({ ...claims, repository: 'acme/other' })
    for (const altered of [`${head}.${other}.${signature}`, `${head}.${body}.${signature.slice(0, -4)}AAAA`])
      expect((await exchange(altered)).body).toMatchObject({ code: 'identity.invalid' })
  })
})

describe('an identity token is good for once:', () => {
  test('of many that send the same at the same time, exactly one gets a token', async () => {
    const identity = await ci.identity(githubJob())
    const replies = await Promise.all(Array.from({ length: 12 }, async () => await exchange(identity)))
    const codes = replies.map(({ status, body }) => (status === 201 ? 201 : (body as { code: string }).code))
    expect(codes.filter((code) => code === 201)).toHaveLength(1)
    expect(codes.filter((code) => code === 'identity.used')).toHaveLength(11)
  })

  test('it stays used after a restart, with an id of its own and without', async () => {
    await trust('jenkins-job', { provider: 'jenkins', url: 'https://ci.example', job: 'team/shop' })
    const identities = [
      ['shop', await ci.identity(githubJob())],
      ['jenkins-job', await ci.identity(jenkinsJob('https://ci.example'))],
    ] as const
    for (const [app, identity] of identities) await given(identity, app)
    hub = await hub.restart()
    setClock(0)
    for (const [app, identity] of identities)
      expect((await exchange(identity, app)).body).toMatchObject({ status: 409, code: 'identity.used' })
  })

  test('for all apps together', async () => {
    await trust('both', { provider: 'github', repository: 'acme/shop' })
    const identity = await ci.identity(githubJob())
    await given(identity)
    expect((await exchange(identity, 'both')).body).toMatchObject({ code: 'identity.used' })
  })

  test('its token is forgotten when that has ended, and it is not before it has ended itself', async () => {
    const lasting = await signed({ exp: nowSec() + 7200 })
    const { id, token } = await given(lasting)
    await pruneExchanges(hub.hub)
    expect(await tokenIds()).toContain(id)
    expect((await hub.as(token).get('/api/v1/whoami')).status).toBe(200)
    setClock(16 * 60)
    await pruneExchanges(hub.hub)
    expect(await tokenIds()).not.toContain(id)
    expect((await exchange(lasting)).body).toMatchObject({ code: 'identity.used' })
    setClock(7200 + 60)
    await pruneExchanges(hub.hub)
    expect((await exchange(lasting)).body).toMatchObject({ code: 'identity.expired' })
    expect(await hub.hub.records.trusts.tokensOf(first)).toEqual([])
    setClock(0)
  })
})

async function tokenIds(): Promise<readonly string[]> {
  const { items } = (await hub.as().get('/api/v1/tokens?limit=500')).body as { items: { id: string }[] }
  return items.map(({ id }) => id)
}

describe('the trusted publishers of an app', () => {
  const path = '/api/v1/apps/managed/trusted-publishers'
  const body = { provider: 'github', repository: 'acme/managed' }

  test('are added, listed and removed, and each change is in the audit', async () => {
    const tried = await hub.as().post(`${path}?dryRun=true`).send(body)
    expect(tried.body).toMatchObject({ id: null, dryRun: true, app: 'managed' })
    const made = await hub.as().post(path).send(body)
    expect(made.status).toBe(201)
    const { id } = made.body as { id: string }
    expect((await hub.as().post(path).send(body)).body).toMatchObject({ status: 409, code: 'trust.exists' })
    expect((await hub.as().get(path)).body).toMatchObject({
      items: [
        {
          ...{ id, app: 'managed', provider: 'github', commands: true, createdBy: 'HUB_ADMIN_TOKEN' },
          ...{
            issuer: 'https://token.actions.githubusercontent.com',
            claims: { repository: 'acme/managed' },
          },
        },
      ],
    })
    expect((await hub.as().delete(`${path}/${id}?dryRun=true`)).body).toMatchObject({ dryRun: true })
    expect((await hub.as().delete(`/api/v1/apps/shop/trusted-publishers/${id}`)).body).toMatchObject({
      ...{ status: 404, code: 'trust.unknown' },
    })
    expect((await hub.as().delete(`${path}/${id}`)).body).toMatchObject({ id })
    expect((await hub.as().get(path)).body).toMatchObject({ items: [] })
    const audit = (await hub.as().get('/api/v1/audit?app=managed')).body as { items: { type: string }[] }
    expect(audit.items.map(({ type }) => type)).toEqual(['trust.removed', 'trust.added'])
  })

  test('that are removed take their tokens with them, and no others', async () => {
    const id = await trust('leaving', { provider: 'github', repository: 'acme/shop' })
    const leaving = await given(await ci.identity(githubJob()), 'leaving')
    const staying = await given(await ci.identity(githubJob()))
    await hub.as().delete(`/api/v1/apps/leaving/trusted-publishers/${id}`)
    expect((await upload('leaving', leaving.token, '1')).body).toMatchObject({ code: 'auth.invalid' })
    expect((await hub.as(staying.token).get('/api/v1/whoami')).status).toBe(200)
    expect((await exchange(await ci.identity(githubJob()), 'leaving')).body).toMatchObject({
      code: 'identity.untrusted',
    })
  })

  test.each([
    ['http://ci.acme.example', 'trust.forbidden_issuer'],
    ['https://10.0.0.7/oidc', 'trust.forbidden_issuer'],
    ['https://169.254.169.254', 'trust.forbidden_issuer'],
    ['https://[::1]/', 'trust.forbidden_issuer'],
    ['http://127.0.0.2:8080', 'trust.forbidden_issuer'],
    ['http://localhost:8080', 'trust.forbidden_issuer'],
    ['https://gitlab.com', 'trust.too_wide'],
  ])('have an issuer that the hub may ask: not %s', async (issuer, code) => {
    const claims = { sub: 'x' }
    const reply = await hub.as().post(path).send({ provider: 'other', issuer, claims })
    expect(reply.body).toMatchObject({ status: 422, code })
  })
})
