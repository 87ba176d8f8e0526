/** The pages of webhooks: made with a secret that is shown once, changed, paused, deleted; deliveries with their bodies, sent again. */
import { expect, test } from 'vitest'
import { WebhookLanes } from '../../src/jobs/deliver-webhooks.ts'
import { ALL, CHEAP, signedInAs } from '../support/browser.ts'
import type { Browser } from '../support/browser.ts'
import { openReceiver } from '../support/receiver.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm, textOf } from './support.ts'

const INSIDE = { HUB_WEBHOOK_ALLOW: '127.0.0.1' }
const signal = new AbortController().signal

async function make(hub: TestHub, who: Browser, fields: object): Promise<{ id: string; page: string }> {
  const { status, text } = await who.agent
    .post('/webhooks')
    .set({ ...AS_BROWSER, Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' })
    .type('form')
    .send({ csrf: await who.csrf(), ...fields })
  expect(status, textOf(text)).toBe(201)
  return { id: /href="\/webhooks\/(whk_\w+)"/.exec(text)?.[1] ?? '', page: text }
}

async function deliver(hub: TestHub): Promise<void> {
  const lanes = new WebhookLanes(hub.hub, signal)
  await lanes.look()
  await lanes.settled()
}

async function upload(hub: TestHub): Promise<void> {
  const reply = await hub.upload('shop', tarball({ 'shop/run': '1' }), { build: '1', version: '1.0.0' })
  expect(reply.status, reply.text).toBe(201)
}

test('a webhook of each kind is made, and its secret is shown once', async () => {
  await using hub = await createTestHub(
    { HUB_SMTP_URL: 'smtp://mail.example', HUB_MAIL_FROM: 'hub@example.org' },
    CHEAP,
  )
  const ada = await signedInAs(hub, 'ada')
  expect(textOf((await ada.get('/webhooks')).text)).toContain('The hub tells nobody of what happens.')
  const url = 'https://hooks.example/services/T00/very-secret'
  for (const format of ['', 'json', 'slack', 'matrix']) {
    const { page, id } = await make(hub, ada, {
      url,
      format,
      types: ['hold.set', 'hold.lifted'],
      app: 'shop',
    })
    const secret = /data-copy="(whsec_[^"]+)"/.exec(page)?.[1] ?? ''
    expect(secret.length).toBeGreaterThan(30)
    for (const path of ['/webhooks', `/webhooks/${id}`, '/audit'])
      expect((await ada.get(path)).text, path).not.toContain(secret)
    expect((await hub.as().get(`/api/v1/webhooks/${id}`)).body).toMatchObject({
      ...{
        url,
        format: format || 'json',
        types: ['hold.set', 'hold.lifted'],
        app: 'shop',
        environment: null,
      },
    })
  }
  const mail = await make(hub, ada, { url: 'mailto:ops@example.org', types: 'promotion.requested' })
  expect(mail.page).not.toContain('whsec_')
  const list = (await ada.get('/webhooks')).text
  expect(list).toContain('<bdi>ops@example.org</bdi>')
  expect(list).toContain('<bdi>https://hooks.example</bdi>')
  expect(list).not.toContain('very-secret')
})

test('it is changed, paused, resumed and deleted', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  const { id } = await make(hub, ada, { url: 'https://ci.example/hook' })
  const now = async () => (await hub.as().get(`/api/v1/webhooks/${id}`)).body as object
  const send = async (verb: string, fields: Readonly<Record<string, string>> = {}) =>
    (await sendForm(hub, ada, `/webhooks/${id}/${verb}`, fields)).headers['location']
  expect(await send('change', { types: 'pin.set', environment: 'production' })).toBe(
    `/webhooks/${id}?done=changed`,
  )
  expect(await now()).toMatchObject({
    types: ['pin.set'],
    app: null,
    environment: 'production',
    enabled: true,
  })
  expect((await ada.get(`/webhooks/${id}`)).text).toMatch(/value="pin.set"\s+checked/)
  expect(await send('pause')).toBe(`/webhooks/${id}?done=changed`)
  expect(await now()).toMatchObject({ types: ['pin.set'], enabled: false })
  expect(textOf((await ada.get('/webhooks')).text)).toContain('paused')
  expect(await send('resume')).toBe(`/webhooks/${id}?done=changed`)
  expect(await now()).toMatchObject({ enabled: true })
  for (const [fields, words] of [
    [{ types: 'no.such' }, 'types'],
    [{ environment: 'moon' }, 'moon'],
  ] as const) {
    const refused = await sendForm(hub, ada, `/webhooks/${id}/change`, fields)
    expect(refused.status).toBeGreaterThan(399)
    expect(refused.text).toContain(words)
  }
  const { body } = await hub.as().get(`/api/v1/audit?subject=${id}`)
  expect((body as { items: object[] }).items).toMatchObject([
    { type: 'webhook.changed', after: { enabled: true } },
    { type: 'webhook.changed', before: { enabled: true }, after: { enabled: false } },
    {
      type: 'webhook.changed',
      before: { types: null },
      after: { types: ['pin.set'], environment: 'production' },
    },
    { type: 'webhook.created' },
  ])
  expect(await send('delete')).toBe('/webhooks?done=removed')
  expect((await hub.as().get(`/api/v1/webhooks/${id}`)).status).toBe(404)
  expect((await ada.agent.get(`/webhooks/${id}`).set(AS_BROWSER)).status).toBe(404)
})

test('deliveries tell how they stand and what is sent, and are sent again', async () => {
  await using receiver = await openReceiver()
  await using hub = await createTestHub(INSIDE, { ...CHEAP, jobs: false })
  const ada = await signedInAs(hub, 'ada')
  const { id } = await make(hub, ada, { url: receiver.url, types: ['build.archived'] })
  await upload(hub)
  receiver.answer = 503
  await deliver(hub)
  const waiting = (await ada.get(`/webhooks/${id}`)).text
  expect(textOf(waiting)).toMatch(/waiting .*503.* next try in 1\d seconds/)
  const address = /href="(\/webhooks\/whk_\w+\/deliveries\/whd_\w+)"/.exec(waiting)?.[1] ?? ''
  const page = (await ada.get(address)).text
  const sent = /<pre [^>]*><code>([^<]*)<\/code>/.exec(page)?.[1]?.replaceAll('&quot;', '"') ?? ''
  expect(JSON.parse(sent)).toEqual(JSON.parse(receiver.received[0]?.body ?? 'null'))
  const again = await sendForm(hub, ada, `${address}/replay`, {})
  receiver.answer = 204
  expect(again.headers['location']).toBe(`/webhooks/${id}?done=sent`)
  await deliver(hub)
  expect(receiver.received).toHaveLength(2)
  expect(textOf((await ada.get('/webhooks')).text)).toContain('delivered')
  expect((await ada.get(`/webhooks/${id}?state=delivered`)).text).toContain('build.archived</a>')
  expect(textOf((await ada.get(`/webhooks/${id}?state=dead`)).text)).toContain(
    'No delivery is in this state.',
  )
  expect((await ada.agent.get(`/webhooks/${id}?state=odd`).set(AS_BROWSER)).status).toBe(400)
  expect((await ada.agent.get(`/webhooks/${id}/deliveries/whd_none`).set(AS_BROWSER)).status).toBe(404)
})

test('what would reach inside is refused, with what the fields had said', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  for (const [url, status] of [
    ['http://127.0.0.1/x', 422],
    ['ftp://example.org', 400],
    ['mailto:ops@example.org', 422],
    ['', 400],
  ] as const) {
    const refused = await sendForm(hub, ada, '/webhooks', { url })
    expect([refused.status, refused.text.includes('class="notice refused"')], url).toEqual([status, true])
  }
  expect((await hub.as().get('/api/v1/webhooks')).body).toMatchObject({ items: [] })
})

test('they are for administrators alone', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const ada = await signedInAs(hub, 'ada')
  const { id } = await make(hub, ada, { url: 'https://ci.example/hook' })
  const manager = await signedInAs(hub, 'manager', [{ role: 'release-manager', ...ALL }])
  for (const path of ['/webhooks', `/webhooks/${id}`, `/webhooks/${id}/deliveries/whd_1`])
    expect((await manager.agent.get(path).set(AS_BROWSER)).status, path).toBe(403)
  for (const path of [
    '/webhooks',
    `/webhooks/${id}/delete`,
    `/webhooks/${id}/pause`,
    `/webhooks/${id}/change`,
  ])
    expect((await sendForm(hub, manager, path, { url: 'https://x.example' })).status, path).toBe(403)
  expect((await hub.as().get(`/api/v1/webhooks/${id}`)).body).toMatchObject({ enabled: true })
})
