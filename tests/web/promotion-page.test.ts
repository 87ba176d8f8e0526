/** The pages of promotions: what is shown to whom, and the decisions that their forms send. */
import { expect, test } from 'vitest'
import { openBrowser, signedInAs } from '../support/browser.ts'
import type { Browser } from '../support/browser.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { grant, sendForm } from './support.ts'

const HOSTILE = '<script>alert(1)</script>" onload="alert(1)'

/** A hub where production asks for one approval, with a build in staging. */
async function hubWithApprovals(hub: TestHub): Promise<void> {
  const policy = { approvals: { count: 1, roles: ['release-manager', 'approver'] } }
  await hub.as().put('/api/v1/environments/production/policy').send(policy)
  await uploadStaged(hub, 'shop', 1)
}

async function uploadStaged(hub: TestHub, app: string, build: number): Promise<void> {
  const fields = { build: String(build), version: '1.0.0' }
  expect((await hub.upload(app, tarball({ [`${app}/run`]: String(build) }), fields)).status).toBe(201)
}

/** Asks for build 1 of shop in production and gives the promotion's page. */
async function ask(who: Browser, body: object = { app: 'shop', build: 1 }): Promise<string> {
  const reply = await who.send('post', '/api/v1/promotions', { environment: 'production', ...body })
  expect(reply.status, reply.text).toBe(202)
  return `/promotions/${(reply.body as { id: string }).id}`
}

test('without promotions the list says what to type', async () => {
  await using hub = await createTestHub()
  const { status, text } = await hub.as().get('/promotions')
  expect(status).toBe(200)
  expect(text).toContain(`portage-hub promote &lt;app&gt; &lt;build&gt; &lt;environment&gt; --url ${hub.url}`)
})

test('whoever asked for it reads on the page that somebody else approves, who then releases it', async () => {
  await using hub = await createTestHub()
  await hubWithApprovals(hub)
  const [ada, bob] = [
    await signedInAs(hub, 'ada', [grant('release-manager')]),
    await signedInAs(hub, 'bob', [grant('approver')]),
  ]
  const address = await ask(ada)
  const page = (await ada.get(address)).text
  expect(page).toContain('awaiting approval')
  expect(page).toContain('<bdi>shop</bdi> 1 → <bdi>production</bdi>')
  expect(page).toContain(`action="${address}/cancel"`)
  expect((await ada.get('/promotions?state=open')).text).toContain(`href="${address}"`)
  expect((await ada.get('/promotions?state=ended')).text).not.toContain(address)

  const refused = await sendForm(hub, ada, `${address}/approve`, { comment: '' })
  expect(refused.status).toBe(403)
  expect(refused.text).toContain('<div class="notice refused" role="alert">')
  expect(refused.text).toContain('somebody else must approve it')

  const atBob = (await bob.get(address)).text
  expect(atBob).toContain(`action="${address}/approve"`)
  expect(atBob).not.toContain(`action="${address}/cancel"`)
  const approved = await sendForm(hub, bob, `${address}/approve`, { comment: HOSTILE })
  expect([approved.status, approved.headers['location']]).toEqual([303, `${address}?done=approved`])
  const after = (await bob.get(`${address}?done=approved`)).text
  expect(after).toContain('You have approved it.')
  expect(after).toContain('released')
  expect(after).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;alert(1)')
  expect(after).not.toContain(HOSTILE)
  expect(after).not.toContain('/approve"')
})

test('rejecting and cancelling ask for a reason, which the page then shows', async () => {
  await using hub = await createTestHub()
  await hubWithApprovals(hub)
  const ada = await signedInAs(hub, 'ada', [grant('release-manager')])
  for (const [verb, word] of [
    ['reject', 'Rejected'],
    ['cancel', 'Cancelled'],
  ] as const) {
    const address = await ask(ada)
    const without = await sendForm(hub, ada, `${address}/${verb}`, { reason: ' ' })
    expect(without.status).toBe(400)
    expect(without.text).toContain('say why')
    expect((await ada.get(address)).text).toContain('awaiting approval')
    const done = await sendForm(hub, ada, `${address}/${verb}`, { reason: 'orders are <b>charged</b>' })
    expect(done.status).toBe(303)
    expect((await ada.get(address)).text).toContain(`${word} by ada: orders are &lt;b&gt;charged&lt;/b&gt;`)
    const again = await sendForm(hub, ada, `${address}/${verb}`, { reason: 'once more' })
    expect(again.status).toBe(409)
    expect(again.text).toContain('ask for a new one')
  }
})

test('a form counts only from a page of the session, and a token sends none', async () => {
  await using hub = await createTestHub()
  await hubWithApprovals(hub)
  const [ada, bob] = [
    await signedInAs(hub, 'ada', [grant('release-manager')]),
    await signedInAs(hub, 'bob', [grant('approver')]),
  ]
  const address = await ask(ada)
  const forged = await sendForm(hub, bob, `${address}/approve`, { csrf: await ada.csrf() })
  expect([forged.status, forged.type]).toEqual([403, 'text/html'])
  expect(forged.text).toContain('auth.csrf')
  const byToken = await hub.as().post(`${address}/reject`).type('form').send({ reason: 'no' })
  expect(byToken.status).toBe(403)
  expect((await hub.as().get(address)).text).toContain('awaiting approval')
  expect((await hub.as().get(address)).text).not.toContain('<form class="action"')
  const nobody = await openBrowser(hub).get(address)
  expect([nobody.status, nobody.headers['location']]).toEqual([
    303,
    `/sign-in?next=${encodeURIComponent(address)}`,
  ])
})

test('people see what they may see, and decide where they may', async () => {
  await using hub = await createTestHub()
  await hubWithApprovals(hub)
  const ada = await signedInAs(hub, 'ada', [grant('release-manager')])
  const address = await ask(ada)
  const developer = await signedInAs(hub, 'dev', [grant('developer', { apps: ['shop'] })])
  expect((await developer.get(address)).text).toContain('awaiting approval')
  expect((await developer.get(address)).text).not.toContain('<form class="action"')
  const other = await signedInAs(hub, 'other', [grant('developer', { apps: ['cart'] })])
  expect((await other.get('/promotions')).text).not.toContain(address)
  const hidden = await send(hub.url, {
    path: address,
    token: await hub.token('developer', { apps: ['cart'] }),
    headers: { Accept: 'text/html' },
  })
  expect([hidden.status, hidden.text.includes('promotion.unknown')]).toEqual([404, true])
  const elsewhere = await signedInAs(hub, 'eve', [grant('approver', { environments: ['staging'] })])
  expect((await elsewhere.get(address)).text).not.toContain('<form class="action"')
  expect((await sendForm(hub, elsewhere, `${address}/approve`, {})).status).toBe(403)
})

test('a release set shows its members, with the rules of each, and an emergency is seen as one', async () => {
  await using hub = await createTestHub()
  await hubWithApprovals(hub)
  await uploadStaged(hub, 'cart', 7)
  const ada = await signedInAs(hub, 'ada', [grant('administrator')])
  const set = [
    { app: 'shop', build: 1 },
    { app: 'cart', build: 7 },
  ]
  const address = await ask(ada, { set })
  const page = (await ada.get(address)).text
  expect(page).toContain('<strong><bdi>shop 1</bdi></strong>')
  expect(page).toMatch(/<a href="\/promotions\/pro_\w+"><bdi>cart 7<\/bdi><\/a>/)
  expect(page).toMatch(/<bdi>cart 7: [^<]+<\/bdi>/)
  expect((await ada.get('/promotions')).text).toContain('with 1 more')
  const override = { reason: 'the shop is down' }
  const sent = { app: 'shop', build: 1, environment: 'production', override }
  const urgent = await ada.send('post', '/api/v1/promotions', sent)
  expect(urgent.status, urgent.text).toBe(201)
  const shown = (await ada.get(`/promotions/${(urgent.body as { id: string }).id}`)).text
  expect(shown).toMatch(/class="state urgent">.*emergency/)
  expect(shown).toContain('the shop is down')
})

test('the list is narrowed, leads on page by page, and refuses what it does not know', async () => {
  await using hub = await createTestHub()
  for (const build of [1, 2, 3]) await uploadStaged(hub, 'shop', build)
  await uploadStaged(hub, 'cart', 1)
  const rows = (text: string) =>
    [...text.matchAll(/href="\/promotions\/pro_\w+"><bdi>([^<]+)</g)].map(([, name]) => name)
  const first = (await hub.as().get('/promotions?app=shop&limit=2')).text
  expect(rows(first)).toEqual(['shop 3', 'shop 2'])
  const next = /<a href="([^"]+)" rel="next"/.exec(first)?.[1]?.replaceAll('&amp;', '&') ?? ''
  const second = (await hub.as().get(next)).text
  expect(rows(second)).toEqual(['shop 1'])
  expect(second).not.toContain('rel="next"')
  expect(rows((await hub.as().get('/promotions?environment=production')).text)).toEqual([])
  const wrong = await hub.as().get('/promotions?state=open%22%3E%3Cb%3E').set('Accept', 'text/html')
  expect([wrong.status, wrong.text.includes('request.invalid')]).toEqual([400, true])
})
