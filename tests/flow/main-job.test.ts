import { expect, test } from 'vitest'
import { createTestHub } from '../support/test-hub.ts'
import { tarball } from '../support/tarballs.ts'

test('an upload is archived, published in staging and unknown to production until it is promoted', async () => {
  await using hub = await createTestHub()
  const reply = await hub.upload('shop', tarball({ 'shop-6/bin/shop': 'hi' }), {
    build: '45',
    version: '6.1.0-rc.2',
  })
  expect(reply.status, reply.text).toBe(201)
  expect(reply.body).toMatchObject({
    cpv: 'app-hub/shop-6.1.0_rc2_p45',
    releases: [{ environment: 'staging', state: 'released' }],
  })
  const before = await hub.as().get('/overlays/production/tree/app-hub')
  expect(before.status).toBe(404)
  const promoted = await hub.promote('shop', 45, 'production')
  expect(promoted.status, promoted.text).toBe(201)
  expect(promoted.body).toMatchObject({ state: 'released', environment: 'production' })
  const path = 'app-hub/shop/shop-6.1.0_rc2_p45.ebuild'
  const staging = await hub.as().get(`/overlays/staging/tree/${path}`)
  const production = await hub.as().get(`/overlays/production/tree/${path}`)
  expect(production.text).toBe(staging.text)
})
