/** The pages of environments: releases, policy, holds, the history of the overlay, and how a machine gets there. */
import { expect, test } from 'vitest'
import type { Grant } from '../../src/access/rights.ts'
import { signedInAs } from '../support/browser.ts'
import type { Browser } from '../support/browser.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const HOSTILE = '</bdi><script>alert(1)</script>" onload="alert(1)'
const EVERYWHERE = { apps: null, environments: null }
const grant = (role: Grant['role'], reach: Partial<Grant> = {}): Grant => ({ role, ...EVERYWHERE, ...reach })

async function upload(hub: TestHub, build: number, app = 'shop'): Promise<void> {
  const fields = { build: String(build), version: '1.0.0' }
  expect((await hub.upload(app, tarball({ [`${app}/run`]: String(build) }), fields)).status).toBe(201)
}

async function submit(hub: TestHub, who: Browser, address: string, fields: Readonly<Record<string, string>>) {
  return await who.agent
    .post(address)
    .set({ Origin: hub.url, 'Sec-Fetch-Site': 'same-origin', Accept: 'text/html' })
    .type('form')
    .send({ csrf: await who.csrf(), ...fields })
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
  expect((await submit(hub, ada, address(everywhere), { reason: 'mended' })).status).toBe(403)
  const without = await submit(hub, ada, address(here), { reason: '' })
  expect([without.status, without.text.includes('say why')]).toEqual([400, true])
  const forged = await submit(hub, ada, address(here), { csrf: 'x', reason: 'mended' })
  expect([forged.status, forged.text.includes('auth.csrf')]).toEqual([403, true])
  const done = await submit(hub, ada, address(here), { reason: 'mended' })
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
