import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gzipSync } from 'node:zlib'
import { tarball, tarOf } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const CONTENT = gzipSync(
  tarOf(
    { name: 'shop-6/', type: '5', mode: 0o755 },
    { name: 'shop-6/bin/shop', content: '#!/bin/sh\necho héllo\n', mode: 0o755 },
    { name: 'shop-6/conf/shop.toml', content: 'port = 1\n', mode: 0o640 },
    { name: 'shop-6/current', type: '2', link: 'bin/shop', mode: 0o777 },
    { name: 'shop-6/blob', content: Buffer.from([1, 0, 2]) },
    { name: 'shop-6/page.html', content: '<script>alert(1)</script>' },
  ),
)

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
  await hub.upload('shop', CONTENT, { build: '1', version: '1.0.0-rc.1', branch: 'feature_x', commit: 'abc' })
  for (let build = 2; build <= 5; build++) {
    hub.clock.set(`2026-01-0${String(build + 1)}T00:00:00Z`)
    await hub.upload('shop', tarball({ f: String(build) }), { build: String(build), branch: 'main' })
  }
  for (const app of ['shop-api', 'desk', 'zoo']) await hub.upload(app, tarball({ f: app }), { build: '7' })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

interface Paged {
  readonly items: readonly Record<string, unknown>[]
  readonly nextCursor: string | null
}

async function get(path: string) {
  return await hub.as().get(`/api/v1${path}`)
}

/** Follows `Link: rel="next"` from page to page. */
async function walk(path: string): Promise<readonly unknown[]> {
  const found: unknown[] = []
  for (let at: string | undefined = `/api/v1${path}`; at !== undefined;) {
    const reply = await hub.as().get(at)
    expect(reply.status, reply.text).toBe(200)
    const page = reply.body as Paged
    found.push(...page.items.map(({ id }) => id))
    const link = reply.headers['link']
    at = link && /^<([^>]+)>; rel="next"$/.exec(link)?.[1]
    expect(page.nextCursor === null).toBe(at === undefined)
  }
  return found
}

describe('lists', () => {
  test.each([
    ['/apps?limit=2', ['desk', 'shop', 'shop-api', 'zoo']],
    ['/apps?limit=1&q=shop', ['shop', 'shop-api']],
    ['/apps/shop/builds?limit=2', ['shop/5', 'shop/4', 'shop/3', 'shop/2', 'shop/1']],
    ['/builds?limit=3', ['zoo/7', 'shop-api/7', 'shop/5', 'desk/7', 'shop/4', 'shop/3', 'shop/2', 'shop/1']],
    ['/builds?limit=1&q=main', ['shop/5', 'shop/4', 'shop/3', 'shop/2']],
  ])('%s are walked page by page, each item once and in order', async (path, ids) => {
    expect(await walk(path)).toEqual(ids)
  })

  test.each(['/promotions', '/environments/staging/releases', '/environments/staging/revisions'])(
    '%s are walked newest first',
    async (path) => {
      const whole = await walk(path)
      expect(await walk(`${path}?limit=3`)).toEqual(whole)
      expect(new Set(whole).size).toBe(whole.length)
    },
  )

  test.each([
    ['/builds?q=1.0.0-rc.1', ['shop/1']],
    ['/builds?q=feature_x', ['shop/1']],
    ['/builds?q=featureax', []],
    ['/builds?q=_rc1', ['shop/1']],
    ['/builds?q=%25', []],
    ['/builds?q=%5C', []],
    ['/builds?q=abc', ['shop/1']],
    ['/builds?q=%27%20OR%201=1--', []],
    ['/apps?q=%25', []],
    ['/apps/shop/builds?q=0_p5', ['shop/5']],
  ])('%s finds %j', async (path, ids) => {
    expect(await walk(path)).toEqual(ids)
  })

  test('of promotions and releases can be narrowed', async () => {
    expect(await walk('/promotions?app=desk')).toHaveLength(1)
    expect(await walk('/environments/staging/releases?app=shop')).toHaveLength(5)
    expect(await walk('/environments/staging/releases?state=withdrawn')).toEqual([])
  })

  test.each([
    '/apps?limit=0',
    '/apps?limit=501',
    '/apps?limit=x',
    '/apps?limit=1&limit=2',
    '/builds?cursor=%27',
    '/apps/shop/builds?cursor=x',
    '/apps/shop/builds/1/files?cursor=x',
    '/environments/staging/revisions?cursor=x',
    '/environments/staging/releases?state=broken',
  ])('%s is refused', async (path) => {
    expect((await get(path)).body).toMatchObject({ status: 400, code: 'request.invalid' })
  })
})

describe('an app', () => {
  test('shows its package and its last number', async () => {
    const { body } = await get('/apps/shop')
    expect(body).toMatchObject({ name: 'shop', package: 'app-hub/shop', lastBuild: 5, defaultRecipe: null })
  })

  test.each(['/apps/none', '/apps/none/builds'])('that is not there: %s', async (path) => {
    expect((await get(path)).body).toMatchObject({ status: 404, code: 'app.unknown' })
  })
})

describe('a build', () => {
  test('lists what is inside, with sizes, modes and targets', async () => {
    const { body } = await get('/apps/shop/builds/1/files')
    expect(body.items).toEqual([
      { path: 'shop-6', type: 'directory', mode: '0755', sizeBytes: 0 },
      { path: 'shop-6/bin/shop', type: 'file', mode: '0755', sizeBytes: 22 },
      { path: 'shop-6/conf/shop.toml', type: 'file', mode: '0640', sizeBytes: 9 },
      { path: 'shop-6/current', type: 'symlink', mode: '0777', sizeBytes: 0, target: 'bin/shop' },
      { path: 'shop-6/blob', type: 'file', mode: '0644', sizeBytes: 3 },
      { path: 'shop-6/page.html', type: 'file', mode: '0644', sizeBytes: 25 },
    ])
  })

  test('lists its files by prefix and page by page', async () => {
    const paths = (body: { items: { path: string }[] }) => body.items.map(({ path }) => path)
    expect(paths((await get('/apps/shop/builds/1/files?prefix=shop-6/b')).body)).toEqual([
      'shop-6/bin/shop',
      'shop-6/blob',
    ])
    const first = await get('/apps/shop/builds/1/files?limit=4')
    const second = await hub.as().get(/<(.*)>/.exec(first.headers['link'] ?? '')?.[1] ?? '')
    expect([...paths(first.body), ...paths(second.body)]).toHaveLength(6)
    expect(second.body.nextCursor).toBeNull()
  })

  test('shows one file of it as text that no browser runs', async () => {
    const script = await get('/apps/shop/builds/1/files/shop-6/bin/shop')
    expect(script.text).toBe('#!/bin/sh\necho héllo\n')
    const page = await get('/apps/shop/builds/1/files/shop-6/page.html')
    expect(page.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
    })
  })

  test.each([
    ['shop-6/blob', 415, 'archive.not_text'],
    ['shop-6/none', 404, 'archive.no_such_file'],
    ['shop-6/conf', 404, 'archive.no_such_file'],
    ['shop-6/current', 404, 'archive.no_such_file'],
    ['..%2f..%2fetc%2fpasswd', 404, 'archive.no_such_file'],
    ['%00', 404, 'archive.no_such_file'],
  ])('its file %s answers %i', async (path, status, code) => {
    expect((await get(`/apps/shop/builds/1/files/${path}`)).body).toMatchObject({ status, code })
  })

  test('shows the ebuild that is published', async () => {
    const reply = await get('/apps/shop/builds/1/ebuild')
    const published = await hub.as().get('/overlays/staging/tree/app-hub/shop/shop-1.0.0_rc1_p1.ebuild')
    expect(reply.text).toBe(published.text)
    expect(reply.headers['content-disposition']).toBe('inline; filename="shop-1.0.0_rc1_p1.ebuild"')
  })

  test.each([
    ['/apps/shop/builds/9', 404, 'build.unknown'],
    ['/apps/none/builds/1', 404, 'build.unknown'],
    ['/apps/shop/builds/0', 422, 'build.invalid_number'],
    ['/apps/shop/builds/1.0', 422, 'build.invalid_number'],
    ['/apps/shop/builds/9999999999999999', 422, 'build.invalid_number'],
    ['/apps/shop/builds/9/files', 404, 'build.unknown'],
    ['/apps/shop/builds/9/ebuild', 404, 'build.unknown'],
    ['/apps/shop/builds/9/tarball', 404, 'build.unknown'],
    ['/apps/shop/builds/1/eligibility/moon', 404, 'environment.unknown'],
    ['/environments/moon', 404, 'environment.unknown'],
    ['/environments/staging/revisions/99', 404, 'overlay.unknown_revision'],
    ['/environments/staging/revisions/x', 404, 'overlay.unknown_revision'],
    ['/promotions/pro_none', 404, 'promotion.unknown'],
  ])('%s answers %i', async (path, status, code) => {
    expect((await get(path)).body).toMatchObject({ status, code })
  })
})

describe('a digest', () => {
  test.each(['sha512', 'blake2b', 'sha256'])('%s of a tarball finds its build', async (algorithm) => {
    const hex: string = (await get('/apps/shop/builds/1')).body.tarball[algorithm]
    for (const text of [hex, hex.toUpperCase()]) {
      expect((await get(`/digests/${text}`)).body.items).toMatchObject([{ kind: 'build', id: 'shop/1' }])
    }
  })

  test.each([
    ['0'.repeat(128), 404, 'digest.unknown'],
    ['0'.repeat(64), 404, 'digest.unknown'],
    ['0'.repeat(40), 400, 'request.invalid'],
    ['xyz', 400, 'request.invalid'],
  ])('%s answers %i', async (hex, status, code) => {
    expect((await get(`/digests/${hex}`)).body).toMatchObject({ status, code })
  })
})

describe('environments', () => {
  test('come in the order of promotion, with the addresses that nodes use', async () => {
    const { body } = await get('/environments')
    expect(body.items).toMatchObject([
      {
        name: 'staging',
        policy: { promote: 'automatic' },
        overlay: {
          name: 'hub-staging',
          gitUrl: `${hub.url}/git/staging.git`,
          zipUrl: `${hub.url}/overlays/staging.zip`,
          revision: 9,
        },
        distfilesUrl: `${hub.url}/distfiles/staging`,
      },
      { name: 'production', policy: { promote: 'request' }, overlay: { revision: 1 } },
    ])
  })

  test('show who released what and when', async () => {
    const { body } = await get('/environments/staging/releases?app=shop&limit=1')
    expect(body.items).toMatchObject([
      { app: 'shop', build: 5, state: 'released', releasedBy: 'policy', revision: 6 },
    ])
  })
})
