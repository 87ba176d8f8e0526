/** The page of the audit: what was done by whom, narrowed, followed to and fro, exported; and the chain, whole and broken. */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { ALL, signedInAs } from '../support/browser.ts'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm, textOf } from './support.ts'

async function hubWithChanges(hub: TestHub): Promise<void> {
  const upload = await hub.upload('shop', tarball({ 'shop/run': '1' }), { build: '1', version: '1.0.0' })
  expect(upload.status, upload.text).toBe(201)
  const hold = { app: 'shop', reason: 'the <b>tills</b> stand still' }
  const held = await hub.as().post('/api/v1/environments/production/holds').send(hold)
  expect(held.status, held.text).toBe(201)
  for (const name of ['one', 'two', 'three']) await hub.token('reader', { name })
}

const linkOf = (page: string, rel: 'next' | 'prev') =>
  new RegExp(`<a href="([^"]+)" rel="${rel}"`).exec(page)?.[1]?.replaceAll('&amp;', '&') ?? null
const seqsOf = (page: string) =>
  [...page.matchAll(/aria-label="Details of record (\d+)"/g)].map(([, seq]) => Number(seq))

test('each change is a sentence that leads to what was changed, with all that is known of it', async () => {
  await using hub = await createTestHub()
  await hubWithChanges(hub)
  const { status, text } = await hub.as().get('/audit')
  expect(status).toBe(200)
  expect(text).toContain('<a href="/apps/shop"><bdi>shop is held in production</bdi></a>')
  expect(text).toContain('<bdi>the &lt;b&gt;tills&lt;/b&gt; stand still</bdi>')
  expect(textOf(text)).toContain('the token &quot;two&quot; is made by HUB_ADMIN_TOKEN')
  const { body } = await hub.as().get('/api/v1/audit?type=hold.set')
  const [{ id, hash, requestId }] = (body as { items: [Record<'id' | 'hash' | 'requestId', string>] }).items
  expect(text).toContain(`<code>${id}</code>`)
  expect(text).toContain(`<code title="${hash}">`)
  expect(text).toContain(`<code>${requestId}</code>`)
  expect(text).not.toContain('<b>tills')
})

test('what was before and after stands side by side', async () => {
  await using hub = await createTestHub()
  const anna = (await hub.as().post('/api/v1/people').send({ name: 'anna' })).body as { id: string }
  await hub.as().patch(`/api/v1/people/${anna.id}`).send({ fullName: 'Anna <i>Berg' })
  const page = (await hub.as().get('/audit?type=person.changed')).text
  expect(page).toMatch(
    /<bdi>fullName<\/bdi>(?:(?!<\/tr>)[^])*data-title="Before"(?:(?!<\/td>)[^])*none(?:(?!<\/tr>)[^])*data-title="After"(?:(?!<\/td>)[^])*<bdi>Anna &lt;i&gt;Berg<\/bdi>/,
  )
})

test('filters narrow it as the API does, and say what they are in the export and in every link', async () => {
  await using hub = await createTestHub()
  await hubWithChanges(hub)
  const all = (await hub.as().get('/audit?limit=500')).text
  const some = (await hub.as().get('/audit?type=token.created&actor=HUB_ADMIN_TOKEN&limit=2')).text
  expect(seqsOf(some)).toHaveLength(2)
  expect(some).toContain('<option value="token.created" selected>')
  expect(some).toContain('href="/api/v1/audit/export?actor=HUB_ADMIN_TOKEN&amp;type=token.created"')
  const older = linkOf(some, 'next') ?? ''
  expect(older).toContain('type=token.created')
  const second = (await hub.as().get(older)).text
  expect(Math.max(...seqsOf(second))).toBeLessThan(Math.min(...seqsOf(some)))
  const newer = linkOf(second, 'prev') ?? ''
  expect(seqsOf((await hub.as().get(newer)).text)).toEqual(seqsOf(some))
  expect(linkOf(some, 'prev')).toBe(null)
  expect(seqsOf(all).length).toBeGreaterThan(4)
  expect((await hub.as().get('/audit?environment=production')).text).toContain('shop is held')
  expect((await hub.as().get('/audit?until=2026-01-01')).text).toContain('Nothing in the audit is as')
  expect((await hub.as().get('/audit?since=2026-01-02T00:00:00Z')).text).toContain(
    'value="2026-01-02T00:00:00Z"',
  )
  const exported = await send(hub.url, { path: '/api/v1/audit/export?type=token.created' })
  expect(exported.text.trim().split('\n')).toHaveLength(4)
  for (const wrong of ['type=none', 'since=soon', 'after=x', 'cursor=x']) {
    const refused = await hub.as().get(`/audit?${wrong}`).set(AS_BROWSER)
    expect([refused.status, refused.text.includes('request.invalid')], wrong).toEqual([400, true])
  }
})

test('newer goes one page at a time, and ends at the newest', async () => {
  await using hub = await createTestHub()
  await hubWithChanges(hub)
  const newest = seqsOf((await hub.as().get('/audit?limit=2')).text)
  const { text } = await hub.as().get('/audit?limit=2&after=1')
  expect(seqsOf(text)).toEqual([3, 2])
  expect(seqsOf((await hub.as().get(linkOf(text, 'next') ?? '')).text)).toEqual([1])
  const last = (await hub.as().get(`/audit?limit=2&after=${String(newest[1])}`)).text
  expect([seqsOf(last), linkOf(last, 'prev')]).toEqual([newest, null])
})

test('the chain is followed when somebody asks, and says up to where it is whole', async () => {
  await using hub = await createTestHub()
  const ada = await signedInAs(hub, 'ada')
  expect(textOf((await ada.get('/audit')).text)).toContain('not verified since this hub started. It has')
  const reply = await sendForm(hub, ada, '/audit/verify', {})
  expect([reply.status, reply.headers['location']]).toEqual([303, '/audit?done=followed'])
  const { seq, hash } = await hub.hub.records.audit.head()
  const page = (await ada.get('/audit?done=followed')).text
  expect(textOf(page)).toContain(`whole up to record ${String(seq)}, verified now`)
  expect(page).toContain(`data-copy="${String(seq)}:${hash}"`)
  await hub.token('reader')
  expect(textOf((await ada.get('/audit')).text)).toContain('; 1 record came since')
})

test('a broken chain is told with the place, what it means and what to do', async () => {
  await using hub = await createTestHub()
  await hubWithChanges(hub)
  const database = new Database(join(hub.directory, 'var/hub.db'))
  database.exec("drop trigger audit_no_update; update audit set actor = 'nobody' where seq = 3")
  database.close()
  expect((await hub.as().get('/api/v1/audit/verify')).body).toMatchObject({ ok: false })
  const page = (await hub.as().get('/audit')).text
  expect(page).toContain('<span class="state bad">')
  expect(textOf(page)).toContain('broken at record 3')
  expect(textOf(page)).toContain('Record 3: it is not what it was when it was written')
  expect(page).not.toContain('class="state good"')
})

test('it is for administrators alone: others are refused, and not offered it', async () => {
  await using hub = await createTestHub()
  const reader = await signedInAs(hub, 'reader', [{ role: 'release-manager', ...ALL }])
  expect((await reader.agent.get('/audit').set(AS_BROWSER)).status).toBe(403)
  expect((await sendForm(hub, reader, '/audit/verify', {})).status).toBe(403)
  expect(hub.hub.chainWatch.last).toBe(null)
  expect((await reader.get('/apps')).text).not.toContain('Administration')
  const ada = await signedInAs(hub, 'ada')
  expect((await ada.get('/apps')).text).toContain('<a href="/audit" >Audit</a>')
  expect((await sendForm(hub, ada, '/audit/verify', { csrf: 'x' })).status).toBe(403)
})
