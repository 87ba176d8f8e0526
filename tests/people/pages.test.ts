/** The pages of signing in and out, as a browser without scripts uses them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nextPath } from '../../src/http/next-path.ts'
import { addSomebody, CHEAP, openBrowser, PASSWORD } from '../support/browser.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub({}, CHEAP)
  await addSomebody(hub, 'anna')
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

const own = () => ({ Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' })
const csrfOf = (text: string): string => /name="csrf" value="([\w-]+)"/.exec(text)?.[1] ?? ''

test('somebody signs in, changes the password, sees their sessions and signs out', async () => {
  const { agent } = openBrowser(hub)
  expect((await agent.get('/account')).headers['location']).toBe('/sign-in?next=/account')
  const form = await agent.get('/sign-in?next=/account')
  expect(form.headers['content-security-policy']).toMatch(
    /^default-src 'none';.*form-action 'self';.*frame-ancestors 'none'$/,
  )
  expect(form.text).toContain('name="next" value="/account"')
  const post = async (path: string, fields: object) =>
    await agent.post(path).set(own()).type('form').send(fields)
  const wrong = await post('/sign-in', { name: '"><script>', password: 'wrong', next: '/account' })
  expect(wrong.status).toBe(403)
  expect(wrong.text).toContain('the name or the password is not right')
  expect(wrong.text).not.toContain('"><script>')
  const right = await post('/sign-in', { name: 'anna', password: PASSWORD, next: '//evil.example' })
  expect([right.status, right.headers['location']]).toEqual([303, '/'])
  const account = await agent.get('/account')
  expect(account.text).toContain('administrator')
  const csrf = csrfOf(account.text)
  expect((await post('/account/password', { password: 'x', current: PASSWORD, csrf })).text).toContain(
    'less than 12',
  )
  expect((await post('/account/password', { password: 'x', current: PASSWORD })).body).toMatchObject({
    code: 'auth.csrf',
  })
  const set = await post('/account/password', { password: 'quite another horse', current: PASSWORD, csrf })
  expect(set.headers['location']).toBe('/account')
  const other = openBrowser(hub)
  await other.signIn('anna', 'quite another horse')
  const again = await agent.get('/account')
  const end = /action="(\/account\/sessions\/[^"]+\/end)"/.exec(again.text)?.[1] ?? ''
  expect((await post(end, { csrf: csrfOf(again.text) })).status).toBe(303)
  expect((await other.get('/api/v1/whoami')).status).toBe(401)
  expect((await agent.get('/sign-out')).text).toContain('Sign out')
  expect((await post('/sign-out', { csrf: csrfOf(again.text) })).headers['location']).toBe('/sign-in')
  expect((await agent.get('/api/v1/whoami')).status).toBe(401)
})

test('a link is used by its button, and not by whoever looks at it', async () => {
  await addSomebody(hub, 'bob', [], null)
  const made = await hub.as().post('/api/v1/people/bob/link').send({})
  const path = new URL((made.body as { link: string }).link).pathname
  const { agent } = openBrowser(hub)
  for (let look = 0; look < 3; look++) expect((await agent.get(path)).text).toContain(`action="${path}"`)
  expect((await agent.post(path).set({ Origin: 'https://evil.example' })).status).toBe(403)
  expect((await agent.post(path).set(own())).headers['location']).toBe('/account')
  expect((await agent.get('/account')).text).toContain('bob')
  expect((await openBrowser(hub).agent.post(path).set(own())).text).toContain(
    'this link is unknown, used or too old',
  )
})

describe('after signing in one goes to', () => {
  test.each([
    ['/promotions?state=open#x', '/promotions?state=open#x'],
    ['/', '/'],
    ...['', 'account', '//evil.example', '/\\evil.example', 'https://evil.example', '/\t/evil.example'].map(
      (given) => [given, '/'],
    ),
    ['/a\\..\\\\evil', '/'],
    ['/sign-out', '/'],
    ['javascript:alert(1)', '/'],
  ])('%j: %s', (given, path) => {
    expect(nextPath(given)).toBe(path)
  })
})
