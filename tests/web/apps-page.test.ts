/** The list of apps, and the page of one. */
import { expect, test } from 'vitest'
import { CHEAP, signedInAs } from '../support/browser.ts'
import type { Browser } from '../support/browser.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm, textOf } from './support.ts'

const upload = async (hub: TestHub, app: string, build: number, fields = {}) => {
  const sent = { build: String(build), version: `1.${String(build)}.0`, ...fields }
  const reply = await hub.upload(app, tarball({ [`${app}/run`]: 'x'.repeat(build) }), sent)
  expect(reply.status, reply.text).toBe(201)
}
const page = async (hub: TestHub, path: string, token?: string) =>
  await send(hub.url, { path, headers: AS_BROWSER, ...(token !== undefined && { token }) })
const holdsOf = async (browser: Browser) =>
  (
    (await browser.get('/api/v1/holds?app=shop')).body as {
      items: { id: string; environment: string | null }[]
    }
  ).items

test('apps are listed, looked for by name, and page by page', async () => {
  await using hub = await createTestHub()
  for (const app of ['cart', 'shop', 'shop-admin']) await upload(hub, app, 3)
  const all = textOf((await page(hub, '/apps')).text)
  for (const app of ['cart', 'shop', 'shop-admin']) expect(all).toContain(app)
  const found = (await page(hub, '/apps?q=shop')).text
  expect(found).toContain('href="/apps/shop-admin"')
  expect(found).not.toContain('href="/apps/cart"')
  expect(found).toMatch(/name="q"\s+value="shop"/)
  const first = (await page(hub, '/apps?q=shop&limit=1')).text
  expect(first).toContain('href="/apps?q=shop&amp;limit=1&amp;cursor=shop" rel="next"')
  const none = (await page(hub, '/apps?q=%3Cb%3E')).text
  expect(textOf(none)).toContain('No app that you may see has this in its name.')
  expect(none).not.toContain('<b>')
})

test('an app shows its builds, newest first, with the road of each and its size', async () => {
  await using hub = await createTestHub()
  for (const build of [1, 2, 3])
    await upload(hub, 'shop', build, { commit: 'c0ffee0123456789', branch: 'main' })
  const check = { stage: 'commit', name: 'unit', status: 'failed' }
  await hub.as().post('/api/v1/apps/shop/builds/3/checks').send(check)
  await hub.promote('shop', 2, 'production')
  await hub.as().post('/api/v1/apps/shop/builds/1/yank').send({ reason: 'eats orders' })
  const { text } = await page(hub, '/apps/shop')
  const shown = textOf(text)
  expect(shown).toMatch(/commit failed in staging .*in staging in production .*in staging yanked/)
  expect(shown.indexOf('1.3.0')).toBeLessThan(shown.indexOf('1.1.0'))
  expect(text).toContain('c0ffee0123</code>')
  for (const chart of ['Size of the tarball', 'From upload to staging', 'From upload to production'])
    expect(text).toContain(`aria-label="${chart}: 3 bars`)
  // Two of them never came to production.
  expect(text.match(/<rect/g)).toHaveLength(3 + 3 + 1)
  expect(text).toMatch(/<span id="hld_[a-z0-9]+"><span class="state bad">/)
  expect(shown).toContain('eats orders')
  expect(shown).toContain('It trusts no CI')
  expect(text).not.toContain('method="post"')
})

test('the charts have axes, and their numbers as text', async () => {
  await using hub = await createTestHub()
  await upload(hub, 'shop', 1)
  hub.clock.set('2026-01-02T04:34:05Z')
  await upload(hub, 'shop', 2)
  await hub.promote('shop', 1, 'production')
  const { text } = await page(hub, '/apps/shop')
  const chart = text.slice(text.indexOf('From upload to production'))
  expect(textOf(chart)).toMatch(/^From upload to production 1.5 h 45 min 0 s build 1: 1.5 h/)
  expect(textOf(chart)).toContain('in numbers build 1: 1.5 h build 2: not there')
  expect(chart).toMatch(/role="img"\s+aria-label="From upload to production: 2 bars, the highest 1.5 h"/)
})

test('the builds that changed the recipe are named, with what they changed', async () => {
  await using hub = await createTestHub()
  const described = (word: string) => ({ recipe: `description: A ${word} shop\n` })
  await upload(hub, 'shop', 1, described('small'))
  await upload(hub, 'shop', 2, described('small'))
  await upload(hub, 'shop', 3, described('<b>large</b>'))
  const whole = await page(hub, '/apps/shop')
  const recipe = whole.text.slice(whole.text.indexOf('id="recipe"'))
  expect(textOf(recipe)).toContain('Of build 3, sent with the upload')
  expect(textOf(recipe)).toMatch(/Build 3 changed it .* by HUB_ADMIN_TOKEN/)
  expect(recipe).not.toMatch(/Build 2<|Build 1</)
  expect(recipe).toMatch(/class="removed">-description: A small shop/)
  expect(recipe).toMatch(/class="added">\+description: A &lt;b&gt;large&lt;\/b&gt; shop/)
  // The page ends between the two builds: what is on the next one still counts.
  const newest = (await page(hub, '/apps/shop?limit=1')).text
  expect(textOf(newest)).toContain('Build 3 changed it')
  const none = textOf((await page(hub, '/apps/shop?limit=2&cursor=3')).text)
  expect(none).toContain('No build from 1 to 2 changed it.')
  expect((await page(hub, '/apps/shop?q=1.3')).text).not.toContain('id="recipe"')
})

test('an app shows what its builds need where, and which of them are pinned', async () => {
  await using hub = await createTestHub()
  for (const build of [1, 2]) await upload(hub, 'shop', build)
  const policy = { promote: 'request', checks: { commit: ['unit'], acceptance: [], manual: [] } }
  await hub.as().put('/api/v1/environments/production/policy').send(policy)
  for (const build of [1, 2])
    await hub
      .as()
      .post(`/api/v1/apps/shop/builds/${String(build)}/pin`)
      .send({ reason: '<i>shown' })
  const { text } = await page(hub, '/apps/shop')
  const policies = textOf(text.slice(text.indexOf('id="policies"')))
  expect(policies).toMatch(
    /staging Every upload .* production .* The commit check &quot;unit&quot; must have passed/,
  )
  expect(textOf(text)).toContain('Every build is kept, by the rules of the hub.')
  const rules = { keepNewest: 20, keepDays: 30, keepRevisions: 10 }
  expect((await hub.as().put('/api/v1/apps/shop/retention').send(rules)).status).toBe(200)
  expect(textOf((await hub.as().get('/apps/shop')).text)).toContain(
    'Kept are the 20 newest and those younger than 30 days, and what is in use, by rules of its own.',
  )
  const pinned = text.slice(text.indexOf('id="retention"'))
  expect(pinned).toMatch(/href="\/apps\/shop\/builds\/2"[^]*&lt;i&gt;shown[^]*href="\/apps\/shop\/builds\/1"/)
  const reader = await hub.token('reader', { environments: ['staging'] })
  const seen = textOf((await page(hub, '/apps/shop', reader)).text)
  expect(seen).toContain('What its builds need staging')
  expect(seen).not.toContain('production')
})

test('a build that is not there to be seen is not shown, nor are trusted CIs, nor apps of others', async () => {
  await using hub = await createTestHub()
  for (const build of [1, 2]) await upload(hub, 'shop', build)
  await upload(hub, 'cart', 1)
  await hub.promote('shop', 1, 'production')
  const reader = await hub.token('reader', { environments: ['production'] })
  const { text } = await page(hub, '/apps/shop', reader)
  expect(text).toContain('href="/apps/shop/builds/1"')
  expect(text).not.toContain('href="/apps/shop/builds/2"')
  expect(textOf(text)).not.toMatch(/in staging|Trusted/)
  const other = await page(hub, '/apps/cart', reader)
  expect(other.status).toBe(404)
  expect(other.text).toContain('<code>app.unknown</code>')
})

test('whoever may promote holds an app and lifts the hold, each for a reason', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub, 'shop', 1)
  const browser = await signedInAs(hub, 'ada')
  const held = await sendForm(hub, browser, '/apps/shop/hold', {
    environment: 'production',
    reason: 'the sale',
  })
  expect([held.status, held.headers['location']]).toEqual([303, '/apps/shop?done=held#holds'])
  const [hold] = await holdsOf(browser)
  expect(hold).toMatchObject({ environment: 'production' })
  const lift = `/apps/shop/holds/${hold?.id ?? ''}/lift`
  const shown = await browser.agent.get('/apps/shop').set(AS_BROWSER)
  expect(shown.text).toContain(`action="${lift}"`)
  const unsaid = await sendForm(hub, browser, lift, {})
  expect(unsaid.status).toBe(400)
  expect(unsaid.text).toMatch(/class="notice refused"[^]*reason/)
  expect(await holdsOf(browser)).toHaveLength(1)
  expect((await sendForm(hub, browser, lift, { reason: 'it is over' })).status).toBe(303)
  expect(await holdsOf(browser)).toEqual([])
})

test('a form that no page of the hub made changes nothing; nor does one of somebody who may not', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub, 'shop', 1)
  const browser = await signedInAs(hub, 'ada')
  const forged = await sendForm(hub, browser, '/apps/shop/hold', { reason: 'x', csrf: 'forged' })
  expect(forged.status).toBe(403)
  expect(forged.text).toContain('auth.csrf')
  const developer = await signedInAs(hub, 'dan', [{ role: 'developer', apps: ['shop'], environments: null }])
  const seen = await developer.agent.get('/apps/shop').set(AS_BROWSER)
  expect(seen.text).not.toContain('/apps/shop/hold')
  const refused = await sendForm(hub, developer, '/apps/shop/hold', { reason: 'x' })
  expect(refused.status).toBe(403)
  expect(textOf(refused.text)).toContain('may not promote')
  expect(await holdsOf(browser)).toEqual([])
})

test('words of others stay words', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub, 'shop', 1, { commit: '"><script>1</script>', branch: '<i>main' })
  const description = '<script>alert(1)</script>'
  await hub.as().patch('/api/v1/apps/shop').send({ description })
  await hub.as().post('/api/v1/holds').send({ app: 'shop', reason: '"><img src=x>' })
  for (const path of ['/apps', '/apps/shop']) {
    const { text } = await page(hub, path)
    expect(text).toContain('<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>')
    expect(text.match(/<script/g)).toEqual(['<script'])
    expect(text).not.toMatch(/<img|<i>/)
  }
})
