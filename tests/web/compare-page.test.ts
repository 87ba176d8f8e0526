/** Two builds compared: what the API answers, and what the pages make of it. */
import { gzipSync } from 'node:zlib'
import type { Response } from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { comparison } from '../../src/http/diff-routes.ts'
import { send } from '../support/raw-http.ts'
import { tarOf } from '../support/tarballs.ts'
import type { TarEntry } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { AS_BROWSER, textOf } from './support.ts'

const BUILD = '/apps/shop/builds/46'
const DIFF = `/api/v1${BUILD}/diff/45`
const PAGE = `${BUILD}/compare/45`
const HOSTILE = '<img src=x onerror=alert(1)>?#%2F&amp;.txt'

const file = (name: string, content: string | Buffer, mode = 0o644): TarEntry => ({ name, content, mode })
/** The name of the top folder has the version in it, as it often has. */
const packed = (top: string, ...entries: readonly TarEntry[]) =>
  gzipSync(tarOf(...entries.map((entry) => ({ ...entry, name: `${top}/${entry.name}` }))))
const recipe = (depends: readonly string[]) =>
  `description: a shop\ndepends: {runtime: ${JSON.stringify(depends)}}\n`
const LARGE = 'a line of text\n'.repeat(20_000)

const OLD = packed(
  'shop-1.45.0',
  ...[file('portage-hub.yaml', recipe(['dev-db/postgresql:*', 'app-misc/jq'])), file('same', 'x'.repeat(50))],
  ...[
    file('conf/shop.toml', 'a = 1\nport = 80\n'),
    file('bin/shop', '#!/bin/sh\n', 0o644),
    file('old', 'gone\n'),
  ],
  ...[
    file('data', Buffer.from([0, 1])),
    file('large', LARGE),
    file(HOSTILE, '<b>1</b>\n'),
    file('kind', 'x'),
  ],
  ...[{ name: 'current', type: '2', link: 'old' }, file('twin', 'gone\n')],
)
const NEW = packed(
  'shop-1.46.0',
  ...[file('portage-hub.yaml', recipe(['dev-db/postgresql:*', 'app-misc/yq'])), file('same', 'x'.repeat(50))],
  ...[
    file('conf/shop.toml', 'a = 1\nport = 81\n'),
    file('bin/shop', '#!/bin/sh\n', 0o755),
    file('new', 'here\n'),
  ],
  ...[file('data', Buffer.from([0, 2])), file('large', `${LARGE}b\n`), file(HOSTILE, '<b>2</b>\n')],
  ...[
    { name: 'kind', type: '2', link: 'new' },
    { name: 'current', type: '2', link: 'new' },
    file('twin', 'gone\n'),
  ],
)

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
  const ci = { branch: 'main', ciUrl: 'https://ci.example/1?a=1&b=2' }
  await upload(45, OLD, { ...ci, commit: 'c0ffee45' })
  await upload(46, NEW, { ...ci, commit: 'c0ffee46' })
  const check = { stage: 'commit', name: 'unit <b>', status: 'passed' }
  await hub.as().post('/api/v1/apps/shop/builds/45/checks').send(check)
  await hub
    .as()
    .post('/api/v1/apps/shop/builds/46/checks')
    .send({ ...check, status: 'failed' })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function upload(build: number, tarball: Buffer, fields = {}, app = 'shop'): Promise<void> {
  const sent = { build: String(build), version: `1.${String(build)}.0`, ...fields }
  const reply = await hub.upload(app, tarball, sent)
  expect(reply.status, reply.text).toBe(201)
}

const look = async (path: string) => await send(hub.url, { path, headers: AS_BROWSER })
const get = async (path: string) => await hub.as().get(path)

interface Change {
  readonly path: string
  readonly change: string
  readonly differs: readonly string[]
}

describe('the API', () => {
  test('tells in how many files, dependencies, checks and texts a build differs', async () => {
    const { body, status } = await get(DIFF)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      from: { build: 45, commit: 'c0ffee45' },
      to: { build: 46, commit: 'c0ffee46' },
      files: { added: 1, removed: 1, changed: 8, unchanged: 2 },
      dependencies: {
        runtime: { added: ['app-misc/yq'], removed: ['app-misc/jq'] },
        build: { added: [], removed: [] },
      },
      checks: [{ stage: 'commit', name: 'unit <b>', from: 'passed', to: 'failed' }],
    })
    const { recipe: recipes, ebuild } = body as { recipe: string; ebuild: string }
    expect(recipes).toContain('-    - app-misc/jq\n+    - app-misc/yq\n')
    expect(ebuild).toContain("-RDEPEND='dev-db/postgresql:* app-misc/jq'\n")
  })

  test('lists each entry that differs, and in what', async () => {
    const { items } = (await get(`${DIFF}/files`)).body as { items: readonly Change[] }
    expect(items.map(({ path, change, differs }) => [path, change, ...differs])).toEqual([
      [HOSTILE, 'changed', 'content'],
      ['bin/shop', 'changed', 'mode'],
      ['conf/shop.toml', 'changed', 'content'],
      ['current', 'changed', 'target'],
      ['data', 'changed', 'content'],
      ['kind', 'changed', 'type', 'content', 'mode', 'target'],
      ['large', 'changed', 'content'],
      ['new', 'added'],
      ['old', 'removed'],
      ['portage-hub.yaml', 'changed', 'content'],
    ])
    const first = (await get(`${DIFF}/files?limit=4`)).body as { items: unknown[]; nextCursor: string }
    const second = await get(`${DIFF}/files?limit=100&cursor=${first.nextCursor}`)
    expect([...first.items, ...(second.body as { items: unknown[] }).items]).toEqual(items)
  })

  test('compares a file line by line', async () => {
    const { text, headers } = await get(`${DIFF}/files/conf/shop.toml`)
    expect(text).toBe(
      '--- a/conf/shop.toml\n+++ b/conf/shop.toml\n@@ -1,2 +1,2 @@\n a = 1\n-port = 80\n+port = 81\n',
    )
    expect(headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-security-policy': "default-src 'none'; sandbox",
    })
    expect((await get(`${DIFF}/files/new`)).text).toContain('--- /dev/null\n+++ b/new\n')
    expect((await get(`${DIFF}/files/${encodeURIComponent(HOSTILE)}`)).text).toContain(
      '-<b>1</b>\n+<b>2</b>\n',
    )
    expect((await get(`${DIFF}/files/same`)).text).toBe('')
  })

  test.each([
    ['files/data', 415, 'archive.not_text'],
    ['files/large', 422, 'archive.too_large_to_compare'],
    ['files/moon', 404, 'archive.no_such_file'],
    ['files/conf', 404, 'archive.no_such_file'],
  ])('refuses %s with %i', async (path, status, code) => {
    expect((await get(`${DIFF}/${path}`)).body).toMatchObject({ status, code })
  })

  test('refuses a build that is none, or not to be seen', async () => {
    for (const [other, status, code] of [
      ['9', 404, 'build.unknown'],
      ['x', 422, 'build.invalid_number'],
    ] as const)
      expect((await get(`/api/v1${BUILD}/diff/${other}`)).body).toMatchObject({ status, code })
    const elsewhere = await hub.token('developer', { apps: ['cart'] })
    for (const path of [DIFF, `${DIFF}/files`, `${DIFF}/files/conf/shop.toml`, PAGE, `${BUILD}/compare`])
      expect((await hub.as(elsewhere).get(path)).status).toBe(404)
  })

  test('finds no difference between a build and itself', async () => {
    const { body } = await get(`/api/v1${BUILD}/diff/46`)
    expect(body).toMatchObject({ files: { added: 0, removed: 0, changed: 0, unchanged: 11 }, ebuild: '' })
  })
})

describe('the page', () => {
  test('begins with the sum of it, and has facts side by side', async () => {
    const { status, text } = await look(PAGE)
    const shown = textOf(text)
    expect(status).toBe(200)
    expect(shown).toMatch(/Files added 1 Files removed 1 Files changed 8 Files unchanged 2/)
    expect(shown).toMatch(/commit check unit &lt;b&gt; passed failed/)
    expect(shown).toMatch(/removed app-misc\/jq at runtime/)
    expect(shown).toMatch(/added app-misc\/yq at runtime/)
    expect(shown).toMatch(/- - app-misc\/jq/)
    expect(text.match(/<script/g)).toEqual(['<script'])
    expect(text).not.toContain('<img')
  })

  test('has a fold for each text that differs, and its lines behind a link', async () => {
    const { text } = await look(PAGE)
    const shown = textOf(text)
    expect(shown).toContain('changed bin/shop mode 0644 → 0755')
    expect(shown).toContain('changed current leads to new, not old')
    const addresses = [...text.matchAll(/<a href="([^"]*\/compare\/45\/files\/[^"]*)"/g)].map(
      ([, found = '']) => found,
    )
    expect(addresses.length).toBe(7)
    for (const address of addresses) {
      expect(text).toContain(`hx-get="${address}"`)
      const page = await look(address.replaceAll('&amp;', '&'))
      expect(page.status, address).toBe(200)
      expect(page.text).toContain('id="difference"')
      expect(page.text).not.toContain('<b>2')
    }
    expect((await look(`${PAGE}/files/conf/shop.toml`)).text).toContain(
      '<span class="added">+port = 81\n</span>',
    )
    expect(textOf((await look(`${PAGE}/files/data`)).text)).toContain('is not text')
    expect(textOf((await look(`${PAGE}/files/large`)).text)).toContain('has more than 256 KiB')
    expect((await look(`${PAGE}/files/moon`)).status).toBe(404)
  })

  test('is reached from the build, and compares with the one before unless another is chosen', async () => {
    expect((await look(BUILD)).text).toContain(`href="${BUILD}/compare"`)
    expect((await look(`${BUILD}/compare`)).headers['location']).toBe(PAGE)
    const chosen = await look(`${BUILD}/compare?with=45`)
    expect([chosen.status, chosen.headers['location']]).toEqual([303, PAGE])
    expect((await look(PAGE)).text).toContain('<option value="45" selected>45, the one before</option>')
  })

  test('of the first build offers what came after, and of an only one says what to type', async () => {
    expect((await look('/apps/shop/builds/45/compare')).headers['location']).toBe(
      '/apps/shop/builds/45/compare/46',
    )
    await upload(1, packed('cart', file('run', 'x')), {}, 'cart')
    expect(textOf((await look('/apps/cart/builds/1/compare')).text)).toContain('portage-hub push cart')
  })
})

test('two builds are compared once for all pages of what differs', async () => {
  const [from, to] = await Promise.all(
    [45, 46].map(async (one) => await hub.hub.records.builds.find('shop', one)),
  )
  if (!from || !to) throw new Error('the builds are not there')
  const events = { once: () => undefined, off: () => undefined }
  const response = { locals: { principal: { owner: 'prs_1' } }, ...events } as unknown as Response
  const first = await comparison(hub.hub, response, { from, to })
  expect(await comparison(hub.hub, response, { from, to })).toBe(first)
  expect(await comparison(hub.hub, response, { from: to, to: from })).not.toBe(first)
})
