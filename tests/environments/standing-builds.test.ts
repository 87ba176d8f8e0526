/** What stands in environments, remembered by app: it must say what the records say, whatever happened since. */
import { expect, test } from 'vitest'
import { standingUnheld } from '../../src/environments/holds.ts'
import { newestReleased } from '../../src/nodes/node-status.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const APPS = ['cart', 'shop']

async function upload(hub: TestHub, app: string, build: number, version = '1.0.0'): Promise<void> {
  const fields = { build: String(build), version }
  expect((await hub.upload(app, tarball({ [`${app}/run`]: String(build) }), fields)).status).toBe(201)
}

/** The same from the records alone: the best that nodes can have, and each of the builds. */
async function fromRecords({ hub }: TestHub, builds: readonly { app: string; build: number }[]) {
  const all = await standingUnheld(hub, 'staging', APPS)
  return APPS.map((app) => [
    newestReleased(all.filter((one) => one.app === app)),
    builds
      .filter((one) => one.app === app)
      .map(({ build }) => all.find((one) => one.app === app && one.build === build)),
  ])
}

async function remembered({ hub }: TestHub, builds: readonly { app: string; build: number }[]) {
  const found = await hub.standing.of('staging', APPS, builds)
  return APPS.map((app) => [
    newestReleased(found.get(app) ?? []),
    builds
      .filter((one) => one.app === app)
      .map(({ build }) => found.get(app)?.find((one) => one.build === build)),
  ])
}

test('what is remembered is what stands, after each release, withdrawal, hold and yank', async () => {
  await using hub = await createTestHub()
  const builds = [1, 2, 3].flatMap((build) => APPS.map((app) => ({ app, build })))
  const check = async () => expect(await remembered(hub, builds)).toEqual(await fromRecords(hub, builds))
  const post = async (path: string, body: object) => {
    const reply = await hub.as().post(`/api/v1${path}`).send(body)
    expect(reply.status, reply.text).toBeLessThan(300)
    return reply.body as { id: string }
  }
  await check()
  for (const build of [1, 2]) {
    for (const app of APPS) await upload(hub, app, build)
    await check()
  }
  // A lower version comes later.
  await upload(hub, 'shop', 3, '0.9.0')
  await check()
  const { id } = await post('/environments/staging/holds', { app: 'shop', build: 2, mask: true, reason: 'x' })
  await check()
  await post('/apps/cart/builds/2/yank', { reason: 'x' })
  await check()
  await post(`/holds/${id}/lift`, { reason: 'x' })
  await check()
  const releases = await hub.as().get('/api/v1/environments/staging/releases?app=shop')
  for (const release of (releases.body as { items: { id: string }[] }).items) {
    await post(`/environments/staging/releases/${release.id}/withdraw`, { reason: 'x' })
    await check()
  }
  const again = { app: 'shop', build: 1, environment: 'staging', liftWithdrawal: true }
  await post('/promotions', again)
  await check()
  expect((await remembered(hub, []))[1]?.[0]).toMatchObject({ build: 1, state: 'released' })
})

test('where all that is remembered is masked, the records are asked', async () => {
  await using hub = await createTestHub()
  for (let build = 1; build <= 22; build++) await upload(hub, 'shop', build)
  const body = { app: 'shop', build: 2, newer: true, mask: true, reason: 'x' }
  expect((await hub.as().post('/api/v1/environments/staging/holds').send(body)).status).toBe(201)
  const found = await hub.hub.standing.of('staging', ['shop'])
  expect(newestReleased(found.get('shop') ?? [])).toMatchObject({ build: 1 })
})
