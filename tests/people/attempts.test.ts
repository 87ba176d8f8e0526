/** Attempts to sign in are slowed down by name and by address, and told to the audit without end being able to fill it. */
import { describe, expect, test } from 'vitest'
import { SignInAttempts } from '../../src/people/sign-in-attempts.ts'
import { addSomebody, CHEAP, openBrowser, PASSWORD, signedInAs } from '../support/browser.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

/** From one address there are only so many: a test that is about names comes from many. */
const BEHIND_PROXY = { HUB_TRUST_PROXY: 'true' }

async function attempt(hub: TestHub, name: string, password: string, address = '192.0.2.1') {
  const request = hub.as(null).post('/api/v1/sign-in').set('X-Forwarded-For', address)
  return await request.send({ name, password })
}

function pass(hub: TestHub, seconds: number): void {
  hub.clock.set(new Date(hub.clock.now().getTime() + seconds * 1000).toISOString())
}

describe('by name', () => {
  test.each([['anna'], ['nobody-there']])(
    '%s has to wait after five failures, longer each time',
    async (name) => {
      await using hub = await createTestHub(BEHIND_PROXY, CHEAP)
      await addSomebody(hub, 'anna')
      for (let time = 1; time <= 5; time++)
        expect((await attempt(hub, name, 'wrong', `192.0.2.${String(time)}`)).status).toBe(403)
      const told = await attempt(hub, name, PASSWORD, '198.51.100.1')
      expect(told.body).toMatchObject({ status: 429, code: 'auth.too_many', retryAfterSec: 30 })
      expect(told.headers['retry-after']).toBe('30')
      pass(hub, 29)
      expect((await attempt(hub, name, PASSWORD, '198.51.100.2')).body).toMatchObject({ retryAfterSec: 1 })
      pass(hub, 1)
      expect((await attempt(hub, name, 'wrong', '198.51.100.3')).status).toBe(403)
      expect((await attempt(hub, name, PASSWORD, '198.51.100.4')).body).toMatchObject({ retryAfterSec: 60 })
      pass(hub, 60)
      expect((await attempt(hub, name, PASSWORD, '198.51.100.5')).status).toBe(name === 'anna' ? 200 : 403)
    },
  )

  test('many at once are many', async () => {
    await using hub = await createTestHub(BEHIND_PROXY, CHEAP)
    await addSomebody(hub, 'anna')
    const replies = await Promise.all(
      Array.from(
        { length: 20 },
        async (_, at) => await attempt(hub, 'anna', 'wrong', `192.0.2.${String(at)}`),
      ),
    )
    expect(replies.filter(({ status }) => status === 403)).toHaveLength(5)
  })

  test('signing in forgets failures, and so does an hour', () => {
    let time = 0
    const attempts = new SignInAttempts({ now: () => new Date(time) })
    const fail = (times: number) => {
      for (let left = times; left > 0; left--) attempts.begin('anna')
    }
    fail(5)
    expect([attempts.waitSec('anna'), attempts.waitSec('bob')]).toEqual([30, 0])
    attempts.succeeded('anna')
    expect(attempts.waitSec('anna')).toBe(0)
    fail(40)
    expect(attempts.waitSec('anna')).toBe(15 * 60)
    time = 60 * 60_000
    fail(1)
    expect(attempts.waitSec('anna')).toBe(0)
  })

  test('guessing the password that is to be changed is as slow', async () => {
    await using hub = await createTestHub({}, CHEAP)
    const browser = await signedInAs(hub, 'anna')
    const change = async (current: string) =>
      (await browser.send('put', '/api/v1/password', { password: 'quite another horse', current }))
        .body as object
    for (let time = 1; time <= 5; time++)
      expect(await change('wrong')).toMatchObject({ code: 'password.wrong' })
    expect(await change(PASSWORD)).toMatchObject({ code: 'auth.too_many' })
  })
})

test('by address: so many within ten minutes, whatever the name, and another address is none the worse', async () => {
  await using hub = await createTestHub(BEHIND_PROXY, CHEAP)
  await addSomebody(hub, 'anna')
  for (let time = 1; time <= 30; time++)
    expect((await attempt(hub, `name${String(time)}`, 'wrong')).status).toBe(403)
  const told = await attempt(hub, 'anna', PASSWORD)
  expect(told.body).toMatchObject({ status: 429, code: 'auth.too_many' })
  expect(told.headers['retry-after']).toBe('600')
  const link = hub.as(null).post('/api/v1/sign-in/link').set('X-Forwarded-For', '192.0.2.1')
  expect((await link.send({ link: 'x' })).status).toBe(429)
  expect((await attempt(hub, 'anna', PASSWORD, '192.0.2.2')).status).toBe(200)
  pass(hub, 600)
  expect((await attempt(hub, 'anna', PASSWORD)).status).toBe(200)
})

test('of IPv6 a whole network is one address', async () => {
  await using hub = await createTestHub(BEHIND_PROXY, CHEAP)
  for (let time = 1; time <= 30; time++)
    await attempt(hub, `name${String(time)}`, 'wrong', `2001:db8:0:${String(time)}::1`)
  expect((await attempt(hub, 'x', 'wrong', '2001:db8:0:ff::2')).status).toBe(429)
  expect((await attempt(hub, 'x', 'wrong', '2001:db8:1:ff::2')).status).toBe(403)
})

test('the audit is told of failures, few of many, and of no name that nobody has', async () => {
  await using hub = await createTestHub(BEHIND_PROXY, CHEAP)
  const { id } = await addSomebody(hub, 'anna')
  const failures = async () =>
    (
      (await hub.as().get('/api/v1/audit?type=person.sign_in_failed')).body as {
        items: { subject: string; after: { failures: number }; address: string; actor: string }[]
      }
    ).items.map(
      ({ subject, after, address, actor }) => `${subject} ${String(after.failures)} ${actor} ${address}`,
    )
  for (let time = 0; time < 5; time++) await attempt(hub, 'anna', 'wrong', `192.0.2.${String(time)}`)
  for (let time = 0; time < 100; time++)
    await attempt(hub, `guessed${String(time)}`, 'wrong', `198.51.100.${String(time)}`)
  expect(await failures()).toEqual(['nobody 1 nobody 198.51.100.0', `${id} 1 nobody 192.0.2.0`])
  pass(hub, 600)
  await attempt(hub, 'anna', 'wrong', '192.0.2.9')
  await attempt(hub, 'another', 'wrong', '192.0.2.9')
  expect((await failures()).slice(0, 2)).toEqual(['nobody 100 nobody 192.0.2.9', `${id} 5 nobody 192.0.2.9`])
  expect((await openBrowser(hub).signIn('anna')).status).toBe(429)
})
