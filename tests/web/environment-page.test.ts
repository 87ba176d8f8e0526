/** The pages of environments: releases, policy, holds, the history of the overlay, and how a machine gets there. */
import { expect, test } from 'vitest'
import { signedInAs } from '../support/browser.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { grant, sendForm, textOf } from './support.ts'

const HOSTILE = '</bdi><script>alert(1)</script>" onload="alert(1)'

async function upload(hub: TestHub, build: number, app = 'shop'): Promise<void> {
  const fields = { build: String(build), version: '1.0.0' }
  expect((await hub.upload(app, tarball({ [`${app}/run`]: String(build) }), fields)).status).toBe(201)
}

const linksTo = (text: string, start: string) =>
  [...text.matchAll(/href="([^"]+)"/g)]
    .map(([, address = '']) => address)
    .filter((one) => one.startsWith(start))

test('an empty environment says what to type, and how a machine becomes a node of it', async () => {
  await using hub = await createTestHub()
  const list = (await hub.as().get('/environments')).text
  expect(linksTo(list, '/environments/')).toEqual(['/environments/staging', '/environments/production'])
  const { status, text } = await hub.as().get('/environments/production')
  expect(status).toBe(200)
  expect(text).toContain(`portage-hub promote &lt;app&gt; &lt;build&gt; production --url ${hub.url}`)
  expect(text).toContain(
    `curl -fsS ${hub.url}/enroll.sh | HUB_ENROL_TOKEN=&lt;token&gt; sh -s -- --environment production`,
  )
  const { fingerprint } = hub.hub.overlayKeys.current
  expect(text).toContain(`hub-node enroll ${hub.url} --environment production --key ${fingerprint}`)
  expect(text).toContain('Nobody has set one: this is what the settings of the hub say.')
  expect((await hub.as().get('/environments/none').set('Accept', 'text/html')).status).toBe(404)
})

test('releases are listed with what became of them, page by page', async () => {
  await using hub = await createTestHub()
  for (const build of [1, 2, 3]) await upload(hub, build)
  const { body } = await hub.as().get('/api/v1/environments/staging/releases')
  const [newest] = (body as { items: { id: string }[] }).items
  const address = `/api/v1/environments/staging/releases/${newest?.id ?? ''}/withdraw`
  expect((await hub.as().post(address).send({ reason: HOSTILE })).status).toBe(200)
  const first = (await hub.as().get('/environments/staging?limit=2')).text
  expect(linksTo(first, '/apps/shop/')).toEqual(['/apps/shop/builds/3', '/apps/shop/builds/2'])
  expect(first).toContain('withdrawn')
  expect(first).not.toContain('<script>alert')
  expect(first).toContain('&lt;script&gt;alert(1)')
  const next = /<a href="([^"]+)" rel="next"/.exec(first)?.[1]?.replaceAll('&amp;', '&') ?? ''
  const second = (await hub.as().get(next)).text
  expect(linksTo(second, '/apps/shop/')).toEqual(['/apps/shop/builds/1'])
})

test('the policy is read as sentences, with who set it', async () => {
  await using hub = await createTestHub()
  await hub
    .as()
    .put('/api/v1/environments/production/policy')
    .send({
      ...{ promote: 'request', soak: '24h', schema: 'reversible', override: { roles: [] } },
      checks: { commit: ['unit', 'lint'], acceptance: ['functional'], manual: [] },
      approvals: { count: 2, roles: ['release-manager', 'approver'] },
      freezes: [
        { from: 'Fri 16:00', to: 'Mon 06:00', timeZone: 'Europe/Berlin', reason: '<i>inventory</i>' },
      ],
    })
  const { text } = await hub.as().get('/environments/production')
  for (const sentence of [
    'Only what somebody asks for is published here.',
    'The commit checks &quot;unit&quot;, &quot;lint&quot; must have passed.',
    'The acceptance check &quot;functional&quot; must have passed.',
    '2 must approve it, each a release manager or an approver; never whoever asked for it.',
    'A build must have stood in the environment before for 24h in all.',
    'One must be able to go back from its schema to what stands here.',
    'Nothing is published from Fri 16:00 to Mon 06:00, by the clocks of Europe/Berlin: &lt;i&gt;inventory&lt;/i&gt;.',
    'Nobody may skip the waiting.',
  ])
    expect(text).toContain(`<bdi>${sentence}</bdi>`)
  expect(text).toMatch(/Version 1, set by <bdi>HUB_ADMIN_TOKEN<\/bdi>/)
})

test('the history leads from a revision to what it changed', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await hub.as().put('/api/v1/environments/staging/files/profiles/package.use/mine').send('one\ntwo\n')
  await hub.as().put('/api/v1/environments/staging/files/profiles/package.use/mine').send(`one\n${HOSTILE}\n`)
  const history = (await hub.as().get('/environments/staging/revisions?limit=1')).text
  const [newest = ''] = linksTo(history, '/environments/staging/revisions/')
  expect(linksTo((await hub.as().get('/environments/staging')).text, newest)).not.toEqual([])
  expect(history).toContain('rel="next"')
  const { text } = await hub.as().get(newest)
  expect(text).toContain('1 file changed')
  expect(text).toContain('<span class="removed">-two\n</span>')
  expect(text).toContain('<span class="added">+&lt;/bdi&gt;&lt;script&gt;')
  expect(text).not.toContain(HOSTILE)
  const none = await hub.as().get('/environments/staging/revisions/99').set('Accept', 'text/html')
  expect([none.status, none.text.includes('overlay.unknown_revision')]).toEqual([404, true])
})

test('a hold is lifted with a reason by who may promote where it binds', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await upload(hub, 1, 'cart')
  const hold = async (path: string, app: string) =>
    ((await hub.as().post(path).send({ app, reason: 'charges twice' })).body as { id: string }).id
  const here = await hold('/api/v1/environments/production/holds', 'shop')
  const everywhere = await hold('/api/v1/holds', 'cart')
  const address = (id: string) => `/environments/production/holds/${id}/lift`
  const ada = await signedInAs(hub, 'ada', [grant('release-manager', { environments: ['production'] })])
  const page = (await ada.get('/environments/production')).text
  expect(page).toContain('charges twice')
  expect(page).toContain(`action="${address(here)}"`)
  expect(page).toContain('<summary aria-label="Lift… shop">Lift…</summary>')
  expect(page).not.toContain(address(everywhere))
  expect((await sendForm(hub, ada, address(everywhere), { reason: 'mended' })).status).toBe(403)
  const without = await sendForm(hub, ada, address(here), { reason: '' })
  expect([without.status, without.text.includes('say why')]).toEqual([400, true])
  const forged = await sendForm(hub, ada, address(here), { csrf: 'x', reason: 'mended' })
  expect([forged.status, forged.text.includes('auth.csrf')]).toEqual([403, true])
  const done = await sendForm(hub, ada, address(here), { reason: 'mended' })
  expect([done.status, done.headers['location']]).toEqual([303, '/environments/production?done=lifted'])
  expect((await ada.get('/environments/production')).text).not.toContain(address(here))
  expect((await hub.as().get('/api/v1/holds?state=all')).body).toMatchObject({
    items: [
      { id: everywhere, state: 'held' },
      { id: here, state: 'lifted', liftedBy: 'ada', liftReason: 'mended' },
    ],
  })
})

test('a developer sees what became of their app, and neither the overlay nor other apps', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await upload(hub, 1, 'cart')
  const developer = await signedInAs(hub, 'dev', [grant('developer', { apps: ['cart'] })])
  const { text } = await developer.get('/environments/staging')
  expect(linksTo(text, '/apps/')).toEqual(['/apps/cart/builds/1'])
  expect(text).not.toContain('History of the overlay')
  expect(linksTo(text, '/environments/staging/revisions')).toEqual([])
  const history = await developer.agent.get('/environments/staging/revisions').set('Accept', 'text/html')
  expect(history.status).toBe(403)
  const reader = await signedInAs(hub, 'reader', [grant('reader', { environments: ['staging'] })])
  expect(linksTo((await reader.get('/environments')).text, '/environments/')).toEqual([
    '/environments/staging',
  ])
  expect((await reader.agent.get('/environments/production').set('Accept', 'text/html')).status).toBe(403)
})

/** An overlay with build 1, then with build 2 as well, a day later. */
async function twoDays(hub: TestHub): Promise<void> {
  await upload(hub, 1)
  hub.clock.set('2026-01-03T03:04:05Z')
  await upload(hub, 2)
}

test('the files of an overlay are looked at as of a revision, folder by folder', async () => {
  await using hub = await createTestHub()
  await twoDays(hub)
  const tree = '/environments/staging/revisions/2/tree'
  const top = (await hub.as().get(tree)).text
  expect(top).toContain(`href="${tree}/app-hub"><bdi>app-hub/</bdi>`)
  const folder = (await hub.as().get(`${tree}/app-hub/shop`)).text
  expect(folder).toContain(`href="${tree}/app-hub/shop/shop-1.0.0_p1.ebuild"`)
  expect(folder).not.toContain('shop-1.0.0_p2.ebuild')
  expect(folder).toContain('href="/environments/staging/revisions/3/tree/app-hub/shop">the newest</a>')
  expect(folder).toContain(
    'href="/environments/staging/revisions/1/tree/app-hub/shop">the revision before</a>',
  )
  const file = await hub.as().get(`${tree}/app-hub/shop/shop-1.0.0_p1.ebuild`)
  expect(textOf(file.text)).toContain('from shop build 1 (version 1.0.0)')
  expect(file.text).toContain(
    'href="/api/v1/environments/staging/revisions/2/files/app-hub/shop/shop-1.0.0_p1.ebuild"',
  )
  const asPage = async (path: string) => await hub.as().get(path).set('Accept', 'text/html')
  for (const path of [
    `${tree}/nothing`,
    `${tree}/app-hub/shop/shop-1.0.0_p2.ebuild`,
    '/environments/staging/revisions/9/tree',
  ])
    expect((await asPage(path)).status).toBe(404)
})

test('a revision is found by a time or by its number', async () => {
  await using hub = await createTestHub()
  await twoDays(hub)
  const find = async (query: string) => {
    const { status, headers } = await hub.as().get(`/environments/staging/tree?${query}`).redirects(0)
    return [status, headers['location']]
  }
  const tree = (number: number) => [303, `/environments/staging/revisions/${String(number)}/tree`]
  expect(await find('')).toEqual(tree(3))
  expect(await find('at=2026-01-02T23:59&revision=')).toEqual(tree(2))
  expect(await find('at=2026-01-03T03:04:05Z')).toEqual(tree(3))
  expect(await find('at=2026-01-03T04:04:04%2B01:00')).toEqual(tree(2))
  expect(await find('revision=2&at=2026-01-09')).toEqual(tree(2))
  expect(await find('at=2026-01-02T12:00&path=app-hub/shop')).toEqual([
    303,
    '/environments/staging/revisions/2/tree/app-hub/shop',
  ])
  const page = async (query: string) =>
    await hub.as().get(`/environments/staging/tree?${query}`).set('Accept', 'text/html')
  expect((await page('at=2026-01-01')).status).toBe(404)
  expect((await page('at=yesterday')).status).toBe(400)
})

test('the API has the files of a revision, and the revision that stood at a time', async () => {
  await using hub = await createTestHub()
  await twoDays(hub)
  const revisions = '/api/v1/environments/staging/revisions'
  const stood = await hub.as().get(`${revisions}?limit=1&at=2026-01-02%2012:00`)
  expect(stood.body).toMatchObject({ items: [{ revision: 2 }], nextCursor: '2' })
  expect((await hub.as().get(`${revisions}?at=2025-12-31`)).body).toEqual({ items: [], nextCursor: null })
  expect((await hub.as().get(`${revisions}?at=2026-02-31T25:00`)).status).toBe(400)
  const files = await hub.as().get(`${revisions}/2/files?prefix=app-hub/shop/`)
  expect(files.body).toMatchObject({
    items: [
      { path: 'app-hub/shop/Manifest' },
      { path: 'app-hub/shop/metadata.xml' },
      { path: 'app-hub/shop/shop-1.0.0_p1.ebuild' },
    ],
    nextCursor: null,
  })
  const first = await hub.as().get(`${revisions}/2/files?limit=1&prefix=app-hub/shop/`)
  expect(first.body).toMatchObject({ items: [{ path: 'app-hub/shop/Manifest' }], nextCursor: '1' })
  const text = await hub.as().get(`${revisions}/2/files/app-hub/shop/shop-1.0.0_p1.ebuild`)
  expect(text.headers['content-type']).toBe('text/plain; charset=utf-8')
  expect(text.text).toBe((await hub.as().get('/api/v1/apps/shop/builds/1/ebuild')).text)
  const none = await hub.as().get(`${revisions}/2/files/app-hub/shop/shop-1.0.0_p2.ebuild`)
  expect(none.body).toMatchObject({ status: 404, code: 'overlay.no_such_path' })
  expect((await hub.as().get(`${revisions}/2/files/app-hub/shop`)).body).toMatchObject({
    code: 'overlay.no_such_path',
    detail: '"app-hub/shop" is a folder: ask for the files with ?prefix= of it',
  })
})

test('an administrator changes the policy, and what is refused can be mended', async () => {
  await using hub = await createTestHub()
  const ada = await signedInAs(hub, 'ada')
  const address = '/environments/production/policy'
  const wanted = {
    ...{ version: '0', promote: 'request', commit: 'unit, lint', acceptance: 'smoke', schema: 'reversible' },
    ...{ approvals: '2', 'approve-approver': 'yes', 'override-administrator': 'yes', soak: '2h' },
  }
  const refused = await sendForm(hub, ada, address, { ...wanted, soak: 'a while' })
  expect(refused.status).toBe(400)
  expect(refused.text).toMatch(/class="notice refused"[^]*soak/)
  expect(refused.text).toMatch(/<details class="fold" open>[^]*name="soak"\s+value="a while"/)
  const done = await sendForm(hub, ada, address, wanted)
  expect([done.status, done.headers['location']]).toEqual([303, '/environments/production?done=changed'])
  const policy = async () => (await hub.as().get('/api/v1/environments/production/policy')).body as object
  expect(await policy()).toMatchObject({
    ...{ version: 1, setBy: 'ada', soak: '2h', schema: 'reversible', freezes: [] },
    checks: { commit: ['unit', 'lint'], acceptance: ['smoke'], manual: [] },
    approvals: { count: 2, roles: ['approver'] },
    override: { roles: ['administrator'] },
  })
  // It was made from a version that holds no more.
  const late = await sendForm(hub, ada, address, { ...wanted, soak: '3h' })
  expect(late.status).toBe(409)
  expect(late.text).toContain('version 1 of the policy holds in production')
  const unmeetable = await sendForm(hub, ada, address, { ...wanted, version: '1', 'approve-approver': '' })
  expect(unmeetable.status).toBe(422)
  expect(await policy()).toMatchObject({ version: 1, soak: '2h' })
})

test('an administrator sets a freeze and ends it; others see neither form', async () => {
  await using hub = await createTestHub()
  const ada = await signedInAs(hub, 'ada')
  const address = '/environments/production/policy'
  // The clock of the test shows a Friday.
  const freeze = {
    version: '0',
    freeze: 'add',
    from: 'Fri 00:00',
    to: 'Mon 08:00',
    timeZone: 'UTC',
    reason: HOSTILE,
  }
  const wrong = await sendForm(hub, ada, address, { ...freeze, timeZone: 'Mars/Olympus' })
  expect(wrong.status).toBe(400)
  expect(wrong.text).toContain('value="Mars/Olympus"')
  expect((await sendForm(hub, ada, address, freeze)).status).toBe(303)
  const { text } = await ada.agent.get('/environments/production')
  expect(text).toMatch(/class="state held"><span[^>]*><\/span>frozen/)
  expect(text).not.toContain('<script>alert')
  expect(text).toContain('End the freeze from Fri 00:00 to Mon 08:00')
  const rita = await signedInAs(hub, 'rita', [grant('release-manager')])
  const seen = await rita.agent.get('/environments/production')
  expect(seen.text).toContain('frozen')
  expect(seen.text).not.toContain(`action="${address}"`)
  expect((await sendForm(hub, rita, address, { version: '1', freeze: '0' })).status).toBe(403)
  expect((await sendForm(hub, ada, address, { version: '1', freeze: '0' })).status).toBe(303)
  expect((await ada.agent.get('/environments/production')).text).not.toContain('state held')
})
