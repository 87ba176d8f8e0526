import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'

const BYTES = tarball({ f: '' })

test('an administrator describes an app, and its next release says so to nodes', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES)
  const reply = await hub.as().patch('/api/v1/apps/shop').send({ description: 'The shop & its <desk>' })
  expect(reply.body).toMatchObject({ name: 'shop', description: 'The shop & its <desk>' })
  await hub.upload('shop', tarball({ f: '2' }))
  const metadata = await hub.as().get('/overlays/staging/tree/app-hub/shop/metadata.xml')
  expect(metadata.text).toContain('The shop &amp; its &lt;desk&gt;')
})

test('an app’s policy of versions decides on its words', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES)
  const upload = async () => await hub.upload('shop', tarball({ f: '2' }), { version: '1.0.0-nightly.3' })
  expect((await upload()).body.code).toBe('version.no_lossless_form')
  const versionPolicy = { preReleaseWords: { nightly: 'pre' }, otherWords: 'refuse' }
  expect((await hub.as().patch('/api/v1/apps/shop').send({ versionPolicy })).body).toMatchObject({
    versionPolicy,
  })
  expect((await upload()).body).toMatchObject({ pv: '1.0.0_pre3_p2' })
})

test('a dry run shows what would be and changes nothing', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES)
  const reply = await hub.as().patch('/api/v1/apps/shop?dryRun=true').send({ description: 'x' })
  expect(reply.body.description).toBe('x')
  expect((await hub.as().get('/api/v1/apps/shop')).body.description).toBeNull()
})

test.each([
  ['none', { description: 'x' }, 404, 'app.unknown'],
  ['shop', { category: 'app-x' }, 400, 'request.invalid'],
  ['shop', { description: 'x'.repeat(1001) }, 400, 'request.invalid'],
  ['shop', { defaultRecipe: 'instal: {}' }, 422, 'recipe.invalid'],
  [
    'shop',
    { versionPolicy: { preReleaseWords: { 'A B': 'rc' }, otherWords: 'refuse' } },
    400,
    'request.invalid',
  ],
  ['shop', { versionPolicy: { preReleaseWords: {}, otherWords: 'guess' } }, 400, 'request.invalid'],
])('of %s the change %j is refused', async (app, change, status, code) => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES)
  const before = (await hub.as().get('/api/v1/apps/shop')).body
  const reply = await hub.as().patch(`/api/v1/apps/${app}`).send(change)
  expect(reply.body).toMatchObject({ status, code })
  expect((await hub.as().get('/api/v1/apps/shop')).body).toEqual(before)
})

test('an empty change changes nothing', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', BYTES)
  expect((await hub.as().patch('/api/v1/apps/shop').send({})).status).toBe(200)
})
