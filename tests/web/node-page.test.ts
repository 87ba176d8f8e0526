/** The pages of nodes: the inventory, what one runs and keeps, and sending it back. */
import { expect, test } from 'vitest'
import { signedInAs } from '../support/browser.ts'
import { reportOf } from '../support/node-reports.ts'
import { CPV, POINT, announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { grant, sendForm, textOf } from './support.ts'

const DUMP = { kind: 'dump', name: 'shop.dump', bytes: Buffer.alloc(2048, 'x') } as const

async function upload(hub: TestHub, build: number): Promise<void> {
  const fields = { build: String(build), version: '1.0.0' }
  expect((await hub.upload('shop', tarball({ 'shop/run': String(build) }), fields)).status).toBe(201)
}

async function report(hub: TestHub, node: string, token: string, ...cpvs: readonly string[]): Promise<void> {
  const reply = await hub.as(token).post(`/api/v1/nodes/${node}/report`).send(reportOf(cpvs))
  expect(reply.status, reply.text).toBe(200)
}

/** web1 of staging, which has build 2 and a complete restore point of build 1. */
async function hubWithPoint(hub: TestHub): Promise<void> {
  await upload(hub, 1)
  await upload(hub, 2)
  const token = await enrolNode(hub, 'web1')
  const points = pointsOf(hub, 'web1', token)
  await points.announce(announcementOf([DUMP], { encrypted: true }))
  await points.put(DUMP)
  expect((await points.complete()).status).toBe(200)
  await report(hub, 'web1', token, 'app-hub/shop-1.0.0_p2')
}

const nodesOf = (text: string) => [...text.matchAll(/href="\/nodes\/(\w+)"><bdi>/g)].map(([, name]) => name)

test('without nodes the list says how to make one', async () => {
  await using hub = await createTestHub()
  const { status, text } = await hub.as().get('/nodes')
  expect(status).toBe(200)
  expect(text).toContain(
    `portage-hub token create --role enrol --environment staging --expires-in 1h --url ${hub.url}`,
  )
})

test('the list tells what drifted and who is not seen, and is narrowed by each', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  await upload(hub, 2)
  const tokens = { web1: '', web2: '', web3: '' }
  for (const name of ['web1', 'web2', 'web3'] as const) tokens[name] = await enrolNode(hub, name)
  await enrolNode(hub, 'db1', 'production')
  await report(hub, 'web1', tokens.web1, 'app-hub/shop-1.0.0_p1', 'sys-apps/portage-3.0.82')
  await report(hub, 'web2', tokens.web2, 'app-hub/shop-1.0.0_p2')
  const page = async (query: string) => (await hub.as().get(`/nodes${query}`)).text
  const all = await page('')
  expect(nodesOf(all)).toEqual(['db1', 'web1', 'web2', 'web3'])
  expect(all).toContain('<bdi>shop 1 → 2</bdi>')
  for (const word of ['drifted', 'as wanted', 'no report yet'])
    expect(all).toContain(`aria-hidden="true"></span>${word}</span>`)
  expect(nodesOf(await page('?drifted=true'))).toEqual(['web1'])
  expect(nodesOf(await page('?drifted=false&environment=staging'))).toEqual(['web2', 'web3'])
  expect(nodesOf(await page('?q=WEB%25'))).toEqual([])
  expect(nodesOf(await page('?q=eb2'))).toEqual(['web2'])
  const first = await page('?drifted=false&limit=2')
  expect(nodesOf(first)).toEqual(['db1', 'web2'])
  const next = /<a href="([^"]+)" rel="next"/.exec(first)?.[1]?.replaceAll('&amp;', '&') ?? ''
  const last = (await hub.as().get(next)).text
  expect(nodesOf(last)).toEqual(['web3'])
  expect(last).not.toContain('rel="next"')
  const wrong = await hub.as().get('/nodes?drifted=%3Cb%3E').set('Accept', 'text/html')
  expect([wrong.status, wrong.text.includes('request.invalid')]).toEqual([400, true])
  hub.clock.set('2026-01-04T00:00:00Z')
  expect(await page('?q=web1')).toContain('not seen')
})

test('a node shows what it runs, wants and keeps', async () => {
  await using hub = await createTestHub()
  await hubWithPoint(hub)
  const { text } = await hub.as().get('/nodes/web1')
  expect(text).toContain('<a href="/apps/shop/builds/2"><bdi>app-hub/shop-1.0.0_p2</bdi></a>')
  expect(text).toContain('as wanted')
  expect(text).toContain(`<code>${POINT}</code>`)
  expect(text).toContain('title="2048 bytes">2.0 KiB')
  expect(text).toMatch(/data-title="Rehearsed">(?:(?!data-title)[^])*never<\/span>/)
  expect(text).toContain('None was asked for.')
  // A token has no form to send, and so no way to one.
  expect(text).not.toContain('/rollback?')
  expect((await hub.as().get('/nodes/none').set('Accept', 'text/html')).status).toBe(404)
})

test('its timeline tells what happened to it, to each as far as they may know', async () => {
  await using hub = await createTestHub()
  await hubWithPoint(hub)
  const timelineOf = (text: string): string => {
    const from = text.indexOf('aria-label="Timeline"')
    return textOf(text.slice(from, text.indexOf('</ol>', from)))
  }
  const whole = timelineOf((await hub.as().get('/nodes/web1')).text)
  expect(whole).toMatch(/web1 .*restore point.*web1 is a node in staging/)
  const viewer = await hub.token('release-manager', { environments: ['staging'] })
  const seen = timelineOf((await hub.as(viewer).get('/nodes/web1')).text)
  expect(seen).toContain('web1 is a node in staging')
  expect(seen).not.toContain('restore point')
})

test('a rollback is previewed, confirmed by the name of the node, and taken back', async () => {
  await using hub = await createTestHub()
  await hubWithPoint(hub)
  const ada = await signedInAs(hub, 'ada')
  const link = `/nodes/web1/rollback?app=shop&restorePoint=${POINT}`
  expect((await ada.get('/nodes/web1')).text).toContain(`href="${link.replace('&', '&amp;')}"`)
  const preview = await ada.get(link)
  expect(preview.status).toBe(200)
  expect(preview.text).toContain('<bdi>app-hub/shop-1.0.0_p2</bdi>')
  expect(preview.text).toContain(`<bdi>${CPV}</bdi>`)
  expect(preview.text).not.toContain('loses data')
  expect((await ada.get(`${link}&withDump=true`)).text).toContain('loses data')

  const fields = { app: 'shop', restorePoint: POINT, withDump: 'true', force: 'false' }
  for (const confirm of ['', 'web', 'WEB1']) {
    const refused = await sendForm(hub, ada, '/nodes/web1/rollback', { ...fields, confirm })
    expect(refused.status).toBe(400)
    expect(refused.text).toContain('type the name of the node, web1, to confirm it')
    expect(refused.text).toContain('name="withDump" value="true"')
  }
  expect((await hub.as().get('/api/v1/rollbacks')).body).toMatchObject({ items: [] })
  const done = await sendForm(hub, ada, '/nodes/web1/rollback', { ...fields, confirm: 'web1' })
  expect([done.status, done.headers['location']]).toEqual([303, '/nodes/web1?done=rolled-back'])
  expect((await hub.as().get('/api/v1/rollbacks')).body).toMatchObject({
    items: [{ node: 'web1', restorePoint: POINT, withDump: true, force: false, requestedBy: 'ada' }],
  })
  const again = await ada.get(link)
  expect(again.status).toBe(409)
  expect(again.text).toContain('ada asked for a rollback of shop on web1')
  expect(again.text).not.toContain('name="confirm"')

  const page = (await ada.get('/nodes/web1')).text
  expect(page).toContain('waits for the node')
  const cancel = /action="(\/nodes\/web1\/rollbacks\/rbk_\w+\/cancel)"/.exec(page)?.[1] ?? ''
  expect((await sendForm(hub, ada, cancel, {})).headers['location']).toBe('/nodes/web1?done=cancelled')
  expect((await hub.as().get('/api/v1/rollbacks')).body).toMatchObject({
    items: [{ state: 'cancelled', detail: 'by ada' }],
  })
})

test('who sees the inventory sees neither what a node keeps nor a way to send it back', async () => {
  await using hub = await createTestHub()
  await hubWithPoint(hub)
  await enrolNode(hub, 'db1', 'production')
  const reader = await signedInAs(hub, 'reader', [grant('reader', { environments: ['staging'] })])
  expect(nodesOf((await reader.get('/nodes')).text)).toEqual(['web1'])
  const page = (await reader.get('/nodes/web1')).text
  expect(page).toContain('app-hub/shop-1.0.0_p2')
  expect(page).not.toContain(POINT)
  expect(page).not.toContain('Rollbacks')
  expect((await reader.agent.get('/nodes/db1').set('Accept', 'text/html')).status).toBe(403)
  const link = `/nodes/web1/rollback?app=shop&restorePoint=${POINT}`
  expect((await reader.agent.get(link).set('Accept', 'text/html')).status).toBe(403)
  const fields = { app: 'shop', restorePoint: POINT, confirm: 'web1' }
  expect((await sendForm(hub, reader, '/nodes/web1/rollback', fields)).status).toBe(403)
  expect((await hub.as().get('/api/v1/rollbacks')).body).toMatchObject({ items: [] })
  const developer = await signedInAs(hub, 'dev', [grant('developer', { apps: ['shop'] })])
  expect((await developer.agent.get('/nodes').set('Accept', 'text/html')).status).toBe(403)
})
