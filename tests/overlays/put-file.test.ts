import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const FILES = '/api/v1/environments/staging/files'

async function put(hub: TestHub, path: string, content: string | Buffer = 'x\n', query = '') {
  return await send(hub.url, { method: 'PUT', path: `${FILES}/${path}${query}`, body: Buffer.from(content) })
}

async function remove(hub: TestHub, path: string, query = '') {
  return await send(hub.url, { method: 'DELETE', path: `${FILES}/${path}${query}` })
}

async function shown(hub: TestHub, path: string): Promise<Buffer | null> {
  const reply = await send(hub.url, { path: `/overlays/staging/tree/${path}` })
  return reply.status === 404 ? null : reply.body
}

async function revision(hub: TestHub): Promise<number> {
  return (await hub.as().get('/api/v1/environments/staging')).body.overlay.revision as number
}

async function handKept(hub: TestHub): Promise<readonly string[]> {
  const { body } = await hub.as().get(FILES)
  return body.items.map(({ path }: { path: string }) => path).sort()
}

test('a file put by hand is published byte for byte, and listed as hand-kept', async () => {
  await using hub = await createTestHub()
  const content = Buffer.from([0, 1, 2, 255])
  const reply = await put(hub, 'profiles/package.mask/mine', content)
  expect(reply.json).toMatchObject({
    path: 'profiles/package.mask/mine',
    published: { revision: 2, changes: [{ path: 'profiles/package.mask/mine', action: 'write' }] },
  })
  expect(await shown(hub, 'profiles/package.mask/mine')).toEqual(content)
  expect(await handKept(hub)).toEqual(['profiles/package.mask/mine'])
  expect(hub.hub.overlays.get('production')?.state?.revision).toBe(1)
})

test('the same content again makes no revision, other content makes one, a removal makes one', async () => {
  await using hub = await createTestHub()
  await put(hub, 'licenses/acme', 'a')
  expect((await put(hub, 'licenses/acme', 'a')).json).toMatchObject({
    published: { revision: 2, changes: [] },
  })
  expect((await put(hub, 'licenses/acme', 'b')).json).toMatchObject({ published: { revision: 3 } })
  expect((await remove(hub, 'licenses/acme')).json).toMatchObject({
    published: { revision: 4, changes: [{ action: 'remove' }] },
  })
  expect(await shown(hub, 'licenses/acme')).toBeNull()
  expect(await handKept(hub)).toEqual([])
})

test('an empty file is a file', async () => {
  await using hub = await createTestHub()
  expect((await put(hub, 'profiles/empty', '')).status).toBe(200)
  expect(await shown(hub, 'profiles/empty')).toEqual(Buffer.alloc(0))
})

test('an ebuild put by hand brings its category, which the hub keeps itself', async () => {
  await using hub = await createTestHub()
  await put(hub, 'acct-user/shop/shop-0.ebuild', 'EAPI=8\n')
  expect((await shown(hub, 'profiles/categories'))?.toString()).toBe('acct-user\napp-hub\n')
  expect(await handKept(hub)).toEqual(['acct-user/shop/shop-0.ebuild'])
  await hub.upload('shop', tarball({ f: '' }))
  expect((await shown(hub, 'profiles/categories'))?.toString()).toBe('acct-user\napp-hub\n')
})

test('uploads and starts leave hand-kept files alone', async () => {
  await using hub = await createTestHub({ HUB_PUBLIC_URL: 'https://hub.example' })
  await put(hub, 'profiles/package.mask/mine', '>=a/b-2\n')
  await hub.upload('shop', tarball({ f: '' }))
  await using again = await hub.restart()
  expect((await shown(again, 'profiles/package.mask/mine'))?.toString()).toBe('>=a/b-2\n')
  expect(await handKept(again)).toEqual(['profiles/package.mask/mine'])
})

test.each(['true', 'false'])('dryRun=%s says what would change', async (dryRun) => {
  await using hub = await createTestHub()
  const reply = await put(hub, 'profiles/mine', 'x', `?dryRun=${dryRun}`)
  expect(reply.json).toMatchObject({ published: { revision: 2, changes: [{ path: 'profiles/mine' }] } })
  expect(await revision(hub)).toBe(dryRun === 'true' ? 1 : 2)
  expect(await shown(hub, 'profiles/mine')).toEqual(dryRun === 'true' ? null : Buffer.from('x'))
})

describe('refused', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await createTestHub()
    await hub.upload('shop', tarball({ f: '' }))
    await put(hub, 'profiles/package.use/mine')
  })
  afterAll(async () => {
    await hub[Symbol.asyncDispose]()
  })

  test.each([
    ['without a folder', 'README'],
    ['deeper than eight names', 'profiles/a/b/c/d/e/f/g/h'],
    ['that goes up', 'profiles/..%2f..%2fvar'],
    ['with an empty name', 'profiles//x'],
    ['with a hidden name', 'profiles/.x'],
    ['of git', '.git/config'],
    ['that looks like an option', 'profiles/-x'],
    ['with white space', 'profiles/a%20b'],
    ['with a line feed', 'profiles/a%0Ab'],
    ['with a NUL', 'profiles/a%00b'],
    ['that is not ASCII', 'profiles/%C3%A9'],
    ['of the settings', 'profiles/repo_name'],
    ['of the settings', 'profiles/thirdpartymirrors'],
    ['of the settings', 'profiles/categories'],
    ['of the settings', 'profiles/eapi'],
    ['of the settings', 'profiles/license_groups'],
    ['of the settings', 'metadata/layout.conf'],
    ['of the cache', 'metadata/md5-cache/app-x/y-1'],
    ['of the withdrawals', 'profiles/package.mask/portage-hub-withdrawn'],
    ['below the file of the withdrawals', 'profiles/package.mask/portage-hub-withdrawn/x'],
    ['that would make a file of a folder', 'profiles/package.mask'],
    ['of other metadata', 'metadata/timestamp'],
    ['that is no file of a package', 'app-x/y/README'],
    ['that is no package', 'app-x/y'],
    ['of an app', 'app-hub/shop/shop-1.ebuild'],
    ['of an app', 'app-hub/shop/files/x'],
    ['of an app', 'app-hub/shop/Manifest'],
    ['that is a folder', 'profiles/package.use'],
    ['below a file', 'profiles/repo_name/x'],
    ['below a hand-kept file', 'profiles/package.use/mine/x'],
  ])('is a path %s: %s', async (_what, path) => {
    const before = await revision(hub)
    for (const reply of [await put(hub, path), await put(hub, path, 'x', '?dryRun=true')])
      expect(reply.json, path).toMatchObject({ status: 422, code: 'overlay.path_refused' })
    expect(await revision(hub)).toBe(before)
  })

  test('is the removal of what is not there', async () => {
    const before = await revision(hub)
    expect((await remove(hub, 'profiles/none')).json).toMatchObject({
      status: 404,
      code: 'overlay.no_such_path',
    })
    expect((await remove(hub, 'profiles/repo_name')).json).toMatchObject({ code: 'overlay.path_refused' })
    expect(await revision(hub)).toBe(before)
  })

  test('is a file of more than 1 MiB, and one of just that is taken', async () => {
    const large = Buffer.alloc(2 ** 20 + 1, 'x')
    expect((await put(hub, 'profiles/x', large)).json).toMatchObject({
      status: 413,
      code: 'request.too_large',
    })
    expect((await put(hub, 'profiles/x', large.subarray(1))).status).toBe(200)
  })

  test('is an environment that is not there', async () => {
    const path = '/api/v1/environments/moon/files/profiles/x'
    const reply = await send(hub.url, { method: 'PUT', path, body: Buffer.from('x') })
    expect(reply.json).toMatchObject({ status: 404, code: 'environment.unknown' })
  })
})
