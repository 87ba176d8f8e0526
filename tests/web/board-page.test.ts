/** The board: what is where, what waits and for what, for those who may see it. */
import { expect, test } from 'vitest'
import { ALL, CHEAP, openBrowser, signedInAs } from '../support/browser.ts'
import { packageOf, reportOf } from '../support/node-reports.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, textOf } from './support.ts'

const upload = async (hub: TestHub, app: string, build: number) => {
  const fields = { build: String(build), version: `1.${String(build)}.0` }
  const reply = await hub.upload(app, tarball({ [`${app}/run`]: String(build) }), fields)
  expect(reply.status, reply.text).toBe(201)
  return reply.body as { readonly cpv: string }
}
const post = async (hub: TestHub, path: string, body: object, token?: string) => {
  const reply = await hub.as(token).post(`/api/v1${path}`).send(body)
  expect(reply.status, reply.text).toBeLessThan(300)
  return reply.body as { readonly id: string; readonly token: string }
}
const board = async (hub: TestHub, token?: string, path = '/') =>
  await send(hub.url, { path, headers: AS_BROWSER, ...(token !== undefined && { token }) })

test('every program reads a line of text; people sign in first', async () => {
  await using hub = await createTestHub({}, CHEAP)
  for (const wanted of [{ headers: { Accept: '*/*' } }, {}, { token: null }]) {
    const reply = await send(hub.url, { path: '/', ...wanted })
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8'])
    expect(reply.text).toMatch(/^Portage Hub \S+\nAPI: /)
    expect(reply.headers.vary).toContain('Accept')
  }
  const { status, headers } = await send(hub.url, { path: '/', headers: AS_BROWSER, token: null })
  expect([status, headers.location]).toEqual([303, '/sign-in?next=%2F'])
})

test('without an app it names the command that makes one, with the address of this hub', async () => {
  await using hub = await createTestHub()
  const { text } = await board(hub)
  expect(text).toContain(`HUB_URL=${hub.hub.config.publicUrl} portage-hub push`)
  expect(text).not.toContain('<table>')
})

test('it tells what is where since when and by whom, what waits for what, holds, emergencies and nodes', async () => {
  await using hub = await createTestHub()
  const former = await upload(hub, 'shop', 44)
  const { cpv } = await upload(hub, 'shop', 45)
  await upload(hub, 'shop', 46)
  const policy = { promote: 'request', approvals: { count: 1, roles: ['approver'] } }
  await hub.as().put('/api/v1/environments/production/policy').send(policy)
  const override = { reason: 'the tills stand still' }
  const emergency = await post(hub, '/promotions', {
    ...{ app: 'shop', build: 45, environment: 'production', override },
  })
  const waiting = await post(hub, '/promotions', { app: 'shop', build: 46, environment: 'production' })
  for (const [name, build] of [
    ['web-1', cpv],
    ['web-2', former.cpv],
  ] as const) {
    const { token } = await post(hub, '/nodes', { name, environment: 'production' })
    const packages = [packageOf(build, { repo: 'hub-production' })]
    await post(hub, `/nodes/${name}/report`, reportOf([], { packages }), token)
  }
  const hold = await post(hub, '/environments/production/holds', {
    ...{ app: 'shop', build: 44, reason: 'not before Monday' },
  })
  hub.clock.set('2026-01-02T06:04:05Z')
  const { text } = await board(hub)
  expect(text).toContain('<th scope="col" class="">production</th>')
  expect(textOf(text)).toContain('1.46.0 build 46 3 hours ago by policy')
  expect(textOf(text)).toContain(
    '1.45.0 build 45 emergency 3 hours ago by HUB_ADMIN_TOKEN on 1 of 2 nodes 1 elsewhere',
  )
  expect(text).toContain(`href="/promotions/${emergency.id}" title="the tills stand still"`)
  expect(text).toContain('class="state urgent"')
  expect(text).toContain(`href="/promotions/${waiting.id}">build 46</a>`)
  expect(textOf(text)).toContain('0 of 1 approvals')
  expect(text).toContain(`href="/apps/shop#${hold.id}" title="not before Monday"`)
  expect(text).toContain('href="/apps/shop/builds/45"')
  expect(text).toMatch(
    /href="\/nodes\?environment=production&amp;drifted=true"\s*><span class="state waiting"/,
  )
})

test('a release that is not the best version is not shown as what is there', async () => {
  await using hub = await createTestHub()
  for (const build of [2, 1]) await upload(hub, 'shop', build)
  const shown = textOf((await board(hub)).text)
  expect(shown).toContain('1.2.0 build 2')
  expect(shown).not.toContain('1.1.0 build 1')
  await post(hub, '/apps/shop/builds/2/yank', { reason: 'broken' })
  const after = textOf((await board(hub)).text)
  expect(after).toContain('1.1.0 build 1')
  expect(after).toContain('build 2 yanked')
})

test('a freeze is told with its reason and its end', async () => {
  await using hub = await createTestHub()
  await upload(hub, 'shop', 1)
  const freezes = [{ from: 'Fri 00:00', to: 'Sat 03:04', timeZone: 'UTC', reason: 'inventory <b>' }]
  await hub.as().put('/api/v1/environments/production/policy').send({ promote: 'request', freezes })
  const { text } = await board(hub)
  expect(text).toContain('<bdi>inventory &lt;b&gt;</bdi>')
  expect(textOf(text)).toContain('opens in 23 hours')
  expect(text).toContain('href="/environments/production#policy"')
})

test('everybody sees their apps and environments, and nothing of others', async () => {
  await using hub = await createTestHub()
  for (const app of ['shop', 'cart']) await upload(hub, app, 7)
  await hub.promote('shop', 7, 'production')
  const developer = await hub.token('developer', { apps: ['cart'] })
  const ofDeveloper = textOf((await board(hub, developer)).text)
  expect(ofDeveloper).toContain('cart')
  expect(ofDeveloper).not.toContain('shop')
  expect(ofDeveloper).not.toMatch(/on \d+ of/)
  const reader = await hub.token('reader', { environments: ['production'] })
  const ofReader = (await board(hub, reader)).text
  expect(ofReader).toContain('href="/environments/production"')
  expect(ofReader).not.toContain('href="/environments/staging"')
  expect(textOf(ofReader)).not.toContain('cart')
})

test('it asks for itself again, at its own address, when the hub tells of a change', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub, 'shop', 1)
  await signedInAs(hub, 'ada', [{ role: 'administrator', ...ALL }])
  const browser = openBrowser(hub)
  await browser.signIn('ada')
  const whole = await browser.agent.get('/?limit=2').set(AS_BROWSER)
  expect(whole.text).toMatch(/<div\s+id="board"/)
  expect(whole.text).toContain('hx-get="/?limit=2"')
  expect(whole.text).toContain('hx-select="#board"')
  expect(whole.text).toMatch(/data-live="[^"]*\bpromotion\.moved\b[^"]*"/)
  expect(whole.text).toMatch(/data-live="[^"]*\bnode\.changed\b[^"]*"/)
})

test('more apps than fit lead on', async () => {
  await using hub = await createTestHub()
  for (const app of ['a', 'b', 'c']) await upload(hub, `app-${app}`, 1)
  const first = await board(hub, undefined, '/?limit=2')
  const [, next = ''] = /<a href="([^"]+)" rel="next">More apps<\/a>/.exec(first.text) ?? []
  expect(next).toBe('/?limit=2&amp;cursor=app-b')
  const second = await board(hub, undefined, next.replace('&amp;', '&'))
  expect(textOf(second.text)).toContain('app-c')
  expect(second.text).not.toContain('rel="next"')
})
