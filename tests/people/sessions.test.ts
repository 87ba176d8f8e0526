/** Sessions through the door: signing in and out, cookies, forged requests, and what ends a session. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { pino } from 'pino'
import { tarball } from '../support/tarballs.ts'
import { pruneSessions } from '../../src/jobs/prune-sessions.ts'
import { addSomebody, ALL, CHEAP, openBrowser, PASSWORD, signedInAs } from '../support/browser.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub({}, CHEAP)
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})
let count = 0
let name = ''
let start = 0
/** Each test has a day of its own, so that what one address tried in the one before counts for nothing. */
beforeEach(() => {
  start = Date.UTC(2026, 0, 2 + 10 * ++count, 3, 4, 5)
  after(0)
  name = `somebody${String(count)}`
})

function after(hours: number, seconds = 0): string {
  const time = new Date(start + (hours * 3600 + seconds) * 1000).toISOString().replace('.000', '')
  hub.clock.set(time)
  return time
}

const cookieOf = (reply: { headers: Record<string, string> }): string =>
  (reply.headers['set-cookie'] as unknown as string[] | undefined)?.[0] ?? ''

describe('signing in', () => {
  test('opens a session, which is who asks from then on', async () => {
    const person = await addSomebody(hub, name, [{ role: 'reader', ...ALL }])
    const browser = openBrowser(hub)
    const reply = await browser.signIn(name)
    expect(reply.status, reply.text).toBe(200)
    expect(reply.headers['cache-control']).toBe('no-store')
    expect(reply.body).toMatchObject({
      person: { id: person.id, name, hasPassword: true, signedInAt: after(0) },
      session: { way: 'password', address: '127.0.0.1', createdAt: after(0), current: true },
    })
    expect((await browser.get('/api/v1/whoami')).body).toEqual({
      ...{ kind: 'person', id: person.id, name, role: 'reader', apps: null, environments: null, node: null },
      grants: [{ role: 'reader', ...ALL }],
    })
    expect((await browser.get('/api/v1/people')).body).toMatchObject({ code: 'auth.forbidden' })
    const { detail } = (await browser.get('/api/v1/people')).body as { detail: string }
    expect(detail).toBe(`${name} may not administer; ask an administrator for the right to`)
    expect((await browser.get(`/api/v1/people/${name}`)).body).toMatchObject({ signedInAt: after(0) })
  })

  test('takes the name however it is typed, and a letter in either of its forms', async () => {
    await addSomebody(hub, name, [], 'crème brûlée für alle'.normalize('NFD'))
    const reply = await openBrowser(hub).signIn(` ${name.toUpperCase()} `, 'crème brûlée für alle')
    expect(reply.status).toBe(200)
  })

  test.each([
    ['a wrong password', async () => (await addSomebody(hub, name)).name],
    ['an unknown name', () => Promise.resolve('nobody-of-this-name')],
    ['somebody without a password', async () => (await addSomebody(hub, name, [], null)).name],
    [
      'somebody disabled',
      async () => {
        const { id } = await addSomebody(hub, name, [], 'another password')
        await hub.as().patch(`/api/v1/people/${id}`).send({ disabled: true })
        return name
      },
    ],
  ])('with %s is refused in the same words, and with the same work', async (_what, prepare) => {
    const wanted = await prepare()
    const matches = hub.hub.passwords.matches.bind(hub.hub.passwords)
    let compared = 0
    hub.hub.passwords.matches = async (...given) => {
      compared++
      return await matches(...given)
    }
    const reply = await openBrowser(hub).signIn(wanted, 'another password')
    hub.hub.passwords.matches = matches
    const { requestId: _id, ...body } = reply.body as Record<string, unknown>
    expect(body).toEqual({
      ...{ type: 'about:blank', status: 403, code: 'auth.sign_in_failed', title: 'Nobody was signed in' },
      detail: 'the name or the password is not right, or the account is disabled',
    })
    expect(compared).toBe(1)
    expect(cookieOf(reply)).toBe('')
    expect(reply.headers['www-authenticate']).toBeUndefined()
  })

  test('has no dry run, and takes nothing but what it knows', async () => {
    const sign = async (path: string, body: object) =>
      (await hub.as(null).post(`/api/v1/sign-in${path}`).send(body)).body as { code: string }
    const right = { name, password: PASSWORD }
    expect(await sign('?dryRun=true', right)).toMatchObject({ code: 'request.invalid' })
    expect(await sign('', { ...right, more: 1 })).toMatchObject({ code: 'request.invalid' })
    expect(await sign('', { name, password: 'x'.repeat(1001) })).toMatchObject({ code: 'request.invalid' })
    expect(await sign('', { name, password: 'x'.repeat(20_000) })).toMatchObject({
      code: 'request.too_large',
    })
  })

  test('from the page of another site is refused, before anything is compared', async () => {
    await addSomebody(hub, name)
    const post = async (headers: Record<string, string>) =>
      (await hub.as(null).post('/api/v1/sign-in').set(headers).send({ name, password: PASSWORD }))
        .body as object
    const foreign: Record<string, string>[] = [
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site', Origin: hub.url },
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
    ]
    for (const headers of foreign)
      expect(await post(headers), JSON.stringify(headers)).toMatchObject({ code: 'auth.csrf' })
  })
})

describe('the cookie', () => {
  test('is for the hub alone, out of reach of scripts and of other sites', async () => {
    await addSomebody(hub, name)
    const cookie = cookieOf(await openBrowser(hub).signIn(name))
    expect(cookie).toMatch(
      /^portage-hub=[\w-]{43}; Max-Age=604800; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
    )
  })

  test('over TLS is one that only this host sets, and none else is taken', async () => {
    await using tls = await createTestHub({ HUB_PUBLIC_URL: 'https://hub.acme.example' }, CHEAP)
    await addSomebody(tls, name)
    const own = { Origin: 'https://hub.acme.example', 'Sec-Fetch-Site': 'same-origin' }
    const reply = await tls.as(null).post('/api/v1/sign-in').set(own).send({ name, password: PASSWORD })
    const cookie = cookieOf(reply)
    expect(cookie).toMatch(/^__Host-portage-hub=[\w-]{43};.*; Path=\/;.*; HttpOnly; Secure; SameSite=Lax$/)
    const [pair = ''] = cookie.split(';')
    const ask = async (sent: string) =>
      (await tls.as(null).get('/api/v1/whoami').set('Cookie', sent)).body as { name?: string; code?: string }
    expect(await ask(`a=b; ${pair}; c=d`)).toMatchObject({ name })
    expect(await ask(pair.replace('__Host-', ''))).toMatchObject({ code: 'auth.required' })
  })

  test('is another one with each signing in, whatever the browser had: nobody chooses it for somebody', async () => {
    await addSomebody(hub, name)
    const planted = 'portage-hub=chosen-by-somebody-else'
    const reply = await hub
      .as(null)
      .post('/api/v1/sign-in')
      .set('Cookie', planted)
      .send({ name, password: PASSWORD })
    expect(cookieOf(reply)).not.toContain('chosen-by-somebody-else')
    const browser = openBrowser(hub)
    const first = cookieOf(await browser.signIn(name)).split(';')[0] ?? ''
    const second = cookieOf(await browser.signIn(name)).split(';')[0] ?? ''
    expect(second).not.toBe(first)
    const ask = async (cookie: string) =>
      (await hub.as(null).get('/api/v1/whoami').set('Cookie', cookie)).status
    expect([await ask(first), await ask(second), await ask(planted)]).toEqual([401, 200, 401])
  })

  test('opens nothing that Portage and nodes ask for, and a token goes before it', async () => {
    await hub.upload('shop', tarball({ f: '' }), { build: String(count) })
    const browser = await signedInAs(hub, name)
    for (const path of [
      '/overlays/staging.zip',
      '/distfiles/staging/layout.conf',
      '/git/staging.git/info/refs',
    ])
      expect((await browser.get(path)).body, path).toMatchObject({ code: 'auth.required' })
    for (const path of [
      '/nodes/web1/etc/portage/hub/fetch',
      '/NODES/web1/Etc/portage/hub/fetch',
      '/nodes/web1/etc/portage//hub/fetch?a=/nodes',
    ])
      expect((await browser.get(path)).body, path).toMatchObject({ code: 'auth.required' })
    expect((await browser.get('/nodes')).status).toBe(200)
    const token = await hub.token('reader')
    const asked = await browser.agent.get('/api/v1/whoami').set('Authorization', `Bearer ${token}`)
    expect(asked.body).toMatchObject({ kind: 'token', name: 'a reader' })
    const wrong = await browser.agent.get('/api/v1/whoami').set('Authorization', 'Bearer wrong')
    expect(wrong.body).toMatchObject({ code: 'auth.invalid' })
  })

  test('that is none any more is as none, and no browser asks for a name and a password because of it', async () => {
    const asked = hub.as(null).get('/api/v1/whoami').set('Cookie', 'portage-hub=x')
    const reply = await asked.set('Sec-Fetch-Mode', 'cors')
    expect(reply.body).toMatchObject({ status: 401, code: 'auth.required' })
    expect(reply.headers['www-authenticate']).toMatch(/^Bearer /)
  })
})

describe('a change with a session', () => {
  test('from a page of the hub is made, and is the person’s in the audit', async () => {
    const browser = await signedInAs(hub, name)
    const made = await browser.send('post', '/api/v1/tokens', { name: `of ${name}`, role: 'reader' })
    expect(made.status, made.text).toBe(201)
    const { id } = (await browser.get('/api/v1/whoami')).body as { id: string }
    expect(made.body).toMatchObject({ createdBy: name, owner: id })
    const { items } = (await hub.as().get(`/api/v1/audit?type=token.created&actor=${name}`)).body as {
      items: object[]
    }
    expect(items).toMatchObject([
      { actor: name, actorRole: 'administrator', actorId: id, address: '127.0.0.1' },
    ])
  })

  test.each<[string, (own: Record<string, string>) => Record<string, string>]>([
    ['no token', ({ Origin = '' }) => ({ Origin, 'Sec-Fetch-Site': 'same-origin' })],
    ['a wrong token', (own) => ({ ...own, 'X-CSRF-Token': `${(own['X-CSRF-Token'] ?? '').slice(0, -1)}_` })],
    ['nothing that says where it comes from', (own) => ({ 'X-CSRF-Token': own['X-CSRF-Token'] ?? '' })],
    ['another site', (own) => ({ ...own, 'Sec-Fetch-Site': 'cross-site' })],
    ['a neighbour', (own) => ({ ...own, 'Sec-Fetch-Site': 'same-site' })],
    ['another origin', (own) => ({ ...own, Origin: 'https://evil.example' })],
    ['an origin that is hidden', (own) => ({ ...own, Origin: 'null' })],
  ])('with %s changes nothing', async (_what, forge) => {
    const browser = await signedInAs(hub, name)
    const own = { Origin: hub.url, 'Sec-Fetch-Site': 'same-origin', 'X-CSRF-Token': await browser.csrf() }
    for (const [method, path] of [
      ['post', '/api/v1/holds'],
      ['patch', '/api/v1/apps/shop'],
      ['put', '/api/v1/apps/shop/builds/99/tarball'],
      ['delete', '/api/v1/tokens/tok_x'],
      ['post', '/api/v1/sign-out'],
    ] as const) {
      const reply = await browser.send(method, path, {}, forge(own))
      expect(reply.body, `${method} ${path}`).toMatchObject({ status: 403, code: 'auth.csrf' })
    }
    expect((await browser.get('/api/v1/whoami')).status).toBe(200)
  })

  test('has a token of its own session alone', async () => {
    const [browser, other] = [await signedInAs(hub, name), await signedInAs(hub, `${name}b`)]
    const own = { Origin: hub.url, 'X-CSRF-Token': await other.csrf() }
    expect((await browser.send('post', '/api/v1/sign-out', {}, own)).body).toMatchObject({
      code: 'auth.csrf',
    })
  })
})

describe('a session ends', () => {
  test('when it was not used for a while, and lives while it is used', async () => {
    const browser = await signedInAs(hub, name)
    after(12, -1)
    expect((await browser.get('/api/v1/whoami')).status).toBe(200)
    after(24, -2)
    expect((await browser.get('/api/v1/whoami')).status).toBe(200)
    after(36, -2)
    expect((await browser.get('/api/v1/whoami')).body).toMatchObject({ code: 'auth.required' })
  })

  test('at its last hour, however much it is used', async () => {
    const browser = await signedInAs(hub, name)
    for (let hour = 0; hour < 7 * 24; hour += 8) {
      after(hour)
      expect((await browser.get('/api/v1/whoami')).status, String(hour)).toBe(200)
    }
    after(7 * 24)
    expect((await browser.get('/api/v1/whoami')).status).toBe(401)
  })

  test('and is not written down with each request', async () => {
    const browser = await signedInAs(hub, name)
    const touch = hub.hub.records.sessions.touch.bind(hub.hub.records.sessions)
    let writes = 0
    hub.hub.records.sessions.touch = async (...given) => {
      writes++
      await touch(...given)
    }
    for (let second = 0; second < 60; second += 5) {
      after(1, second)
      await browser.get('/api/v1/whoami')
    }
    hub.hub.records.sessions.touch = touch
    expect(writes).toBe(1)
  })

  test('and is forgotten some time after it has ended by itself, as links are', async () => {
    const browser = await signedInAs(hub, name)
    const { id } = (await browser.get('/api/v1/whoami')).body as { id: string }
    await hub.as().post(`/api/v1/people/${name}/link`).send({ expiresIn: '11h' })
    const kept = async () => (await hub.hub.records.sessions.of(id)).length
    after(12, -1)
    await pruneSessions(hub.hub)
    expect(await kept()).toBe(1)
    after(12)
    await pruneSessions(hub.hub)
    expect(await kept()).toBe(0)
  })

  test('by signing out, here or everywhere; a dry run ends none', async () => {
    const browser = await signedInAs(hub, name)
    const [second, third] = [openBrowser(hub), openBrowser(hub)]
    for (const one of [second, third]) await one.signIn(name)
    const { items } = (await browser.get('/api/v1/sessions')).body as {
      items: { id: string; current: boolean }[]
    }
    expect(items.map(({ current }) => current)).toEqual([false, false, true])
    expect((await browser.send('post', '/api/v1/sign-out?dryRun=true', { everywhere: true })).body).toEqual({
      ...{ ended: 3, dryRun: true },
    })
    const away = await browser.send('delete', `/api/v1/sessions/${items[0]?.id ?? ''}`)
    expect(away.body).toMatchObject({ id: items[0]?.id, current: false })
    expect((await third.get('/api/v1/whoami')).status).toBe(401)
    expect((await browser.send('delete', `/api/v1/sessions/${items[0]?.id ?? ''}`)).body).toMatchObject({
      ...{ status: 404, code: 'session.unknown' },
    })
    const out = await second.send('post', '/api/v1/sign-out')
    expect(cookieOf(out)).toMatch(/^portage-hub=;.*Expires=Thu, 01 Jan 1970/)
    expect([
      (await second.get('/api/v1/whoami')).status,
      (await browser.get('/api/v1/whoami')).status,
    ]).toEqual([401, 200])
    await second.signIn(name)
    expect((await browser.send('post', '/api/v1/sign-out', { everywhere: true })).body).toEqual({ ended: 2 })
    expect([
      (await second.get('/api/v1/whoami')).status,
      (await browser.get('/api/v1/whoami')).status,
    ]).toEqual([401, 401])
  })

  test('of somebody else by nobody but an administrator', async () => {
    const browser = await signedInAs(hub, name, [{ role: 'reader', ...ALL }])
    const other = await signedInAs(hub, `${name}b`, [{ role: 'reader', ...ALL }])
    const { items } = (await browser.get('/api/v1/sessions')).body as { items: { id: string }[] }
    expect((await other.send('delete', `/api/v1/sessions/${items[0]?.id ?? ''}`)).body).toMatchObject({
      code: 'session.unknown',
    })
    expect((await other.send('post', `/api/v1/people/${name}/sign-out`)).status).toBe(403)
    expect((await hub.as().post(`/api/v1/people/${name}/sign-out`)).body).toEqual({ person: name, ended: 1 })
    expect((await browser.get('/api/v1/whoami')).status).toBe(401)
  })

  test('when its owner is disabled, and stays ended', async () => {
    const browser = await signedInAs(hub, name)
    const set = async (disabled: boolean) => await hub.as().patch(`/api/v1/people/${name}`).send({ disabled })
    await set(true)
    expect((await browser.get('/api/v1/whoami')).status).toBe(401)
    await set(false)
    expect((await browser.get('/api/v1/whoami')).status).toBe(401)
    expect((await browser.signIn(name)).status).toBe(200)
  })

  test('when the password changes, but for the one that changes it', async () => {
    const browser = await signedInAs(hub, name)
    const other = openBrowser(hub)
    await other.signIn(name)
    const wanted = { password: 'quite another horse', current: PASSWORD }
    expect((await browser.send('put', '/api/v1/password?dryRun=true', wanted)).body).toEqual({ dryRun: true })
    const changed = await browser.send('put', '/api/v1/password', wanted)
    expect(changed.status, changed.text).toBe(200)
    expect([
      (await browser.get('/api/v1/whoami')).status,
      (await other.get('/api/v1/whoami')).status,
    ]).toEqual([200, 401])
    expect((await other.signIn(name)).status).toBe(403)
    expect((await other.signIn(name, 'quite another horse')).status).toBe(200)
  })
})

test('grants that are taken away are gone with the next request', async () => {
  const browser = await signedInAs(hub, name)
  expect((await browser.get('/api/v1/people')).status).toBe(200)
  await hub.as().patch(`/api/v1/people/${name}`).send({ grants: [] })
  expect((await browser.get('/api/v1/people')).status).toBe(403)
  expect((await browser.get('/api/v1/apps')).body).toEqual({ items: [], nextCursor: null })
})

test('a token knows of no session', async () => {
  for (const [method, path] of [
    ['get', '/session'],
    ['get', '/sessions'],
    ['post', '/sign-out'],
    ['put', '/password'],
  ] as const) {
    expect((await hub.as()[method](`/api/v1${path}`)).body, path).toMatchObject({ code: 'auth.forbidden' })
    expect((await hub.as(null)[method](`/api/v1${path}`)).body, path).toMatchObject({ code: 'auth.required' })
  }
})

test('no password, link or session is in the log, the audit, a later answer or the files of the hub', async () => {
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })
  await using own = await createTestHub({}, { ...CHEAP, log })
  await addSomebody(own, 'anna')
  const browser = openBrowser(own)
  const signed = await browser.signIn('anna')
  const secrets = [PASSWORD, /=([\w-]{43});/.exec(cookieOf(signed))?.[1] ?? '', await browser.csrf()]
  const key = { 'Idempotency-Key': 'k' }
  const made = await own.as().post('/api/v1/people/anna/link').set(key).send({ expiresIn: '1h' })
  const link = (made.body as { link: string }).link.split('/').at(-1) ?? ''
  expect(link).toMatch(/^[\w-]{43}$/)
  const again = await own.as().post('/api/v1/people/anna/link').set(key).send({ expiresIn: '1h' })
  expect(again.body).toMatchObject({ link: null, person: 'anna' })
  secrets.push(link)
  await browser.send('put', '/api/v1/password', { password: 'quite another horse', current: PASSWORD })
  secrets.push('quite another horse')
  await browser.signIn('anna', 'typed into the wrong field')
  await browser.signIn('typed as a name', PASSWORD)
  secrets.push('typed into the wrong field', 'typed as a name')
  await own.as(null).post('/api/v1/sign-in/link').send({ link })
  const { people } = own.hub.records
  people.findByName = async () => await Promise.reject(new Error('a fault, logged'))
  const answers = [
    (await own.as(null).post('/api/v1/sign-in').send({ name: 'anna', password: PASSWORD })).text,
    (await own.as().get('/api/v1/audit?limit=200')).text,
    (await own.as().get('/api/v1/audit/export')).text,
    (await own.as().get('/api/v1/people')).text,
  ]
  const files = (await readdir(own.directory, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )
  const bytes = await Promise.all(files.map(async (file) => await readFile(join(file.parentPath, file.name))))
  expect(files.map((file) => file.name)).toContain('hub.db-wal')
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(8)
    expect(answers.join('\n')).not.toContain(secret)
    expect(lines.join('\n')).not.toContain(secret)
    expect(
      bytes.some((content) => content.includes(secret)),
      secret,
    ).toBe(false)
  }
  expect(lines.join('\n')).toContain('a fault, logged')
})
