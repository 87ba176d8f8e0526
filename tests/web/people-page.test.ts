/** The pages of people: adding, changing, disabling, links that are shown once, sessions. */
import { expect, test } from 'vitest'
import { ALL, CHEAP, openBrowser, signedInAs } from '../support/browser.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm, textOf } from './support.ts'

const linkIn = (page: string) => /data-copy="(http[^"]+\/sign-in\/[^"]+)"/.exec(page)?.[1] ?? ''
const personOf = async (hub: TestHub, name: string) =>
  (await hub.as().get(`/api/v1/people/${name}`)).body as {
    readonly id: string
    readonly fullName: string | null
    readonly state: string
    readonly grants: readonly object[]
  }

test('somebody is added with grants, and gets a link that is shown once and signs in once', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  const fields = {
    ...{ name: 'anna', fullName: 'Anna <b>Berg', expiresIn: '3d' },
    ...{ role0: 'release-manager', apps0: 'shop, cart', environments0: 'staging', role1: 'reader' },
    ...{ apps3: 'nothing without a role' },
  }
  const made = await sendForm(hub, ada, '/people', fields)
  expect([made.status, made.headers['cache-control']]).toEqual([201, 'no-store'])
  expect(textOf(made.text)).toContain('ends in 3 days')
  const link = linkIn(made.text)
  expect(link).toMatch(new RegExp(`^${hub.url}/sign-in/[\\w-]{43}$`))
  const anna = await personOf(hub, 'anna')
  expect(anna).toMatchObject({
    fullName: 'Anna <b>Berg',
    grants: [
      { role: 'release-manager', apps: ['shop', 'cart'], environments: ['staging'] },
      { role: 'reader', apps: null, environments: null },
    ],
  })
  const list = (await ada.get('/people')).text
  expect(list).toContain('<bdi>release-manager of shop, cart in staging</bdi>')
  expect(list).toContain('<bdi>Anna &lt;b&gt;Berg</bdi>')
  expect(list).toContain('not been here')
  for (const page of ['/people', `/people/${anna.id}`, '/audit'])
    expect((await ada.get(page)).text).not.toContain(link.slice(-43))
  const opened = openBrowser(hub)
  const signIn = async () =>
    await opened.agent
      .post(link.slice(hub.url.length))
      .set({ Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' })
  expect((await signIn()).headers['location']).toBe('/account')
  expect((await signIn()).status).toBe(403)
  const page = textOf((await ada.get(`/people/${anna.id}`)).text)
  expect(page).toContain('does not say its name')
  expect(page).toContain('anna signed in by anna')
})

test('grants, state and sessions are changed, and each change stands in the audit', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  const bob = await signedInAs(hub, 'bob', [{ role: 'reader', ...ALL }])
  const { id } = await personOf(hub, 'bob')
  const page = (await ada.get(`/people/${id}`)).text
  expect(page).toContain('<option value="reader" selected>')
  const send = async (verb: string, fields: Readonly<Record<string, string>> = {}) =>
    (await sendForm(hub, ada, `/people/${id}/${verb}`, fields)).headers['location']
  const change = { fullName: '', role0: 'approver', environments0: 'production' }
  expect(await send('change', change)).toBe(`/people/${id}?done=granted`)
  expect(await personOf(hub, 'bob')).toMatchObject({
    grants: [{ role: 'approver', apps: null, environments: ['production'] }],
  })
  expect((await bob.get('/account')).status).toBe(200)
  expect(await send('sign-out')).toBe(`/people/${id}?done=signed-out`)
  expect((await bob.get('/account')).status).toBe(303)
  expect(await send('disable')).toBe(`/people/${id}?done=disabled`)
  expect((await ada.get(`/people/${id}`)).text).not.toContain('/link"')
  expect((await sendForm(hub, ada, `/people/${id}/link`, { expiresIn: '24h' })).status).toBe(409)
  expect(await send('enable')).toBe(`/people/${id}?done=enabled`)
  const { body } = await hub.as().get(`/api/v1/audit?subject=${id}&type=person.changed`)
  expect((body as { items: { actor: string }[] }).items.map(({ actor }) => actor)).toEqual([
    'ada',
    'ada',
    'ada',
  ])
})

test('what is refused is told on the page, and nothing is changed', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  const { id } = await personOf(hub, 'ada')
  for (const [path, fields, status, words] of [
    ['/people', { name: 'Not A Name' }, 400, 'lower-case letters'],
    ['/people', { name: 'ada' }, 409, 'there is somebody called ada already'],
    ['/people', { name: 'eve', role0: 'reader', environments0: 'moon' }, 404, 'moon'],
    ['/people', { name: 'eve', role0: 'node' }, 400, 'grants'],
    [`/people/${id}/disable`, {}, 409, 'nobody disables themselves'],
    [`/people/${id}/change`, { role0: 'reader' }, 409, 'gives up administration'],
    [`/people/${id}/link`, { expiresIn: '9d' }, 400, '7d at most'],
  ] as const) {
    const refused = await sendForm(hub, ada, path, fields)
    expect([refused.status, refused.text.includes('class="notice refused"')], path).toEqual([status, true])
    expect(refused.text).toContain(words)
  }
  expect((await hub.as().get('/api/v1/people')).body).toMatchObject({
    items: [{ name: 'ada', state: 'active' }],
  })
  expect((await ada.get(`/people/${id}`)).text).not.toContain('/disable"')
  expect((await ada.agent.get('/people/nobody').set(AS_BROWSER)).status).toBe(404)
})

test('they are for administrators alone', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const reader = await signedInAs(hub, 'reader', [{ role: 'reader', ...ALL }])
  const { id } = await personOf(hub, 'reader')
  for (const path of ['/people', `/people/${id}`])
    expect((await reader.agent.get(path).set(AS_BROWSER)).status, path).toBe(403)
  for (const path of ['/people', `/people/${id}/change`, `/people/${id}/link`, `/people/${id}/sign-out`])
    expect((await sendForm(hub, reader, path, { name: 'eve', role0: 'administrator' })).status, path).toBe(
      403,
    )
  expect((await personOf(hub, 'reader')).grants).toEqual([{ role: 'reader', apps: null, environments: null }])
  expect((await reader.get('/account')).status).toBe(200)
})
