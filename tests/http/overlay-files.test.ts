import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send } from '../support/raw-http.ts'
import type { RawReply } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { testWith } from '../support/programs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const run = promisify(execFile)

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
  await hub.upload('shop', tarball({ f: '1' }), { build: '1' })
  await hub.upload('shop', tarball({ f: '2' }), { build: '2' })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function get(path: string, headers: Record<string, string> = {}): Promise<RawReply> {
  return await send(hub.url, { path, headers })
}

/** Names and contents of a zip as python's zipfile, which Portage uses, sees them. */
async function readZip(bytes: Buffer): Promise<readonly { name: string; text: string; mode: number }[]> {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-zip-'))
  try {
    const path = join(folder, 'overlay.zip')
    await writeFile(path, bytes)
    const script =
      'import json, sys, zipfile\n' +
      'z = zipfile.ZipFile(sys.argv[1])\n' +
      'assert z.testzip() is None\n' +
      'print(json.dumps([dict(name=i.filename, text=z.read(i).decode(), mode=i.external_attr >> 16) for i in z.infolist()]))'
    const { stdout } = await run('python3', ['-c', script, path])
    return JSON.parse(stdout) as { name: string; text: string; mode: number }[]
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('the zip', () => {
  testWith('python3')('has each folder before its files, and profiles first of all', async () => {
    const entries = await readZip((await get('/overlays/staging.zip')).body)
    const seen = new Set([''])
    for (const { name } of entries) {
      const parent = name.replace(/[^/]+\/?$/, '')
      expect(seen, name).toContain(parent)
      seen.add(name)
    }
    expect(entries[0]?.name).toBe('profiles/')
    expect(entries.find(({ name }) => name === 'app-hub/shop/Manifest')?.mode).toBe(0o100644)
    expect(entries.find(({ name }) => name === 'app-hub/shop/')?.mode).toBe(0o40755)
  })

  testWith('python3')('holds what the tree holds', async () => {
    const entries = await readZip((await get('/overlays/staging.zip')).body)
    const files = entries.filter(({ name }) => !name.endsWith('/'))
    expect(files.map(({ name }) => name)).toContain('metadata/md5-cache/app-hub/shop-0_p2')
    for (const { name, text } of files) expect((await get(`/overlays/staging/tree/${name}`)).text).toBe(text)
  })

  testWith('unzip')('is unpacked by unzip to the folder that the hub writes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portage-hub-unzip-'))
    try {
      await writeFile(join(folder, 'o.zip'), (await get('/overlays/staging.zip')).body)
      await run('unzip', ['-q', 'o.zip', '-d', 'out'], { cwd: folder })
      await hub.hub.settled()
      expect(await filesBelow(join(folder, 'out'))).toEqual(
        await filesBelow(join(hub.directory, 'overlays', 'staging')),
      )
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('has a strong ETag that changes with the overlay and spares an unchanged download', async () => {
    await using own = await createTestHub()
    const before = await send(own.url, { path: '/overlays/staging.zip' })
    const etag = before.headers['etag'] ?? ''
    expect(etag).toMatch(/^"[^"]+"$/)
    expect(before.headers['cache-control']).toBe('private, no-cache')
    expect(before.headers['content-type']).toBe('application/zip')
    const ask = async () =>
      await send(own.url, { path: '/overlays/staging.zip', headers: { 'If-None-Match': etag } })
    expect((await ask()).status).toBe(304)
    await own.upload('shop', tarball({ f: '' }))
    const after = await ask()
    expect(after.status).toBe(200)
    expect(after.headers['etag']).not.toBe(etag)
  })

  test('has no body for HEAD, but its length', async () => {
    const whole = await get('/overlays/staging.zip')
    const head = await send(hub.url, { method: 'HEAD', path: '/overlays/staging.zip' })
    expect(head.body.byteLength).toBe(0)
    expect(head.headers['content-length']).toBe(String(whole.body.byteLength))
  })

  test('of one tree is the same bytes from every hub, at every time', async () => {
    const settings = { HUB_PUBLIC_URL: 'https://hub.example' }
    const zipOf = async (time: string): Promise<Buffer> => {
      await using own = await createTestHub(settings)
      own.clock.set(time)
      await own.upload('shop', tarball({ f: '1' }), { build: '1' })
      return (await send(own.url, { path: '/overlays/staging.zip' })).body
    }
    const [first, second] = [await zipOf('2026-01-02T03:04:05Z'), await zipOf('2031-12-31T23:59:59Z')]
    expect(first.equals(second)).toBe(true)
  })

  testWith('python3')('of a past revision stays as it was, for ever', async () => {
    const first = await get('/overlays/staging@2.zip')
    expect(first.headers['cache-control']).toBe('private, max-age=31536000, immutable')
    const names = (await readZip(first.body)).map(({ name }) => name)
    expect(names).toContain('app-hub/shop/shop-0_p1.ebuild')
    expect(names).not.toContain('app-hub/shop/shop-0_p2.ebuild')
    const newest = await get('/overlays/staging@3.zip')
    expect(newest.body.equals((await get('/overlays/staging.zip')).body)).toBe(true)
    expect(newest.headers['etag']).toBe((await get('/overlays/staging.zip')).headers['etag'])
  })
})

describe('the tree', () => {
  test('lists folders and shows files, of now and of then', async () => {
    expect((await get('/overlays/staging/tree')).json).toMatchObject({
      path: '',
      items: [{ name: 'app-hub' }, { name: 'metadata' }, { name: 'profiles', type: 'folder' }],
    })
    const listed = await get('/overlays/staging@2/tree/app-hub/shop')
    expect(listed.json['items']).toMatchObject([
      { name: 'Manifest', type: 'file' },
      { name: 'metadata.xml', type: 'file' },
      { name: 'shop-0_p1.ebuild', type: 'file' },
    ])
    const file = await get('/overlays/staging/tree/profiles/repo_name')
    expect(file.text).toBe('hub-staging\n')
    expect(file.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
    })
    const etag = file.headers['etag'] ?? ''
    const again = await get('/overlays/staging/tree/profiles/repo_name', { 'If-None-Match': etag })
    expect(again.status).toBe(304)
  })

  test.each(['/overlays/staging/tree/', '/overlays/staging/tree/app-hub/'])(
    '%s may end in a slash',
    async (path) => {
      expect((await get(path)).status).toBe(200)
    },
  )
})

test.each([
  ['/overlays/staging/tree/none', 404, 'overlay.no_such_path'],
  ['/overlays/staging/tree/profiles/repo_name/x', 404, 'overlay.no_such_path'],
  ['/overlays/staging@99/tree/profiles', 404, 'overlay.unknown_revision'],
  ['/overlays/staging@99.zip', 404, 'overlay.unknown_revision'],
  ['/overlays/staging@0.zip', 404, 'environment.unknown'],
  ['/overlays/moon.zip', 404, 'environment.unknown'],
  ['/overlays/moon/tree', 404, 'environment.unknown'],
  ['/overlays/staging.tar', 404, 'request.unknown_route'],
  ['/overlays/..%2fvar%2fhub.db.zip', 404, 'environment.unknown'],
  ['/overlays/staging@999999999999999.zip', 404, 'overlay.unknown_revision'],
  ['/overlays/staging/tree/%', 400, 'request.invalid'],
])('%s answers %i', async (path, status, code) => {
  const reply = await get(path)
  expect(reply.json).toMatchObject({ status, code })
  expect(reply.headers['etag']).toBeUndefined()
  expect(reply.headers['cache-control']).toBe('no-store')
})

test.each([
  '/overlays/staging/tree/..%2f..%2fvar',
  '/overlays/staging/tree/../../var/hub.db',
  '/overlays/staging/tree/%00',
  '/overlays/staging/tree/app-hub%2fshop',
  '/overlays/staging/tree//',
  '/overlays/staging/tree/.git/config',
  '/overlays/staging.git/config',
  '/overlays/%00.zip',
])('%s shows nothing else and does not fail', async (path) => {
  const reply = await get(path)
  expect(reply.status, reply.text).toBeLessThan(500)
  expect(reply.text).not.toMatch(/SQLite|repositoryformatversion/)
})

async function filesBelow(root: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    found[path.slice(root.length + 1)] = await readFile(path, 'utf8')
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)))
}
