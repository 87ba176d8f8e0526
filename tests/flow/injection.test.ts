import { mkdtempSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseMd5Cache } from '../../src/gentoo/md5-cache.ts'
import { parseManifest } from '../../src/gentoo/manifest.ts'
import { injectionCorpus } from '../support/injection-corpus.ts'
import { sourceEbuilds } from '../support/source-ebuilds.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const canary = join(mkdtempSync(join(tmpdir(), 'portage-hub-canary-')), 'pwned')
const corpus = injectionCorpus(canary)
const CACHE_KEYS = /^(DEFINED_PHASES|DESCRIPTION|EAPI|HOMEPAGE|KEYWORDS|LICENSE|RESTRICT|SLOT|SRC_URI|_md5_)$/

/** What the overlay of staging publishes, by path. */
async function published(hub: TestHub): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  for (const { path, oid } of await hub.hub.records.overlays.files('staging')) {
    files.set(path, String(await hub.hub.records.overlays.findBlob(oid)))
  }
  return files
}

/** Every published text is of its own form, and no ebuild does more than install. */
async function expectInert(hub: TestHub): Promise<void> {
  const files = [...(await published(hub))]
  const ebuilds = files.filter(([path]) => path.endsWith('.ebuild')).map(([, text]) => text)
  for (const { calls } of sourceEbuilds(ebuilds, canary)) {
    expect(calls.filter(([command]) => command === 'UNKNOWN')).toEqual([])
  }
  for (const [path, text] of files) {
    if (path.startsWith('metadata/md5-cache/')) {
      for (const key of parseMd5Cache(text).keys()) expect(key).toMatch(CACHE_KEYS)
    }
    if (path.endsWith('/Manifest')) parseManifest(text)
  }
  expect(existsSync(canary)).toBe(false)
}

/** Sends the whole corpus through one field; each text is refused and leaves nothing, or is accepted. 431 is Node's own. */
async function throughField(
  hub: TestHub,
  send: (text: string, build: number) => Promise<{ status: number; text: string }>,
) {
  let build = 0
  for (const text of corpus) {
    const before = await hub.storedFiles()
    const reply = await send(text, ++build)
    expect(
      [200, 201, 400, 403, 404, 405, 409, 413, 415, 422, 431],
      `${JSON.stringify(text).slice(0, 80)}: ${reply.text.slice(0, 200)}`,
    ).toContain(reply.status)
    if (reply.status >= 400) expect(await hub.storedFiles()).toEqual(before)
  }
  await expectInert(hub)
}

const content = (text: string) => tarball({ 'shop/bin/shop': text })

test.each(['version', 'commit', 'branch', 'ciUrl', 'sha512', 'promote', 'recipe', 'other'])(
  'the upload field %s carries no text into an ebuild, a cache entry or a commit that acts',
  async (field) => {
    await using hub = await createTestHub()
    await throughField(hub, (text, build) =>
      hub.upload('shop', content(text), { build: String(build), [field]: text }),
    )
    const log = await hub.as().get('/api/v1/environments/staging/revisions?limit=500')
    for (const { message } of (log.body as { items: { message: string }[] }).items) {
      expect(message).toMatch(/^(Begin the overlay|app-hub\/shop: add )/)
      expect(
        message.split('\n').filter((line) => /^[A-Z][A-Za-z-]*: /.test(line)).length,
      ).toBeLessThanOrEqual(3)
    }
  },
)

test('the same fields in the query of a raw upload carry no more', async () => {
  await using hub = await createTestHub()
  await throughField(hub, async (text, build) => {
    const fields = Object.fromEntries(
      ['version', 'commit', 'branch', 'ciUrl'].map((name) => [name, text.toWellFormed()]),
    )
    const path = `/api/v1/apps/shop/builds/${String(build)}/tarball?${new URLSearchParams(fields).toString()}`
    return await hub.as().put(path).send(content(text))
  })
  await throughField(hub, async (text, build) => {
    const query = new URLSearchParams({ commit: text.toWellFormed(), branch: text.toWellFormed() }).toString()
    return await hub
      .as()
      .put(`/api/v1/apps/raw/builds/${String(build)}/tarball?${query}`)
      .send(content(text))
  })
})

test('the fields app and build take only names and numbers', async () => {
  await using hub = await createTestHub()
  await throughField(hub, (text) => hub.upload('shop', content(text), { build: text }))
  await throughField(hub, (text, build) =>
    hub.upload(encodeURIComponent(text.toWellFormed()), content(text), { build: String(build) }),
  )
  const apps = await hub.as().get('/api/v1/apps')
  for (const { name } of (apps.body as { items: { name: string }[] }).items)
    expect(name).toMatch(/^[a-z][a-z0-9-]*$/)
})

test('names inside the tarball, its top folder included, are refused or installed as they are', async () => {
  await using hub = await createTestHub()
  await throughField(hub, (text, build) =>
    hub.upload('files', tarball({ 'shop/a': '1', [`shop/${text}`]: 'x' }), { build: String(build) }),
  )
  await throughField(hub, (text, build) =>
    hub.upload('top', tarball({ [`${text}/a`]: 'x' }), { build: String(build) }),
  )
})

test('names of tokens, reasons, descriptions and hand-kept paths add no line to what is published', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', content('1'), { build: '1' })
  await throughField(hub, (text, build) => hub.upload('shop', content(text), { build: String(build + 1) }))
  const releases = await hub.as().get('/api/v1/environments/staging/releases?limit=500')
  const ids = (releases.body as { items: { id: string }[] }).items.map(({ id }) => id)
  await throughField(hub, async (text, at) => {
    return await hub
      .as()
      .post(`/api/v1/environments/staging/releases/${ids[at] ?? ''}/withdraw`)
      .send({ reason: text })
  })
  await throughField(
    hub,
    async (text) => await hub.as().post('/api/v1/tokens').send({ name: text, role: 'reader' }),
  )
  await throughField(
    hub,
    async (text) => await hub.as().patch('/api/v1/apps/shop').send({ description: text }),
  )
  await throughField(hub, async (text) => {
    const path = encodeURIComponent(`profiles/${text}`.toWellFormed())
    return await hub.as().put(`/api/v1/environments/staging/files/${path}`).send('x')
  })
  const mask = (await published(hub)).get('profiles/package.mask/portage-hub-withdrawn') ?? ''
  for (const line of mask.split('\n')) expect(line).toMatch(/^$|^# \P{Cc}*$|^=app-hub\/shop-0_p\d+$/u)
}, 120_000)
