/** The pages of tokens: made and shown once, listed by role, owner and state, revoked. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { ALL, CHEAP, signedInAs } from '../support/browser.ts'
import { enrolNode } from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm, textOf } from './support.ts'

const secretIn = (page: string) => /data-copy="(phub_[\w-]{43})"/.exec(page)?.[1] ?? ''
const namesIn = (page: string) =>
  [...page.matchAll(/<bdi>([^<]+)<\/bdi>\s*<p class="beside"><code>tok_/g)].map(([, name]) => name)

test('a token is made, shown once, and works as it says', async () => {
  const logged: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => logged.push(line) })
  await using hub = await createTestHub({}, { ...CHEAP, log })
  const ada = await signedInAs(hub, 'ada')
  const fields = {
    name: 'CI of <i>',
    role: 'developer',
    apps: 'shop cart',
    noCommands: 'true',
    expiresIn: '12h',
  }
  expect((await sendForm(hub, ada, '/tokens', fields)).status).toBe(400)
  const made = await sendForm(hub, ada, '/tokens', { ...fields, name: 'CI of shop' })
  expect([made.status, made.headers['cache-control']]).toEqual([201, 'no-store'])
  const secret = secretIn(made.text)
  expect((await hub.as(secret).get('/api/v1/whoami')).body).toMatchObject({
    ...{ name: 'CI of shop', role: 'developer', apps: ['shop', 'cart'] },
  })
  const { body } = await hub.as().get('/api/v1/tokens?role=developer')
  expect((body as { items: object[] }).items).toMatchObject([
    { commands: false, createdBy: 'ada', expiresAt: '2026-01-02T15:04:05Z' },
  ])
  for (const page of ['/tokens', '/tokens?state=all', '/audit'])
    expect((await ada.get(page)).text).not.toContain(secret.slice(5))
  expect(logged.join('')).not.toContain(secret.slice(5))
  expect(textOf((await ada.get('/tokens')).text)).toContain('developer of shop, cart')
})

test('a token for enrolment comes with what to type on the new node, without the secret in it', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  const fields = { name: 'web', role: 'enrol', environments: 'staging', node: 'web1', expiresIn: '1h' }
  const { status, text } = await sendForm(hub, ada, '/tokens', fields)
  expect(status).toBe(201)
  expect(secretIn(text)).not.toBe('')
  // Everybody on a machine sees the arguments of a process, and nobody but root and its owner its environment.
  expect(text).toContain(
    `curl -fsS ${hub.url}/enroll.sh | HUB_ENROL_TOKEN=&lt;the token&gt; sh -s -- --environment staging --name web1`,
  )
})

test('the list has what is good, newest first, and is narrowed as the API narrows it', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  await enrolNode(hub, 'web1')
  await hub.token('reader', { name: 'short', expiresIn: '1h' })
  await hub.token('reader', { name: 'long' })
  await hub.token('approver', { name: 'hers', person: 'ada' })
  const all = ['hers', 'long', 'short', 'HUB_ADMIN_TOKEN']
  const page = async (query = '') => (await ada.get(`/tokens${query}`)).text
  expect(namesIn(await page())).toEqual(all)
  expect(await page()).toMatch(/<a href="\/people\/prs_\w+"><bdi>ada<\/bdi><\/a>/)
  expect(namesIn(await page('?role=node'))).toHaveLength(1)
  expect(namesIn(await page('?person=ada'))).toEqual(['hers'])
  hub.clock.set('2026-01-02T05:00:00Z')
  expect(namesIn(await page('?role=reader'))).toEqual(['long'])
  expect(namesIn(await page('?role=reader&state=ended'))).toEqual(['short'])
  const first = await page('?limit=2&state=all')
  const next = /<a href="([^"]+)" rel="next"/.exec(first)?.[1]?.replaceAll('&amp;', '&') ?? ''
  expect([...namesIn(first), ...namesIn((await ada.get(next)).text)].slice(0, 3)).toEqual(all.slice(0, 3))
  for (const wrong of ['role=king', 'state=odd'])
    expect((await ada.agent.get(`/tokens?${wrong}`).set(AS_BROWSER)).status).toBe(400)
  expect((await ada.agent.get('/tokens?person=eve').set(AS_BROWSER)).status).toBe(404)
})

test('a token is revoked, and opens nothing any more', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  const secret = await hub.token('reader', { name: 'old' })
  const address =
    /action="(\/tokens\/tok_\w+\/revoke)"/.exec((await ada.get('/tokens?role=reader')).text)?.[1] ?? ''
  const reply = await sendForm(hub, ada, address, {})
  expect([reply.status, reply.headers['location']]).toEqual([303, '/tokens?done=revoked'])
  expect((await hub.as(secret).get('/api/v1/whoami')).status).toBe(401)
  const ended = (await ada.get('/tokens?state=ended')).text
  expect([namesIn(ended), ended.includes('/revoke"')]).toEqual([['old'], false])
  expect((await sendForm(hub, ada, '/tokens/tok_none/revoke', {})).status).toBe(404)
})

test('they are for administrators alone', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const manager = await signedInAs(hub, 'manager', [{ role: 'release-manager', ...ALL }])
  expect((await manager.agent.get('/tokens').set(AS_BROWSER)).status).toBe(403)
  expect((await sendForm(hub, manager, '/tokens', { name: 'x', role: 'administrator' })).status).toBe(403)
  expect((await hub.as().get('/api/v1/tokens')).body).toMatchObject({ items: [{ name: 'HUB_ADMIN_TOKEN' }] })
})
