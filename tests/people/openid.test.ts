/** Signing in with a real OpenID provider, from the button to the session, as a browser goes. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { ERRORS } from '../../src/errors.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { CLIENT, openLoginProvider } from '../support/login-provider.ts'
import type { LoginProvider } from '../support/login-provider.ts'
import { Surfer } from '../support/surfer.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const GROUPS = {
  releasers: [{ role: 'release-manager', environments: ['production'] }],
  shop: [{ role: 'developer', apps: ['shop'] }, { role: 'reader' }],
  admins: [{ role: 'administrator' }],
}

let provider: LoginProvider
let hub: TestHub

beforeAll(async () => {
  provider = await openLoginProvider()
  hub = await createTestHub({
    HUB_OIDC_ISSUER: provider.issuer,
    HUB_OIDC_CLIENT_ID: CLIENT.id,
    HUB_OIDC_CLIENT_SECRET: CLIENT.secret,
    HUB_OIDC_NAME: 'Acme',
    HUB_OIDC_SCOPES: 'profile groups',
    HUB_OIDC_GROUPS: JSON.stringify(GROUPS),
    HUB_IDENTITY_ALLOW: '127.0.0.1',
  })
  provider.register(`${hub.url}/sign-in/openid/callback`)
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
})

beforeEach(() => {
  passTime()
  provider.people.clear()
  provider.asked.length = 0
  provider.people.set('u-1', { name: 'Anna Acme', preferred_username: 'anna', groups: ['releasers', 'x'] })
  Object.assign(provider, { user: 'u-1', tokens: null, isDown: false })
})

/** Refusals are counted for ten minutes; what these tests are about is not how many there may be. */
let passedMs = 0
function passTime(): void {
  passedMs += 11 * 60_000
  hub.clock.set(new Date(Date.now() + passedMs).toISOString())
}

const isCallback = ({ pathname }: URL): boolean => pathname === '/sign-in/openid/callback'
const start = (to = ''): string =>
  `${hub.url}/sign-in/openid${to === '' ? '' : `?next=${encodeURIComponent(to)}`}`

async function session(surfer: Surfer) {
  const { text, status } = await surfer.go(`${hub.url}/api/v1/session`)
  return status === 200 ? (JSON.parse(text) as { person: Record<string, unknown>; csrf: string }) : null
}

async function personOf(subject: string) {
  return await hub.hub.records.people.findByIdentity(provider.issuer, subject)
}

/** What a page that refuses says of itself. */
const saying = (code: ErrorCode) => ERRORS[code]

async function shown(page: Promise<{ readonly status: number; readonly text: string }>) {
  const { status, text } = await page
  return { status, title: /<h1>([^<]*)<\/h1>/.exec(text)?.[1], text }
}

describe('somebody whose group may do something', () => {
  test('signs in, gets an account with the grants of their groups, and goes where they wanted', async () => {
    const surfer = new Surfer()
    const arrived = await surfer.go(start('/api/v1/whoami'))
    expect(arrived).toMatchObject({ url: `${hub.url}/api/v1/whoami`, status: 200 })
    expect(JSON.parse(arrived.text)).toMatchObject({
      ...{ kind: 'person', name: 'anna' },
      grants: [{ role: 'release-manager', apps: null, environments: ['production'] }],
    })
    expect((await session(surfer))?.person).toMatchObject({ name: 'anna', fullName: 'Anna Acme' })
    const audit = (await hub.as().get('/api/v1/audit?type=person.signed_in&limit=1')).body as {
      items: unknown[]
    }
    expect(audit.items).toMatchObject([{ actor: 'anna', after: { way: 'openid' } }])
  })

  test('is the same person the next time, whatever they are called then', async () => {
    await new Surfer().go(start())
    const first = await personOf('u-1')
    provider.people.set('u-1', { name: 'Anna Beta', preferred_username: 'root', groups: ['releasers'] })
    const surfer = new Surfer()
    await surfer.go(start())
    expect((await session(surfer))?.person).toMatchObject({
      id: first?.id,
      name: 'anna',
      fullName: 'Anna Beta',
    })
  })

  test('never takes the name of somebody else', async () => {
    await hub.as().post('/api/v1/people').send({ name: 'bert' })
    provider.people.set('u-2', { preferred_username: 'Bert', email: 'bert@acme.example', groups: ['shop'] })
    provider.user = 'u-2'
    const surfer = new Surfer()
    await surfer.go(start())
    expect((await session(surfer))?.person).toMatchObject({
      name: 'bert-2',
      grants: [
        { role: 'developer', apps: ['shop'], environments: null },
        { role: 'reader', apps: null, environments: null },
      ],
    })
  })

  test('signs out, and the session is over', async () => {
    const surfer = new Surfer()
    await surfer.go(start())
    const signedIn = await session(surfer)
    const reply = await fetch(`${hub.url}/api/v1/sign-out`, {
      method: 'POST',
      headers: {
        ...{ Cookie: surfer.cookies(hub.url), Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' },
        'X-CSRF-Token': signedIn?.csrf ?? '',
      },
    })
    expect(reply.status).toBe(200)
    expect(await session(surfer)).toBeNull()
  })

  test('gives the account no password of its own, which would outlive their groups', async () => {
    const surfer = new Surfer()
    await surfer.go(start())
    const reply = await fetch(`${hub.url}/api/v1/password`, {
      method: 'PUT',
      headers: {
        ...{ Cookie: surfer.cookies(hub.url), Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' },
        ...{ 'X-CSRF-Token': (await session(surfer))?.csrf ?? '', 'Content-Type': 'application/json' },
      },
      body: JSON.stringify({ password: 'horse staple battery' }),
    })
    expect(await reply.json()).toMatchObject({ status: 403, code: 'auth.forbidden' })
    expect(await personOf('u-1')).toMatchObject({ password: null })
  })

  test.each(['//evil.example/', '/\\evil.example', 'https://evil.example/', '/a b', 'javascript:alert(1)'])(
    'is not sent to %s afterwards',
    async (to) => {
      const surfer = new Surfer()
      const arrived = await surfer.go(start(to))
      expect(arrived.url).toBe(`${hub.url}/`)
    },
  )
})

describe('what somebody may follows their groups:', () => {
  test('who leaves the last of them is refused at the next sign-in, and may nothing any more', async () => {
    const surfer = new Surfer()
    await surfer.go(start())
    expect(await session(surfer)).not.toBeNull()
    provider.people.set('u-1', { name: 'Anna Acme', groups: ['x'] })
    const refused = await shown(new Surfer().go(start()))
    expect(refused).toMatchObject(saying('openid.not_invited'))
    expect(refused.text).toContain('u-1')
    expect(await personOf('u-1')).toMatchObject({ grants: '[]' })
    expect(await session(surfer)).toBeNull()
  })

  test('who changes groups has the new grants', async () => {
    await new Surfer().go(start())
    provider.people.set('u-1', { name: 'Anna Acme', groups: 'admins' })
    const surfer = new Surfer()
    await surfer.go(start())
    expect((await session(surfer))?.person).toMatchObject({ grants: [{ role: 'administrator' }] })
    const { items } = (await hub.as().get('/api/v1/audit?type=person.changed&limit=1')).body
    expect(items).toMatchObject([{ actor: 'anna', after: { grants: [{ role: 'administrator' }] } }])
  })

  test.each([
    ['no group', []],
    ['no claim', undefined],
    ['odd ones', [7, null, { a: 1 }]],
    ['a part', ['admin']],
  ])('a stranger with %s is not let in, and leaves no account', async (_what, groups) => {
    provider.people.set('u-9', { preferred_username: 'eve', groups })
    provider.user = 'u-9'
    expect(await shown(new Surfer().go(start()))).toMatchObject(saying('openid.not_invited'))
    expect(await personOf('u-9')).toBeUndefined()
  })

  test('whom an administrator invited keeps what they gave', async () => {
    const grants = [{ role: 'approver', apps: ['shop'] }]
    const invited = await hub.as().post('/api/v1/people').send({ name: 'carl', subject: 'u-3', grants })
    expect(invited.status, invited.text).toBe(201)
    const twice = await hub.as().post('/api/v1/people').send({ name: 'karl', subject: 'u-3' })
    expect(twice.body).toMatchObject({ status: 409, code: 'person.identity_taken' })
    provider.people.set('u-3', { preferred_username: 'someone-else', groups: [] })
    provider.user = 'u-3'
    const surfer = new Surfer()
    await surfer.go(start())
    expect((await session(surfer))?.person).toMatchObject({
      ...{ name: 'carl', fullName: null },
      grants: [{ role: 'approver', apps: ['shop'], environments: null }],
    })
  })

  test('who is disabled stays out', async () => {
    provider.people.set('u-4', { preferred_username: 'dora', groups: ['admins'] })
    provider.user = 'u-4'
    await new Surfer().go(start())
    await hub.as().patch('/api/v1/people/dora').send({ disabled: true })
    const surfer = new Surfer()
    const refused = await shown(surfer.go(start()))
    expect(refused.text).toContain('your account dora is disabled')
    expect(await session(surfer)).toBeNull()
  })
})

describe('an answer that does not belong to this sign-in is refused:', () => {
  /** As far as the provider sends the browser back. */
  async function answered(surfer = new Surfer()) {
    const { url } = await surfer.go(start(), isCallback)
    return { surfer, url: new URL(url) }
  }

  const REFUSED = saying('openid.refused')

  test('with another state, or none', async () => {
    for (const state of ['x'.repeat(43), '']) {
      const { surfer, url } = await answered()
      if (state === '') url.searchParams.delete('state')
      else url.searchParams.set('state', state)
      expect(await shown(surfer.go(url.href))).toMatchObject(REFUSED)
      expect(await session(surfer)).toBeNull()
    }
  })

  test('in a browser that did not begin', async () => {
    const { url } = await answered()
    const other = new Surfer()
    expect(await shown(other.go(url.href))).toMatchObject(REFUSED)
    // One that has begun its own is no better.
    const { surfer } = await answered()
    expect(await shown(surfer.go(url.href))).toMatchObject(REFUSED)
    expect(await session(surfer)).toBeNull()
  })

  test('a second time', async () => {
    const { surfer, url } = await answered()
    const cookies = surfer.cookies(hub.url)
    expect((await surfer.go(url.href)).status).toBe(200)
    expect(await shown(surfer.go(url.href))).toMatchObject(REFUSED)
    // Also where somebody kept the cookie: the code was used.
    const again = await fetch(url, { redirect: 'manual', headers: { Cookie: cookies } })
    expect(again.status).toBe(401)
    expect(again.headers.getSetCookie().join()).not.toMatch(/portage-hub=[^;]/)
  })

  test('with the code of another sign-in', async () => {
    const stolen = await answered()
    const { surfer, url } = await answered()
    url.searchParams.set('code', stolen.url.searchParams.get('code') ?? '')
    expect(await shown(surfer.go(url.href))).toMatchObject(REFUSED)
  })

  test('from another issuer', async () => {
    const { surfer, url } = await answered()
    expect(url.searchParams.get('iss')).toBe(provider.issuer)
    url.searchParams.set('iss', 'https://evil.example')
    expect(await shown(surfer.go(url.href))).toMatchObject(REFUSED)
  })

  const nonceOf = async (surfer: Surfer): Promise<string> => {
    const asked = await surfer.go(start(), ({ pathname }) => pathname === '/auth')
    return new URL(asked.url).searchParams.get('nonce') ?? ''
  }

  test.each<[string, (nonce: string) => Record<string, unknown>, boolean]>([
    ['its own', (nonce) => ({ nonce }), true],
    ['of another nonce', () => ({ nonce: 'other' }), false],
    ['without a nonce', () => ({}), false],
    ['for another client', (nonce) => ({ nonce, aud: 'other' }), false],
    ['of another issuer', (nonce) => ({ nonce, iss: 'https://evil.example' }), false],
    ['of nobody', (nonce) => ({ nonce, sub: undefined }), false],
    ['of the past', (nonce) => ({ nonce, exp: 1000 }), false],
  ])('an id token %s', async (_what, claims, isBelieved) => {
    const surfer = new Surfer()
    const nonce = await nonceOf(surfer)
    // The real provider knows nothing of this access token, so in the end nobody is signed in.
    provider.tokens = async () => ({
      ...{ access_token: 'x', token_type: 'Bearer' },
      id_token: await provider.idToken({ sub: 'u-1', ...claims(nonce) }),
    })
    const { state } = await pendingOf(surfer)
    const url = new URL(`${hub.url}/sign-in/openid/callback`)
    url.search = new URLSearchParams({ code: 'c', state, iss: provider.issuer }).toString()
    const arrived = await surfer.go(url.href)
    // What the token says is believed or not before its owner is asked for.
    expect(provider.asked.includes('/me')).toBe(isBelieved)
    expect(arrived.status).toBe(401)
    expect(await session(surfer)).toBeNull()
  })

  async function pendingOf(surfer: Surfer): Promise<{ readonly state: string }> {
    const { secretsOf } = await import('../../src/people/sign-in-secrets.ts')
    const [, secret = ''] = /portage-hub-openid=([^.;]+)/.exec(surfer.cookies(hub.url)) ?? []
    return secretsOf(secret)
  }

  test('that is a no', async () => {
    provider.user = null
    const refused = await shown(new Surfer().go(start()))
    expect(refused).toMatchObject(REFUSED)
    expect(refused.text).toContain('access_denied')
  })

  test('with words of somebody else shows none of them', async () => {
    const { surfer, url } = await answered()
    url.searchParams.delete('code')
    url.searchParams.set('error', '<script>alert(1)</script>')
    const { text, headers } = await surfer.go(url.href)
    expect(text).not.toContain('<script>alert')
    expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'")
  })
})

describe('a provider that does not answer', () => {
  test('is told to whoever wants to sign in, and the next one may have better luck', async () => {
    hub = await hub.restart()
    provider.register(`${hub.url}/sign-in/openid/callback`)
    passTime()
    provider.isDown = true
    const refused = await shown(new Surfer().go(start()))
    expect(refused).toMatchObject(saying('openid.unreachable'))
    expect(refused.text).not.toContain('502')
    provider.isDown = false
    const surfer = new Surfer()
    await surfer.go(start())
    expect(await session(surfer)).not.toBeNull()
  })

  test('under another spelling of its name is another one', async () => {
    await using other = await createTestHub({
      ...{ HUB_OIDC_ISSUER: `${provider.issuer}/`, HUB_OIDC_CLIENT_ID: CLIENT.id },
      HUB_IDENTITY_ALLOW: '127.0.0.1',
    })
    const refused = await shown(new Surfer().go(`${other.url}/sign-in/openid`))
    expect(refused).toMatchObject(saying('openid.unreachable'))
  })

  test('is not asked where the hub may not ask', async () => {
    await using other = await createTestHub({
      ...{ HUB_OIDC_ISSUER: provider.issuer, HUB_OIDC_CLIENT_ID: CLIENT.id },
    })
    const refused = await shown(new Surfer().go(`${other.url}/sign-in/openid`))
    expect(refused).toMatchObject(saying('openid.unreachable'))
    expect(provider.asked).toEqual([])
  })

  test('on the way back is no fault of who signs in', async () => {
    const surfer = new Surfer()
    const { url } = await surfer.go(start(), isCallback)
    provider.isDown = true
    expect(await shown(surfer.go(url))).toMatchObject(saying('openid.unreachable'))
  })

  test('programs are told in JSON', async () => {
    const reply = await hub.as(null).get('/sign-in/openid/callback').set('Accept', 'application/json')
    expect(reply.body).toMatchObject({ status: 401, code: 'openid.refused' })
  })
})

test('which ways there are to sign in, the hub tells everybody', async () => {
  expect((await hub.as(null).get('/api/v1/sign-in')).body).toEqual({
    password: true,
    openid: { name: 'Acme', address: '/sign-in/openid' },
  })
  await using plain = await createTestHub()
  expect((await plain.as(null).get('/api/v1/sign-in')).body).toEqual({ password: true, openid: null })
  const refused = await shown(new Surfer().go(`${plain.url}/sign-in/openid`))
  expect(refused).toMatchObject(saying('openid.not_set_up'))
  const invited = await plain.as().post('/api/v1/people').send({ name: 'carl', subject: 'u-3' })
  expect(invited.body).toMatchObject({ code: 'openid.not_set_up' })
})

test('the cookie of a sign-in is for this host alone', async () => {
  const reply = await hub.as(null).get('/sign-in/openid').redirects(0)
  expect(reply.status).toBe(303)
  expect(reply.headers['set-cookie']).toEqual([
    expect.stringMatching(
      /^portage-hub-openid=[^;]+; Max-Age=900; Path=\/; .*HttpOnly; SameSite=Lax$/,
    ) as string,
  ])
  const { searchParams } = new URL(reply.headers['location'] ?? '')
  expect(Object.fromEntries(searchParams)).toMatchObject({
    ...{ response_type: 'code', code_challenge_method: 'S256', scope: 'openid profile groups' },
    ...{ client_id: CLIENT.id, redirect_uri: `${hub.url}/sign-in/openid/callback` },
  })
})

describe('the settings', () => {
  const ISSUER = { HUB_OIDC_ISSUER: 'https://login.acme.example', HUB_OIDC_CLIENT_ID: 'hub' }

  test.each([
    [{ HUB_OIDC_ISSUER: ISSUER.HUB_OIDC_ISSUER }, 'HUB_OIDC_CLIENT_ID'],
    [{ HUB_OIDC_ISSUER: 'login.acme.example' }, 'oidcIssuer'],
    [{ HUB_OIDC_ISSUER: 'https://login.acme.example/?a=b' }, 'oidcIssuer'],
    [{ HUB_OIDC_GROUPS: 'releasers=approver' }, 'oidcGroups'],
    [{ HUB_OIDC_GROUPS: '{"a": [{"role": "node"}]}' }, 'oidcGroups.a.0'],
    [{ HUB_OIDC_GROUPS: '{"a": [{"role": "administrator", "apps": ["shop"]}]}' }, 'oidcGroups.a.0'],
    [{ HUB_OIDC_GROUPS: '{"a": [{"role": "developer", "environments": ["staging"]}]}' }, 'oidcGroups.a.0'],
    [{ HUB_OIDC_GROUPS: '{"a": [{"role": "reader", "environments": ["nowhere"]}]}' }, 'nowhere'],
    [{ HUB_OIDC_GROUPS: '{"a": [{"role": "developer", "apps": ["No App"]}]}' }, 'oidcGroups.a.0.apps'],
    [{ HUB_OIDC_GROUPS: '{"a": []}' }, 'oidcGroups.a'],
  ])('%j are refused', (env, what) => {
    expect(() => loadConfig({ HUB_CONFIG: '', ...env })).toThrow(what)
  })

  test('take a mapping of groups', () => {
    const { config } = loadConfig({ HUB_CONFIG: '', ...ISSUER, HUB_OIDC_GROUPS: JSON.stringify(GROUPS) })
    expect(config.oidcGroups).toMatchObject(GROUPS)
  })
})
