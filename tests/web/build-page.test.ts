/** The page of a build: its line, the verdicts, and the forms that let it go on or stop it. */
import { expect, test } from 'vitest'
import { ALL, CHEAP, signedInAs } from '../support/browser.ts'
import type { Browser } from '../support/browser.ts'
import { packageOf, reportOf } from '../support/node-reports.ts'
import { send } from '../support/raw-http.ts'
import { POINT } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm, textOf } from './support.ts'

const PAGE = '/apps/shop/builds/45'

const upload = async (hub: TestHub, build = 45, fields = {}) => {
  const sent = { build: String(build), version: `1.${String(build)}.0`, ...fields }
  const reply = await hub.upload('shop', tarball({ 'shop/run': String(build) }), sent)
  expect(reply.status, reply.text).toBe(201)
  return (reply.body as { readonly cpv: string }).cpv
}
const policy = async (hub: TestHub, environment: string, wanted: object) => {
  const reply = await hub.as().put(`/api/v1/environments/${environment}/policy`).send(wanted)
  expect(reply.status, reply.text).toBe(200)
}
const look = async (browser: Browser) => (await browser.agent.get(PAGE).set(AS_BROWSER)).text
const promotions = async (hub: TestHub) =>
  (
    (await hub.as().get('/api/v1/promotions?environment=production')).body as {
      items: { id: string; state: string; overrideReason: string | null; requestedBy: string }[]
    }
  ).items

/** A restore point of web-1 that is complete, as its node would have sent it. */
async function addPoint({ hub }: TestHub, cpv: string): Promise<void> {
  const at = '2026-01-02T03:04:05Z'
  await hub.records.restorePoints.add(
    {
      ...{ node: 'web-1', id: POINT, app: 'shop', cpv, reason: 'upgrade', state: 'complete', refusal: null },
      ...{ takenAt: at, announcedAt: at, activeAt: at, completedAt: at, keptAt: null, encrypted: 0 },
      ...{ hubNode: '1.0.0', schemaVersion: null, announcementSha256: '0'.repeat(64) },
      ...{ rehearsedAt: null, rehearsalOk: null, rehearsalDetail: null },
    },
    [],
  )
}

test('one page has the whole line: commit, job, tarball, ebuild, checks, promotions, approvals, releases, nodes, restore points', async () => {
  await using hub = await createTestHub()
  const ci = await hub.token('developer')
  const cpv = await upload(hub, 45, {
    ...{ commit: 'c0ffee0123456789', branch: 'main', ciUrl: 'https://ci.example/job/7?a=1&b=2' },
  })
  const check = { stage: 'commit', name: 'unit', status: 'passed', summary: '412 tests' }
  await hub
    .as(ci)
    .post('/api/v1/apps/shop/builds/45/checks')
    .send({ ...check, status: 'failed' })
  await hub.as(ci).post('/api/v1/apps/shop/builds/45/checks').send(check)
  await policy(hub, 'production', { approvals: { count: 1, roles: ['approver'] } })
  const { id } = (await hub.promote('shop', 45, 'production')).body as { id: string }
  const approver = await hub.tokenOf('eve', 'approver')
  await hub.as(approver).post(`/api/v1/promotions/${id}/approve`).send({ comment: 'looked at it' })
  const node = await hub.as().post('/api/v1/nodes').send({ name: 'web-1', environment: 'production' })
  const report = reportOf([], { packages: [packageOf(cpv, { repo: 'hub-production' })] })
  await hub
    .as((node.body as { token: string }).token)
    .post('/api/v1/nodes/web-1/report')
    .send(report)
  await addPoint(hub, cpv)
  const { text } = await send(hub.url, { path: PAGE, headers: AS_BROWSER })
  const shown = textOf(text)
  expect(text).toContain('data-copy="c0ffee0123456789"')
  expect(text).toContain('href="https://ci.example/job/7?a=1&amp;b=2"')
  expect(shown).toContain(cpv)
  expect(shown).toContain('failed run again since')
  expect(shown).toContain('412 tests')
  expect(text).toContain(`href="/promotions/${id}"`)
  expect(shown).toMatch(/approved now by eve : looked at it/)
  expect(shown).toMatch(/production revision \d+ released/)
  const [, revision = ''] = /href="(\/environments\/production\/revisions\/\d+)"/.exec(text) ?? []
  expect((await send(hub.url, { path: revision, headers: AS_BROWSER })).text).toContain(`add 1.45.0_p45`)
  expect(text).toContain('href="/nodes/web-1"')
  expect(shown).toMatch(/Restore points web-1 rp_20260102T030405Z_k3j9x2 taken/)
  const { text: ebuild } = await hub.as().get('/api/v1/apps/shop/builds/45/ebuild')
  expect(ebuild).toContain('EAPI=8')
  expect(shown).toContain('DESCRIPTION= &#39;shop (published by Portage Hub)&#39;')
  expect(text).toContain('<span class="hljs-comment">')
  expect(shown).toMatch(/DIST hub-shop-1\.45\.0_p45\.tar\.gz \d+ BLAKE2B [0-9a-f]{128} SHA512 [0-9a-f]{128}/)
  // Who comes with a token has no form to send.
  expect(text).not.toContain('method="post"')
})

test('whoever may approve does so on the page, and comes back to it', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub)
  await policy(hub, 'production', { approvals: { count: 2, roles: ['administrator', 'approver'] } })
  const asking = await signedInAs(hub, 'ada')
  await sendForm(hub, asking, `${PAGE}/promote`, { environment: 'production' })
  const [waiting] = await promotions(hub)
  const address = `${PAGE}/promotions/${waiting?.id ?? ''}`
  const approver = await signedInAs(hub, 'eve', [{ role: 'approver', ...ALL }])
  const page = await look(approver)
  expect(page).toContain(`action="${address}/approve"`)
  expect(page).toContain('aria-label="Reject… shop 45 in production"')
  expect(page).not.toContain(`${address}/cancel`)
  const approved = await sendForm(hub, approver, `${address}/approve`, { comment: 'seen <b>' })
  expect([approved.status, approved.headers['location']]).toEqual([303, `${PAGE}?done=approved`])
  expect(textOf(await look(approver))).toContain('approved now by eve : seen &lt;b&gt;')
  const own = await sendForm(hub, asking, `${address}/approve`, {})
  expect([own.status, own.text.includes('notice refused')]).toEqual([403, true])
  const unsaid = await sendForm(hub, approver, `${address}/reject`, {})
  expect(unsaid.status).toBe(400)
  const rejected = await sendForm(hub, approver, `${address}/reject`, { reason: 'the till is slow' })
  expect(rejected.headers['location']).toBe(`${PAGE}?done=rejected`)
  expect(await promotions(hub)).toMatchObject([{ state: 'refused' }])
  await sendForm(hub, asking, `${PAGE}/promote`, { environment: 'production' })
  const [second] = await promotions(hub)
  expect(await look(asking)).toContain('aria-label="Cancel… shop 45 in production"')
  const end = `${PAGE}/promotions/${second?.id ?? ''}/cancel`
  expect((await sendForm(hub, approver, end, { reason: 'no' })).status).toBe(403)
  const cancelled = await sendForm(hub, asking, end, { reason: 'not now' })
  expect(cancelled.headers['location']).toBe(`${PAGE}?done=cancelled`)
})

test('a release is withdrawn for a reason where it stands, and published again when it is asked for', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub)
  const browser = await signedInAs(hub, 'ada')
  const page = await look(browser)
  expect(page).toContain('>Withdraw shop build 45 from staging<')
  expect(page).not.toContain('>Withdraw shop build 45 from production<')
  const [, release = ''] = /name="release" value="([^"]+)"/.exec(page) ?? []
  const fields = { environment: 'staging', release }
  const unsaid = await sendForm(hub, browser, `${PAGE}/withdraw`, fields)
  expect(unsaid.status).toBe(400)
  const reply = await sendForm(hub, browser, `${PAGE}/withdraw`, { ...fields, reason: 'it <i>crashes' })
  expect([reply.status, reply.headers['location']]).toEqual([303, `${PAGE}?done=withdrawn`])
  const after = await look(browser)
  expect(textOf(after)).toMatch(/withdrawn now by ada by revision \d+ : it &lt;i&gt;crashes/)
  expect(after).not.toContain('>Withdraw shop build 45 from staging<')
  expect(after).toContain('Publish again shop build 45 to staging')
  const twice = await sendForm(hub, browser, `${PAGE}/withdraw`, { ...fields, reason: 'again' })
  expect([twice.status, twice.text.includes('notice refused')]).toEqual([409, true])
})

test('the buttons are those that the verdict allows, and do what they say', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub)
  await policy(hub, 'production', { checks: { acceptance: ['functional'] } })
  const browser = await signedInAs(hub, 'ada')
  const before = await look(browser)
  expect(before).toContain('Ask to promote shop build 45 to production')
  expect(textOf(before)).toContain('not yet: 1 unmet')
  expect(textOf(before)).toContain('The acceptance check &quot;functional&quot; was never reported.')
  expect(before).not.toContain('shop build 45 to staging')
  const check = { stage: 'acceptance', name: 'functional', status: 'passed' }
  await hub.as().post('/api/v1/apps/shop/builds/45/checks').send(check)
  expect(await look(browser)).toContain('>Promote shop build 45 to production<')
  const sent = await sendForm(hub, browser, `${PAGE}/promote`, { environment: 'production' })
  expect([sent.status, sent.headers['location']]).toEqual([303, `${PAGE}?done=released`])
  expect(await promotions(hub)).toMatchObject([{ state: 'released', requestedBy: 'ada' }])
  expect(await look(browser)).not.toContain('to production</button>')
})

test('an emergency is a reason and the right to it', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub)
  const override = { roles: ['administrator'] }
  await policy(hub, 'production', { checks: { acceptance: ['functional'] }, override })
  const manager = await signedInAs(hub, 'max', [{ role: 'release-manager', ...ALL }])
  expect(await look(manager)).not.toContain('Emergency')
  const fields = { environment: 'production', override: 'the tills stand still' }
  const refused = await sendForm(hub, manager, `${PAGE}/promote`, fields)
  expect(refused.status).toBe(403)
  expect(textOf(refused.text)).toContain('only the role administrator may skip the waiting')
  expect(await promotions(hub)).toEqual([])
  const browser = await signedInAs(hub, 'ada')
  expect(await look(browser)).toContain('Release shop build 45 to production without waiting')
  expect((await sendForm(hub, browser, `${PAGE}/promote`, fields)).status).toBe(303)
  expect(await promotions(hub)).toMatchObject([{ overrideReason: fields.override }])
  expect(textOf(await look(browser))).toContain('emergency: released')
})

test('what is refused is told on the page, with every rule', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub)
  const browser = await signedInAs(hub, 'ada')
  const hold = { environment: 'production', reason: 'the <b>sale</b>' }
  expect((await sendForm(hub, browser, `${PAGE}/hold`, hold)).headers['location']).toBe(`${PAGE}?done=held`)
  expect(await look(browser)).not.toContain('Promote shop build 45 to production')
  const reply = await sendForm(hub, browser, `${PAGE}/promote`, { environment: 'production' })
  expect(reply.status).toBe(409)
  expect(reply.text).toMatch(/class="notice refused"[^]*the &lt;b&gt;sale&lt;\/b&gt;/)
  expect(textOf(reply.text)).toContain('It is released in staging.')
  const masked = await sendForm(hub, browser, `${PAGE}/hold`, { mask: 'true', reason: 'x' })
  expect(masked.status).toBeGreaterThanOrEqual(400)
  expect(textOf(masked.text)).toContain('a mask is of one build in one environment')
})

test('a build is yanked, pinned, and neither any more, each for a reason', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub)
  const browser = await signedInAs(hub, 'ada')
  for (const [verb, after] of [
    ['yank', 'Unyank shop build 45'],
    ['pin', 'Unpin shop build 45'],
    ['unyank', 'Yank shop build 45'],
    ['unpin', 'Pin shop build 45'],
  ] as const) {
    const unsaid = await sendForm(hub, browser, `${PAGE}/${verb}`, {})
    expect(unsaid.status).toBe(400)
    const reply = await sendForm(hub, browser, `${PAGE}/${verb}`, { reason: `for ${verb}` })
    expect([reply.status, reply.headers['location']]).toEqual([
      303,
      `${PAGE}?done=${verb}${verb.endsWith('n') ? 'ned' : 'ed'}`,
    ])
    expect(await look(browser)).toContain(`>${after}</button>`)
  }
})

test('no form without the page’s own mark, nor of somebody who may only look', async () => {
  await using hub = await createTestHub({}, CHEAP)
  await upload(hub)
  const developer = await signedInAs(hub, 'dan', [{ role: 'developer', apps: ['shop'], environments: null }])
  const text = await look(developer)
  expect(text).toContain('<h1>shop build 45</h1>')
  expect(text).not.toContain('method="post"')
  const browser = await signedInAs(hub, 'ada')
  const fields = { environment: 'production', reason: 'x' }
  for (const verb of ['promote', 'hold', 'yank', 'pin', 'unyank', 'unpin', 'withdraw']) {
    expect((await sendForm(hub, developer, `${PAGE}/${verb}`, fields)).status).toBe(403)
    const forged = await sendForm(hub, browser, `${PAGE}/${verb}`, { ...fields, csrf: 'forged' })
    expect([forged.status, forged.text.includes('auth.csrf')]).toEqual([403, true])
  }
  expect(await promotions(hub)).toEqual([])
  const other = await signedInAs(hub, 'eve', [{ role: 'developer', apps: ['cart'], environments: null }])
  expect((await other.agent.get(PAGE).set(AS_BROWSER)).status).toBe(404)
})

test('who sees one environment learns nothing of the others', async () => {
  await using hub = await createTestHub()
  await upload(hub)
  await hub.promote('shop', 45, 'production')
  await hub.as().post('/api/v1/nodes').send({ name: 'web-1', environment: 'production' })
  await addPoint(hub, 'app-hub/shop-1.45.0_p45')
  const reader = await hub.token('reader', { environments: ['production'] })
  const { status, text } = await send(hub.url, { path: PAGE, headers: AS_BROWSER, token: reader })
  expect(status).toBe(200)
  expect(textOf(text)).toMatch(/production revision \d+ released/)
  expect(textOf(text)).not.toMatch(/staging revision|to staging|id="in-staging"/)
  // What a node keeps is not theirs to see.
  expect(text).not.toContain('Restore points')
})

test('words of others stay words', async () => {
  await using hub = await createTestHub()
  const bad = '"><script>alert(1)</script>'
  await upload(hub, 45, { commit: bad, branch: bad, ciUrl: 'https://ci.example/%22%3E<script>' })
  const check = { stage: 'manual', name: bad, status: 'passed', summary: bad }
  await hub.as().post('/api/v1/apps/shop/builds/45/checks').send(check)
  await hub.as().post('/api/v1/apps/shop/builds/45/yank').send({ reason: bad })
  const { text } = await send(hub.url, { path: PAGE, headers: AS_BROWSER })
  expect(text).toContain('&lt;script&gt;alert(1)')
  expect(text.match(/<script/g)).toEqual(['<script'])
})
