/** What takes how much space, by page and by API, and the rules of retention with what they would let go of. */
import { expect, test } from 'vitest'
import { ALL, CHEAP, signedInAs } from '../support/browser.ts'
import { announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, sendForm, textOf } from './support.ts'

const DUMP = { kind: 'dump', name: 'shop.dump', bytes: Buffer.alloc(2048, 'x') } as const

async function upload(hub: TestHub, app: string, build: number, bytes: number): Promise<number> {
  const fields = { build: String(build), version: '1.0.0' }
  const reply = await hub.upload(app, tarball({ 'a/run': 'x'.repeat(bytes) }), fields)
  expect(reply.status, reply.text).toBe(201)
  return (reply.body as { tarball: { sizeBytes: number } }).tarball.sizeBytes
}

interface Answer {
  readonly archive: { readonly bytes: number; readonly apps: readonly object[] }
  readonly nodes: object
  readonly overlays: readonly { readonly bytes: number }[]
  readonly databaseBytes: number
  readonly listingBytes: number
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number }
}

test('it tells what the archive, nodes, overlays, the database and uploads take', async () => {
  await using hub = await createTestHub()
  const shop = await upload(hub, 'shop', 1, 9000)
  // The same bytes again are one tarball.
  await upload(hub, 'shop', 2, 9000)
  const cart = await upload(hub, 'cart', 1, 30_000)
  const points = pointsOf(hub, 'web1', await enrolNode(hub, 'web1'))
  await points.announce(announcementOf([DUMP], { encrypted: true }))
  await points.put(DUMP)
  const answer = (await hub.as().get('/api/v1/storage')).body as Answer
  expect(answer.archive).toEqual({
    bytes: shop + cart,
    apps: [
      { app: 'cart', builds: 1, bytes: cart },
      { app: 'shop', builds: 2, bytes: shop },
    ],
  })
  expect(answer.nodes).toEqual({
    bytes: 2048,
    environments: [{ environment: 'staging', bytes: 2048 }],
    largest: [{ node: 'web1', environment: 'staging', packageBytes: 0, dumpBytes: 2048 }],
  })
  expect(answer.overlays.every(({ bytes }) => bytes > 0)).toBe(true)
  expect(answer.databaseBytes).toBeGreaterThan(answer.listingBytes)
  expect(answer.listingBytes).toBeGreaterThan(0)
  expect(answer.disk.totalBytes).toBeGreaterThan(answer.disk.freeBytes)
  const { status, text } = await hub.as().get('/storage')
  expect(status).toBe(200)
  expect(text).toContain(`title="${String(shop + cart)} bytes"`)
  expect(text).toContain('aria-label="What the data is made of"')
  expect(text).toMatch(/<a href="\/nodes\/web1"><bdi>web1<\/bdi><\/a>/)
})

test('without anything in it says so', async () => {
  await using hub = await createTestHub()
  const page = textOf((await hub.as().get('/storage')).text)
  for (const words of ['The archive is empty.', 'No node has sent a restore point.', 'every build stays'])
    expect(page).toContain(words)
})

test('sums are kept for some minutes, with their age', async () => {
  await using hub = await createTestHub()
  expect(textOf((await hub.as().get('/storage')).text)).toContain('measured now')
  await upload(hub, 'shop', 1, 100)
  hub.clock.set('2026-01-02T03:06:05Z')
  expect(textOf((await hub.as().get('/storage')).text)).toContain('measured 2 minutes ago')
  hub.clock.set('2026-01-02T03:10:05Z')
  await hub.as().get('/storage')
  const builds = async () => ((await hub.as().get('/api/v1/storage')).body as Answer).archive.apps.length
  await expect.poll(builds).toBe(1)
})

test('rules are set for the hub and for an app, and the plan that follows stands below them', async () => {
  await using hub = await createTestHub({ HUB_ENVIRONMENTS: 'staging:request production:request' }, CHEAP)
  for (const build of [1, 2, 3]) await upload(hub, 'shop', build, build * 1000)
  await hub.as().post('/api/v1/apps/shop/builds/1/pin').send({ reason: 'audit' })
  const ada = await signedInAs(hub, 'ada')
  const send = async (path: string, fields: Readonly<Record<string, string>>) => {
    const reply = await sendForm(hub, ada, path, fields)
    return reply.headers['location'] ?? `${String(reply.status)} ${textOf(reply.text)}`
  }
  expect((await ada.get('/storage')).text).not.toContain('would go</span>')
  expect(await send('/storage/retention', { keepNewest: '1' })).toBe('/storage?done=changed')
  const page = (await ada.get('/storage')).text
  expect(textOf(page)).toContain('the newest 1 of each app; and what was listed within 10 revisions')
  expect(textOf(page)).toContain('Nothing is removed yet')
  expect(textOf(page)).toMatch(
    /shop 2 app-hub\/shop-1\.0\.0_p2 .* would go neither among the newest nor young/,
  )
  expect(textOf(page)).toMatch(/shop 1 app-hub\/shop-1\.0\.0_p1 .* stays it is pinned/)
  expect(textOf((await ada.get('/storage?what=stays')).text)).not.toContain('shop 2 app-hub')
  expect(await send('/storage/retention', { app: 'shop', keepNewest: '2' })).toBe('/storage?done=changed')
  expect(textOf((await ada.get('/storage')).text)).not.toContain('shop 2 app-hub')
  expect(await send('/storage/retention/remove', { app: 'shop' })).toBe('/storage?done=removed')
  expect(textOf((await ada.get('/storage')).text)).toContain('shop 2 app-hub')
  const wrong: readonly Readonly<Record<string, string>>[] = [
    { keepNewest: '0' },
    { keepNewest: 'x' },
    { app: 'none', keepNewest: '1' },
  ]
  for (const fields of wrong) expect(await send('/storage/retention', fields)).toMatch(/^4\d\d /)
  expect(await send('/storage/retention/remove', {})).toMatch(/^400 .* can be changed, and not taken away/)
  expect((await ada.get('/storage')).status).toBe(200)
  expect(await hub.storedFiles()).toHaveLength(3)
})

test('they are for administrators alone', async () => {
  await using hub = await createTestHub({}, CHEAP)
  const manager = await signedInAs(hub, 'manager', [{ role: 'release-manager', ...ALL }])
  expect((await manager.agent.get('/storage').set(AS_BROWSER)).status).toBe(403)
  expect((await sendForm(hub, manager, '/storage/retention', { keepNewest: '1' })).status).toBe(403)
  expect((await hub.as().get('/api/v1/retention')).body).toMatchObject({ keepNewest: null })
})
