import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'

const SHOP = tarball({ 'shop/bin/shop': 'hi' })

test('the same build with another recipe is refused, with the same recipe it is no change', async () => {
  await using hub = await createTestHub()
  const fields = { build: '1', recipe: 'description: the shop' }
  expect((await hub.upload('shop', SHOP, fields)).status).toBe(201)
  expect((await hub.upload('shop', SHOP, { ...fields, recipe: '{description: the shop}' })).status).toBe(200)
  const reply = await hub.upload('shop', SHOP, { ...fields, recipe: 'description: another shop' })
  expect(reply.body).toMatchObject({ status: 409, code: 'build.duplicate' })
  expect((reply.body as { detail: string }).detail).toContain('its recipe is another one')
})

test('an archived tarball that was lost is put back by the same upload', async () => {
  await using hub = await createTestHub()
  const first = await hub.upload('shop', SHOP, { build: '1' })
  const files = await hub.storedFiles()
  const { sha512 } = (first.body as { tarball: { sha512: string } }).tarball
  await rm(hub.hub.blobs.path(sha512))
  expect((await hub.upload('shop', SHOP, { build: '1' })).status).toBe(200)
  expect(await hub.storedFiles()).toEqual(files)
  const reply = await hub.as().get('/api/v1/apps/shop/builds/1/tarball')
  expect(reply.status).toBe(200)
})

test('an app does not take the place of a package that is kept by hand', async () => {
  await using hub = await createTestHub()
  const path = '/api/v1/environments/production/files/app-hub/shop/shop-1.ebuild'
  expect((await hub.as().put(path).send('EAPI=8\n')).status).toBe(200)
  const before = await hub.storedFiles()
  const reply = await hub.upload('shop', SHOP, { build: '1' })
  expect(reply.body).toMatchObject({ status: 422, code: 'app.name_taken' })
  expect(await hub.storedFiles()).toEqual(before)
  const elsewhere = await hub.upload('shop', SHOP, { build: '1', recipe: 'category: app-acme' })
  expect(elsewhere.status).toBe(201)
})

test('a lift of a withdrawal that was cut short is carried out by the next start', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', SHOP, { build: '1' })
  const listed = await hub.as().get('/api/v1/environments/staging/releases')
  const [release] = (listed.body as { items: { id: string }[] }).items
  await hub
    .as()
    .post(`/api/v1/environments/staging/releases/${release?.id ?? ''}/withdraw`)
    .send({ reason: 'bad' })
  const { newPromotion } = await import('../../src/environments/promotion.ts')
  const wanted = {
    build: { app: 'shop', build: 1 },
    environment: 'staging',
    by: { name: 'ann', id: null, owner: null },
    liftWithdrawal: true,
  }
  await hub.hub.records.promotions.add(newPromotion(hub.hub, wanted))
  await using again = await hub.restart()
  const build = await again.as().get('/api/v1/apps/shop/builds/1')
  expect((build.body as { releases: { state: string }[] }).releases.map(({ state }) => state)).toEqual([
    'withdrawn',
    'released',
  ])
})
