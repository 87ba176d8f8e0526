/** Accounts: made, changed and disabled by administrators; links that open one session; passwords. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Passwords } from '../../src/people/password-hash.ts'
import { addSomebody, CHEAP, openBrowser, PASSWORD, signedInAs } from '../support/browser.ts'
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
beforeEach(() => {
  count += 1
  hub.clock.set(new Date(Date.UTC(2026, 0, 2 + count)).toISOString())
  name = `somebody${String(count)}`
})

const api = async (method: 'post' | 'patch' | 'get', path: string, body?: object) =>
  await hub.as()[method](`/api/v1${path}`).send(body)

describe('a person', () => {
  test('is made with grants by the names that roles have now, and listed', async () => {
    const grants = [
      { role: 'promoter', apps: ['shop'], environments: ['staging'] },
      { role: 'reader', environments: ['production'] },
    ]
    const made = await api('post', '/people', { name, fullName: 'Anna Berg', grants })
    expect(made.status, made.text).toBe(201)
    const { id } = made.body as { id: string }
    expect(made.headers['location']).toBe(`/api/v1/people/${id}`)
    expect(made.body).toEqual({
      ...{ id, name, fullName: 'Anna Berg', hasPassword: false, identity: null, state: 'active' },
      grants: [
        { role: 'release-manager', apps: ['shop'], environments: ['staging'] },
        { role: 'reader', apps: null, environments: ['production'] },
      ],
      ...{ createdBy: 'HUB_ADMIN_TOKEN', createdAt: hub.clock.now().toISOString().replace('.000', '') },
      ...{ signedInAt: null, disabledAt: null },
    })
    for (const one of [id, name]) expect((await api('get', `/people/${one}`)).body).toEqual(made.body)
    expect((await api('get', '/people?limit=500')).body).toMatchObject({
      items: expect.arrayContaining([made.body]) as unknown,
    })
    expect((await api('post', '/people', { name })).body).toMatchObject({
      status: 409,
      code: 'person.name_taken',
    })
  })

  test.each([
    [{}, 400, 'request.invalid'],
    [{ name: 'Anna' }, 400, 'request.invalid'],
    [{ name: 'a b' }, 400, 'request.invalid'],
    [{ name: 'prs_x' }, 400, 'request.invalid'],
    [{ name: 'anna', fullName: 'A\u202eB' }, 400, 'request.invalid'],
    [{ name: 'anna', grants: [{ role: 'node' }] }, 400, 'request.invalid'],
    [{ name: 'anna', grants: [{ role: 'enrol', environments: ['staging'] }] }, 400, 'request.invalid'],
    [{ name: 'anna', grants: [{ role: 'administrator', apps: ['shop'] }] }, 400, 'request.invalid'],
    [{ name: 'anna', grants: [{ role: 'reader', apps: [] }] }, 400, 'request.invalid'],
    [{ name: 'anna', grants: [{ role: 'reader', environments: ['moon'] }] }, 404, 'environment.unknown'],
    [{ name: 'anna', grants: [{ role: 'developer', apps: ['Shop'] }] }, 422, 'app.invalid_name'],
    [{ name: 'anna', password: 'x' }, 400, 'request.invalid'],
  ])('of %j is refused', async (body, status, code) => {
    expect((await api('post', '/people', body)).body).toMatchObject({ status, code })
    expect((await api('get', '/people/anna')).body).toMatchObject({ code: 'person.unknown' })
  })

  test('in a dry run is neither made nor changed', async () => {
    expect((await api('post', '/people?dryRun=true', { name })).body).toMatchObject({
      id: null,
      name,
      dryRun: true,
    })
    expect((await api('get', `/people/${name}`)).status).toBe(404)
    await api('post', '/people', { name })
    const change = { disabled: true, fullName: 'X' }
    expect((await api('patch', `/people/${name}?dryRun=true`, change)).body).toMatchObject({
      ...{ state: 'disabled', fullName: 'X', dryRun: true },
    })
    expect((await api('get', `/people/${name}`)).body).toMatchObject({ state: 'active', fullName: null })
  })

  test('is changed by what is given, and nothing is told of what is so already', async () => {
    await api('post', '/people', { name, fullName: 'Anna' })
    const { id } = (await api('get', `/people/${name}`)).body as { id: string }
    await api('patch', `/people/${name}`, { grants: [{ role: 'reader' }] })
    await api('patch', `/people/${name}`, { grants: [{ role: 'reader' }], disabled: false })
    expect((await api('get', `/people/${name}`)).body).toMatchObject({
      fullName: 'Anna',
      grants: [{ role: 'reader' }],
    })
    const { items } = (await api('get', `/audit?subject=${id}`)).body as { items: object[] }
    expect(items).toMatchObject([
      { type: 'person.changed', before: { grants: [] }, after: { grants: [{ role: 'reader' }] } },
      { type: 'person.added' },
    ])
    expect((await api('patch', '/people/none', {})).body).toMatchObject({ code: 'person.unknown' })
    expect((await api('patch', `/people/${name}`, { password: 'x' })).body).toMatchObject({
      code: 'request.invalid',
    })
  })

  test('neither disables themselves nor gives up administration', async () => {
    const browser = await signedInAs(hub, name)
    for (const change of [{ disabled: true }, { grants: [{ role: 'reader' }] }])
      expect((await browser.send('patch', `/api/v1/people/${name}`, change)).body).toMatchObject({
        ...{ status: 409, code: 'person.self' },
      })
    expect((await browser.send('patch', `/api/v1/people/${name}`, { fullName: 'Me' })).status).toBe(200)
  })

  test('approves with no token of theirs what they asked for with another', async () => {
    const policy = { approvals: { count: 1, roles: ['approver'] } }
    await hub.as().put('/api/v1/environments/staging/policy').send(policy)
    await hub.upload('shop', (await import('../support/tarballs.ts')).tarball({ f: '' }), {
      promote: 'false',
    })
    const { id: anna } = await addSomebody(hub, name, [])
    await addSomebody(hub, `${name}b`, [])
    const [managing, approving, other] = [
      await hub.token('release-manager', { person: name }),
      await hub.token('approver', { person: anna }),
      await hub.token('approver', { person: `${name}b` }),
    ]
    const { id } = (await hub.promote('shop', 1, 'staging', managing)).body as { id: string }
    const approve = async (token: string) =>
      (await hub.as(token).post(`/api/v1/promotions/${id}/approve`).send({})).body as object
    expect(await approve(approving)).toMatchObject({ code: 'promotion.own_request' })
    expect(await approve(other)).toMatchObject({ state: 'released' })
    expect((await api('post', '/tokens', { name: 'x', role: 'reader', person: 'none' })).body).toMatchObject({
      code: 'person.unknown',
    })
  })
})

describe('a link', () => {
  const linkOf = async (body: object = {}) =>
    ((await api('post', `/people/${name}/link`, body)).body as { link: string }).link
  const open = async (link: string) => await hub.as(null).post('/api/v1/sign-in/link').send({ link })

  beforeEach(async () => {
    await addSomebody(hub, name, [], null)
  })

  test('signs in once, and lets a first password be set', async () => {
    const made = await api('post', `/people/${name}/link`, { expiresIn: '2h' })
    expect(made.status).toBe(201)
    const { link, expiresAt } = made.body as { link: string; expiresAt: string }
    expect(link).toMatch(new RegExp(`^${hub.hub.config.publicUrl}/sign-in/[\\w-]{43}$`))
    expect(Date.parse(expiresAt) - hub.clock.now().getTime()).toBe(2 * 3_600_000)
    const browser = openBrowser(hub)
    const reply = await browser.agent.post('/api/v1/sign-in/link').send({ link })
    expect(reply.body).toMatchObject({ person: { name }, session: { way: 'link' } })
    expect((await open(link)).body).toMatchObject({ status: 403, code: 'auth.link_invalid' })
    const set = await browser.send('put', '/api/v1/password', { password: PASSWORD })
    expect(set.body).toMatchObject({ person: { hasPassword: true }, session: { way: 'password' } })
    expect((await openBrowser(hub).signIn(name)).status).toBe(200)
    // From here on it takes the password of before.
    const next = { password: 'quite another horse' }
    expect((await browser.send('put', '/api/v1/password', next)).body).toMatchObject({
      ...{ status: 403, code: 'password.wrong' },
    })
  })

  test('opened many times at once signs in one', async () => {
    const link = await linkOf()
    const replies = await Promise.all(Array.from({ length: 8 }, async () => await open(link)))
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(403)])
    expect(
      await hub.hub.records.sessions.of((await api('get', `/people/${name}`)).body.id as string),
    ).toHaveLength(1)
  })

  test('opens nothing when it is too old, when another was made, or its owner is disabled', async () => {
    const old = await linkOf({ expiresIn: '30m' })
    hub.clock.set(new Date(hub.clock.now().getTime() + 1_800_000).toISOString())
    expect((await open(old)).body).toMatchObject({ code: 'auth.link_invalid' })
    const [first, second] = [await linkOf(), await linkOf()]
    expect((await open(first)).body).toMatchObject({ code: 'auth.link_invalid' })
    await api('patch', `/people/${name}`, { disabled: true })
    expect((await api('post', `/people/${name}/link`)).body).toMatchObject({
      status: 409,
      code: 'person.disabled',
    })
    expect((await open(second)).body).toMatchObject({ code: 'auth.link_invalid' })
    await api('patch', `/people/${name}`, { disabled: false })
    expect((await open(second)).body).toMatchObject({ code: 'auth.link_invalid' })
  })

  test.each([['0h'], ['8d'], ['1y']])('for %s is not made', async (expiresIn) => {
    expect((await api('post', `/people/${name}/link`, { expiresIn })).body).toMatchObject({
      code: 'request.invalid',
    })
  })

  test('in a dry run is not made, and ends none', async () => {
    const link = await linkOf()
    const dry = await api('post', `/people/${name}/link?dryRun=true`)
    expect(Object.keys(dry.body as object).sort()).toEqual(['dryRun', 'expiresAt', 'person'])
    expect((await open(link)).status).toBe(200)
  })
})

describe('a password', () => {
  test.each([
    ['eleven char', 'less than 12'],
    ['aaaaaaaaaaaaaaaaaa', 'few different'],
    ['passwordpassword', 'most of it'],
    ['Password12345678', 'most of it'],
    ['qwertyuiop123456', 'most of it'],
    ['{name}{name}', 'most of it'],
    ['Berg-{name}-2026', 'most of it'],
    ['portage-hub-2026', 'most of it'],
    ['x'.repeat(257), 'more than 256'],
  ])('%s is refused', async (pattern, why) => {
    const browser = await signedInAs(hub, `frederika${String(count)}`)
    await api('patch', `/people/frederika${String(count)}`, { fullName: 'Frederika Berg' })
    const password = pattern.replaceAll('{name}', 'Frederika')
    const reply = await browser.send('put', '/api/v1/password', { password, current: PASSWORD })
    expect(reply.body).toMatchObject({ status: 422, code: 'password.unfit' })
    expect((reply.body as { detail: string }).detail).toContain(why)
    expect(reply.text).not.toContain(password)
  })

  test.each(['horse staple battery', 'ägypten über ölfeld', '🐎🔋📎🚀🌵🧊🪁🧵🎷🍋🪵🦀', 'Xk3-9pQ!z7Lm'])(
    '%s is taken',
    async (password) => {
      const browser = await signedInAs(hub, name)
      const reply = await browser.send('put', '/api/v1/password', { password, current: PASSWORD })
      expect(reply.status, reply.text).toBe(200)
    },
  )

  test('is kept with a salt of its own and what it cost, so that the cost may rise', async () => {
    const [cheap, dear] = [new Passwords({ ln: 4, r: 8, p: 1 }), new Passwords({ ln: 5, r: 4, p: 2 })]
    const kept = await cheap.hash(PASSWORD)
    expect(kept).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(await cheap.hash(PASSWORD)).not.toBe(kept)
    expect([await dear.matches(PASSWORD, kept), await dear.matches('another', kept)]).toEqual([true, false])
    for (const broken of [null, '', 'x', kept.replace('ln=4', 'ln=30'), kept.slice(0, -1)])
      expect(await cheap.matches(PASSWORD, broken)).toBe(false)
  })

  test('costs what OWASP asks for', async () => {
    expect(await new Passwords().hash(PASSWORD)).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/)
  })

  test('is compared a few at a time: who comes when too many wait is told to come again', async () => {
    const passwords = new Passwords({ ln: 10, r: 8, p: 1 })
    const kept = await passwords.hash(PASSWORD)
    const tried = await Promise.allSettled(
      Array.from({ length: 40 }, async () => await passwords.matches(PASSWORD, kept)),
    )
    const refused = tried.filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(6)
    expect(refused[0]).toMatchObject({ reason: { code: 'auth.too_many' } })
    expect(tried.filter((one) => one.status === 'fulfilled' && one.value)).toHaveLength(34)
    expect(await passwords.matches(PASSWORD, kept)).toBe(true)
  })
})
