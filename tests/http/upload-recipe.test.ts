import { describe, expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const PLAIN = tarball({ 'shop-6/bin/shop': 'hi' })
const WITH_RECIPE = tarball({
  'shop-6/bin/shop': 'hi',
  'shop-6/portage-hub.yaml': 'description: of the tarball',
})

const describedBy = (text: string): string => `description: ${text}`

async function ebuildOf(hub: TestHub, build: number): Promise<string> {
  return (await hub.as().get(`/api/v1/apps/shop/builds/${String(build)}/ebuild`)).text
}

async function setDefaultRecipe(hub: TestHub, recipe: string | null): Promise<void> {
  const reply = await hub.as().patch('/api/v1/apps/shop').send({ defaultRecipe: recipe })
  expect(reply.status, reply.text).toBe(200)
}

test('the recipe of the upload wins over that of the tarball, that over the app’s, that over none', async () => {
  await using hub = await createTestHub()
  const sourceOf = async (bytes: Buffer, fields: Record<string, string> = {}) => {
    const { body } = await hub.upload('shop', bytes, fields)
    return [body.recipeSource, body.recipe?.description]
  }
  expect(await sourceOf(PLAIN)).toEqual(['default', undefined])
  await setDefaultRecipe(hub, describedBy('of the app'))
  expect(await sourceOf(PLAIN)).toEqual(['app', 'of the app'])
  expect(await sourceOf(WITH_RECIPE)).toEqual(['tarball', 'of the tarball'])
  expect(await sourceOf(WITH_RECIPE, { recipe: describedBy('sent') })).toEqual(['upload', 'sent'])
  expect(await sourceOf(WITH_RECIPE, { recipe: '{}' })).toEqual(['upload', undefined])
  await setDefaultRecipe(hub, null)
  expect(await sourceOf(PLAIN)).toEqual(['default', undefined])
})

test('the recipe may be sent as a file', async () => {
  await using hub = await createTestHub()
  const reply = await hub
    .as()
    .post('/api/v1/apps/shop/builds')
    .attach('recipe', Buffer.from(describedBy('from a file')), 'portage-hub.yaml')
    .attach('tarball', PLAIN, 'x.tar.gz')
  expect(reply.body, reply.text).toMatchObject({
    recipeSource: 'upload',
    recipe: { description: 'from a file' },
  })
  expect(await ebuildOf(hub, 1)).toContain("DESCRIPTION='from a file'")
})

test('a recipe of another build leaves earlier ones as they were archived', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', PLAIN, { build: '1', recipe: describedBy('first') })
  const before = await ebuildOf(hub, 1)
  await hub.upload('shop', PLAIN, { build: '2', recipe: describedBy('second') })
  await setDefaultRecipe(hub, describedBy('third'))
  expect(await ebuildOf(hub, 1)).toBe(before)
  const published = await hub.as().get('/overlays/staging/tree/app-hub/shop/shop-0_p1.ebuild')
  expect(published.text).toBe(before)
})

describe('an ebuild sent complete', () => {
  const TEMPLATE = '# by hand\nEAPI=8\nDESCRIPTION="mine"\nSLOT="0"\nsrc_install() { :; }\n'

  test('is published as it is, without a cache entry', async () => {
    await using hub = await createTestHub()
    const reply = await hub.upload('shop', PLAIN, { build: '1', 'ebuild.template': TEMPLATE })
    expect(reply.body, reply.text).toMatchObject({ recipeSource: 'template', recipe: null })
    const tree = '/overlays/staging/tree'
    expect((await hub.as().get(`${tree}/app-hub/shop/shop-0_p1.ebuild`)).text).toBe(TEMPLATE)
    expect((await hub.as().get(`${tree}/metadata/md5-cache/app-hub/shop-0_p1`)).status).toBe(404)
    expect((await hub.as().get(`${tree}/app-hub/shop/Manifest`)).text).toContain('DIST hub-shop-0_p1.tar.gz ')
  })

  test('replaces the cache entry of none, and other versions keep theirs', async () => {
    await using hub = await createTestHub()
    await hub.upload('shop', PLAIN, { build: '1' })
    await hub.upload('shop', PLAIN, { build: '2', 'ebuild.template': TEMPLATE })
    await hub.upload('shop', PLAIN, { build: '3' })
    const { items } = (await hub.as().get('/overlays/staging/tree/metadata/md5-cache/app-hub')).body
    expect(items.map(({ name }: { name: string }) => name)).toEqual(['shop-0_p1', 'shop-0_p3'])
  })

  test.each([
    ['no EAPI', 'DESCRIPTION="x"\n'],
    ['an old EAPI', 'EAPI=6\n'],
    ['an EAPI after other lines', 'inherit x\nEAPI=8\n'],
    ['carriage returns', 'EAPI=8\r\n'],
    ['no line feed at its end', 'EAPI=8'],
    ['a NUL', 'EAPI=8\n\0\n'],
    ['more than 64 KiB', `EAPI=8\n${'#'.repeat(70_000)}\n`],
  ])('with %s is refused and nothing is kept', async (_what, text) => {
    await using hub = await createTestHub()
    const reply = await hub.upload('shop', PLAIN, { 'ebuild.template': text })
    expect(reply.body).toMatchObject({ status: 422, code: 'ebuild.template_invalid' })
    expect(await hub.storedFiles()).toEqual([])
  })

  test('together with a recipe is refused', async () => {
    await using hub = await createTestHub()
    const reply = await hub.upload('shop', PLAIN, { 'ebuild.template': TEMPLATE, recipe: '{}' })
    expect(reply.body).toMatchObject({ status: 400, code: 'request.invalid' })
    expect(await hub.storedFiles()).toEqual([])
  })
})

describe('promote', () => {
  const released = (body: { releases: { environment: string }[] }): string[] =>
    body.releases.map(({ environment }) => environment)

  test('=false archives only', async () => {
    await using hub = await createTestHub()
    const reply = await hub.upload('shop', PLAIN, { promote: 'false' })
    expect(reply.status).toBe(201)
    expect(released(reply.body)).toEqual([])
    expect(reply.body.promotions).toEqual([])
    expect((await hub.as().get('/overlays/staging/tree/app-hub')).status).toBe(404)
    // It is not published later either, unless somebody asks.
    await using again = await hub.restart()
    expect((await again.as().get('/overlays/staging/tree/app-hub')).status).toBe(404)
    expect((await again.promote('shop', 1, 'staging')).status).toBe(201)
  })

  test('=<environment> publishes there as well, in the order of the environments', async () => {
    const HUB_ENVIRONMENTS = 'dev:automatic qa:automatic production'
    await using hub = await createTestHub({ HUB_ENVIRONMENTS })
    for (let build = 1; build <= 8; build++) {
      const reply = await hub.upload('shop', PLAIN, { build: String(build), promote: 'production' })
      expect(released(reply.body)).toEqual(['dev', 'qa', 'production'])
      expect(reply.body.promotions.map((p: { requestedBy: string }) => p.requestedBy)).toEqual([
        'policy',
        'policy',
        'HUB_ADMIN_TOKEN',
      ])
    }
  })

  test('=<environment> that the build may not go to yet archives it and tells why not', async () => {
    await using hub = await createTestHub({ HUB_ENVIRONMENTS: 'staging production' })
    const reply = await hub.upload('shop', PLAIN, { promote: 'production' })
    expect(reply.status, reply.text).toBe(201)
    expect(released(reply.body)).toEqual([])
    expect(reply.body.promotions).toMatchObject([
      { environment: 'production', state: 'refused', detail: 'It is not released in staging.' },
    ])
  })

  test('=<environment> needs the right to promote there, and without it nothing is kept', async () => {
    await using hub = await createTestHub()
    const uploader = await hub.token('developer')
    const reply = await hub.upload('shop', PLAIN, { promote: 'production' }, uploader)
    expect(reply.body).toMatchObject({ status: 403, code: 'auth.forbidden' })
    expect(await hub.storedFiles()).toEqual([])
    expect((await hub.upload('shop', PLAIN, {}, uploader)).status).toBe(201)
  })
})

describe('a dry run', () => {
  test.each([
    ['of the query', '?dryRun=true', {}],
    ['of the form', '', { dryRun: 'true' }],
  ])('%s says what would be, ebuild included, and keeps nothing', async (_what, query, fields) => {
    await using hub = await createTestHub()
    const request = hub.as().post(`/api/v1/apps/shop/builds${query}`)
    for (const [name, value] of Object.entries({ build: '45', ...fields })) void request.field(name, value)
    const reply = await request.attach('tarball', PLAIN, 'x.tar.gz')
    expect(reply.status, reply.text).toBe(200)
    expect(reply.body).toMatchObject({ dryRun: true, wouldArchive: true, cpv: 'app-hub/shop-0_p45' })
    expect(reply.body.ebuild).toContain('EAPI=8')
    expect(await hub.storedFiles()).toEqual([])
    expect((await hub.as().get('/api/v1/apps')).body.items).toEqual([])
    expect((await hub.as().get('/api/v1/promotions')).body.items).toEqual([])
    const real = await hub.upload('shop', PLAIN, { build: '45' })
    expect(real.status).toBe(201)
  })

  test('refuses what the upload itself would refuse', async () => {
    await using hub = await createTestHub()
    const reply = await hub.upload('shop', tarball({ '../evil': '' }), { dryRun: 'true' })
    expect(reply.body).toMatchObject({ code: 'archive.unsafe_path' })
  })

  test('of a build that is there tells so', async () => {
    await using hub = await createTestHub()
    await hub.upload('shop', PLAIN, { build: '45' })
    const reply = await hub.upload('shop', PLAIN, { build: '45', dryRun: 'true' })
    expect(reply.body).toMatchObject({ dryRun: true, wouldArchive: false })
  })
})

describe('a token without commands', () => {
  const COMMANDS = 'backup: {commands: [id]}'

  async function openScene(): Promise<{ hub: TestHub; token: string }> {
    const hub = await createTestHub()
    return { hub, token: await hub.token('developer', { commands: false }) }
  }

  test.each([
    ['a recipe with commands', PLAIN, { recipe: COMMANDS }],
    ['a tarball whose recipe has commands', tarball({ 'portage-hub.yaml': COMMANDS }), {}],
    ['an ebuild', PLAIN, { 'ebuild.template': 'EAPI=8\n' }],
  ])('may not send %s, and nothing is kept', async (_what, bytes, fields) => {
    const { hub, token } = await openScene()
    await using _ = hub
    const reply = await hub.upload('shop', bytes, fields, token)
    expect(reply.body).toMatchObject({ status: 403, code: 'recipe.forbidden' })
    expect(await hub.storedFiles()).toEqual([])
    expect((await hub.as().get('/api/v1/apps')).body.items).toEqual([])
  })

  test('may send the rest, and the commands that an administrator gave the app are the app’s', async () => {
    const { hub, token } = await openScene()
    await using _ = hub
    expect((await hub.upload('shop', PLAIN, { recipe: 'description: x' }, token)).status).toBe(201)
    await setDefaultRecipe(hub, COMMANDS)
    expect((await hub.upload('shop', PLAIN, {}, token)).body).toMatchObject({ recipeSource: 'app' })
  })
})
