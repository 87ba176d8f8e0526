import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BOUNDARY, FORM_TYPE, formBody, send } from '../support/raw-http.ts'
import { tarball, tarOf } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const SHOP = tarball({ 'shop-6/bin/shop': 'hi' })
const BUILDS = '/api/v1/apps/shop/builds'

/** The state in which a refusal must leave a hub that had nothing before. */
async function expectNothingKept(hub: TestHub): Promise<void> {
  expect(await hub.storedFiles()).toEqual([])
  expect((await hub.as().get('/api/v1/builds')).body.items).toEqual([])
  expect((await hub.as().get('/api/v1/apps')).body.items).toEqual([])
  expect((await hub.as().get('/api/v1/promotions')).body.items).toEqual([])
  expect((await hub.as().get('/api/v1/environments/staging')).body.overlay.revision).toBe(1)
}

/** A hub that refuses everything it is sent, so that it can serve many tests. */
let empty: TestHub
beforeAll(async () => {
  empty = await createTestHub()
})
afterAll(async () => {
  await empty[Symbol.asyncDispose]()
})

test('a new build answers 201 with all that is known of it, and where it is', async () => {
  await using hub = await createTestHub()
  const reply = await hub.upload('shop', SHOP, {
    build: '45',
    version: '6.1.0-rc.2',
    commit: '0123abcd',
    branch: 'main',
    ciUrl: 'https://ci.example/job/45',
  })
  expect(reply.status, reply.text).toBe(201)
  expect(reply.headers['location']).toBe('/api/v1/apps/shop/builds/45')
  expect(reply.body).toMatchObject({
    id: 'shop/45',
    app: 'shop',
    build: 45,
    version: '6.1.0-rc.2',
    cpv: 'app-hub/shop-6.1.0_rc2_p45',
    tarball: {
      name: 'hub-shop-6.1.0_rc2_p45.tar.gz',
      format: 'tar.gz',
      sizeBytes: SHOP.byteLength,
      sha512: createHash('sha512').update(SHOP).digest('hex'),
      sha256: createHash('sha256').update(SHOP).digest('hex'),
      blake2b: createHash('blake2b512').update(SHOP).digest('hex'),
    },
    contents: { topDirectory: 'shop-6', entryCount: 1 },
    commit: '0123abcd',
    branch: 'main',
    ciUrl: 'https://ci.example/job/45',
    uploadedBy: 'HUB_ADMIN_TOKEN',
    receivedAt: '2026-01-02T03:04:05Z',
    recipeSource: 'default',
  })
  expect((await hub.as().get(`${BUILDS}/45`)).body).toMatchObject({ id: 'shop/45' })
  const { sha512 } = reply.body.tarball
  expect(await hub.storedFiles()).toEqual([`distfiles/archive/${sha512.slice(0, 2)}/${sha512}`])
})

test('the same build with the same bytes again answers 200 with the same words and makes no revision', async () => {
  await using hub = await createTestHub()
  const first = await hub.upload('shop', SHOP, { build: '45', version: '6.1.0' })
  hub.clock.set('2026-02-02T00:00:00Z')
  const again = await hub.upload('shop', SHOP, { build: '45', version: '6.1.0' })
  expect([first.status, again.status]).toEqual([201, 200])
  expect(again.body).toEqual(first.body)
  const withoutVersion = await hub.upload('shop', SHOP, { build: '45' })
  expect(withoutVersion.status).toBe(200)
  expect((await hub.as().get('/api/v1/environments/staging')).body.overlay.revision).toBe(2)
  expect(await hub.storedFiles()).toHaveLength(1)
})

test.each([
  ['other bytes', tarball({ 'shop-6/bin/shop': 'other' }), { version: '6.1.0' }],
  ['another version', SHOP, { version: '6.1.1' }],
  ['a version that is none', SHOP, { version: 'x' }],
])('the same build with %s is refused and changes nothing', async (_what, bytes, fields) => {
  await using hub = await createTestHub()
  const first = await hub.upload('shop', SHOP, { build: '45', version: '6.1.0' })
  const files = await hub.storedFiles()
  const before = (await hub.as().get(`${BUILDS}/45`)).body
  const reply = await hub.upload('shop', bytes, { build: '45', ...fields })
  expect(reply.status).toBe(409)
  expect(reply.body).toMatchObject({
    code: 'build.duplicate',
    archived: { sha512: first.body.tarball.sha512, version: '6.1.0' },
  })
  expect(await hub.storedFiles()).toEqual(files)
  expect((await hub.as().get(`${BUILDS}/45`)).body).toEqual(before)
})

test.each([
  [
    'gzip, bzip2, xz and zstd aside, bytes of no known form',
    randomBytes(2000),
    {},
    415,
    'archive.unsupported_format',
  ],
  [
    'a zip',
    Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(600)]),
    {},
    415,
    'archive.unsupported_format',
  ],
  ['an empty file', Buffer.alloc(0), {}, 422, 'archive.empty'],
  ['an archive of nothing', tarball({}), {}, 422, 'archive.empty'],
  ['half an archive', SHOP.subarray(0, SHOP.byteLength - 20), {}, 422, 'archive.corrupt'],
  ['a path that leaves the folder', tarball({ '../evil': '' }), {}, 422, 'archive.unsafe_path'],
  ['an absolute path', tarball({ '/etc/evil': '' }), {}, 422, 'archive.unsafe_path'],
  [
    'a link that leaves the folder',
    tarball({ 'a/l': '-> ../../etc/passwd' }),
    {},
    422,
    'archive.unsafe_link',
  ],
  ['a name with a line feed', tarball({ 'a/b\nc': '' }), {}, 422, 'archive.unsafe_name'],
  ['a device', gzipSync(tarOf({ name: 'a/dev', type: '3' })), {}, 422, 'archive.unsafe_type'],
  ['a set-user-id file', gzipSync(tarOf({ name: 'a/x', mode: 0o4755 })), {}, 422, 'archive.unsafe_mode'],
  ['one name twice', gzipSync(tarOf({ name: 'a/x' }, { name: 'a/x' })), {}, 422, 'archive.duplicate_entry'],
  ['a recipe with an unknown key', SHOP, { recipe: 'instal: {}' }, 422, 'recipe.invalid'],
  ['a recipe in the tarball that is none', tarball({ 'portage-hub.yaml': '- x' }), {}, 422, 'recipe.invalid'],
  [
    'a recipe that names what is not there',
    SHOP,
    { recipe: 'install: {executables: [bin/none]}' },
    422,
    'recipe.not_in_tarball',
  ],
  ['a version that no order holds', SHOP, { version: '1.0.0-preview.x' }, 422, 'version.no_lossless_form'],
  ['a version that is none', SHOP, { version: 'one' }, 422, 'version.invalid'],
  ['a build number of zero', SHOP, { build: '0' }, 422, 'build.invalid_number'],
  ['a build number that is none', SHOP, { build: '4x' }, 422, 'build.invalid_number'],
  ['another digest than it has', SHOP, { sha512: '0'.repeat(128) }, 422, 'upload.digest_mismatch'],
  ['a digest that is none', SHOP, { sha512: 'abc' }, 400, 'request.invalid'],
  ['a field that nobody knows', SHOP, { versoin: '1.0.0' }, 400, 'request.invalid'],
  ['a field of the prototype', SHOP, { __proto__x: '1' }, 400, 'request.invalid'],
  ['a commit of two lines', SHOP, { commit: 'a\nb' }, 400, 'request.invalid'],
  ['a link that a browser would run', SHOP, { ciUrl: 'javascript:alert(1)' }, 400, 'request.invalid'],
  ['an environment that is not there', SHOP, { promote: 'moon' }, 404, 'environment.unknown'],
  ['a dry run that is neither', SHOP, { dryRun: 'maybe' }, 400, 'request.invalid'],
] as const)('%s: refused, and nothing is kept', async (_what, bytes, fields, status, code) => {
  const reply = await empty.upload('shop', bytes, { build: '45', ...fields })
  expect(reply.body, reply.text).toMatchObject({ status, code })
  expect(reply.status).toBe(status)
  await expectNothingKept(empty)
})

test.each([
  ['Shop', 'app.invalid_name'],
  ['shop-1', 'app.invalid_name'],
  ['-x', 'app.invalid_name'],
  ['..%2fx', 'app.invalid_name'],
  ['shop%00', 'app.invalid_name'],
])('no app is called %s', async (name, code) => {
  const reply = await empty.upload(name, SHOP, { build: '45' })
  expect(reply.body).toMatchObject({ status: 422, code })
  await expectNothingKept(empty)
})

test.each([
  ['HUB_MAX_ENTRIES', '2', tarball({ a: '', b: '', c: '' }), 'archive.too_many_entries'],
  ['HUB_MAX_UNPACKED', '100KiB', tarball({ a: randomBytes(200_000) }), 'archive.too_large_unpacked'],
  ['HUB_MAX_UNPACKED', '1GiB', tarball({ a: Buffer.alloc(80 * 2 ** 20) }), 'archive.ratio_too_high'],
])('%s=%s keeps out what unpacks to too much', async (variable, value, bytes, code) => {
  await using hub = await createTestHub({ [variable]: value })
  const reply = await hub.upload('shop', bytes, { build: '45' })
  expect(reply.body).toMatchObject({ status: 422, code })
  await expectNothingKept(hub)
})

test('the refusal of an unknown field names it', async () => {
  const reply = await empty.upload('shop', SHOP, { versoin: '1.0.0' })
  expect(reply.body.detail).toContain('versoin')
})

test('a refused version comes with the nearest one that would do', async () => {
  const reply = await empty.upload('shop', SHOP, { build: '1', version: '1.0.0-rc.1.2' })
  expect(reply.body).toMatchObject({ code: 'version.no_lossless_form', nearest: expect.any(String) })
})

test('an app keeps its category', async () => {
  await using hub = await createTestHub()
  await hub.upload('shop', SHOP, { build: '1', recipe: 'category: app-acme' })
  const files = await hub.storedFiles()
  const reply = await hub.upload('shop', tarball({ other: '' }), {
    build: '2',
    recipe: 'category: app-other',
  })
  expect(reply.body).toMatchObject({ status: 422, code: 'app.category_fixed' })
  expect(await hub.storedFiles()).toEqual(files)
  const next = await hub.upload('shop', SHOP, { build: '2' })
  expect(next.body.category).toBe('app-acme')
})

describe('the form', () => {
  const post = async (hub: TestHub, body: Buffer, headers: Record<string, string> = {}) =>
    await send(hub.url, {
      method: 'POST',
      path: BUILDS,
      headers: { 'Content-Type': FORM_TYPE, ...headers },
      body,
    })

  test.each([
    ['has no tarball', formBody({ build: '1' }), {}, 400, 'upload.missing_tarball'],
    ['is none', Buffer.from('{}'), { 'Content-Type': 'application/json' }, 400, 'upload.missing_tarball'],
    ['has the tarball as a field', formBody({ tarball: 'text' }), {}, 400, 'upload.missing_tarball'],
    ['has a file of another name', formBody({ tarball: SHOP, extra: SHOP }), {}, 400, 'request.invalid'],
    ['says no boundary', formBody({}), { 'Content-Type': 'multipart/form-data' }, 400, 'request.invalid'],
    [
      'has parts without a name',
      Buffer.from(`--${BOUNDARY}\r\n\r\nx\r\n--${BOUNDARY}--\r\n`),
      {},
      400,
      undefined,
    ],
    [
      'says a field twice',
      Buffer.concat([
        formBody({ build: '1' }).subarray(0, -(BOUNDARY.length + 6)),
        formBody({ build: '2', tarball: SHOP }),
      ]),
      {},
      400,
      'request.invalid',
    ],
    [
      'brings two tarballs',
      Buffer.concat([
        formBody({ tarball: SHOP }).subarray(0, -(BOUNDARY.length + 6)),
        formBody({ tarball: SHOP }),
      ]),
      {},
      400,
      'request.invalid',
    ],
    [
      'has a name of the prototype',
      formBody({ ['__proto__']: 'x', tarball: SHOP }),
      {},
      400,
      'request.invalid',
    ],
    ['nests a name', formBody({ 'build[a]': 'x', tarball: SHOP }), {}, 400, 'request.invalid'],
    [
      'has a field of 300 KiB',
      formBody({ recipe: ' '.repeat(300 * 1024), tarball: SHOP }),
      {},
      400,
      'request.invalid',
    ],
    [
      'has a recipe file of 300 KiB',
      formBody({ recipe: Buffer.alloc(300 * 1024, ' '), tarball: SHOP }),
      {},
      413,
      'request.too_large',
    ],
    [
      'has a recipe that is no text',
      formBody({ recipe: Buffer.from([0xff, 0xfe]), tarball: SHOP }),
      {},
      400,
      'request.invalid',
    ],
    ['has thirty fields', formBody(manyFields(30)), {}, 400, 'request.invalid'],
    [
      'has another digest than its header says',
      formBody({ tarball: SHOP }),
      { 'Content-Digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` },
      422,
      'upload.digest_mismatch',
    ],
    [
      'has a header of digests that is none',
      formBody({ tarball: SHOP }),
      { 'Repr-Digest': 'md5' },
      400,
      'request.invalid',
    ],
  ] as const)('that %s is refused and nothing is kept', async (_what, body, headers, status, code) => {
    const reply = await post(empty, body, headers)
    if (code !== undefined) expect(reply.json).toMatchObject({ status, code })
    expect(reply.status, reply.text).toBe(status)
    await expectNothingKept(empty)
  })

  test('that sends the recipe as a field and as a file is refused', async () => {
    const twice = Buffer.concat([
      formBody({ recipe: '{}' }).subarray(0, -(BOUNDARY.length + 6)),
      formBody({ recipe: Buffer.from('{}'), tarball: SHOP }),
    ])
    const reply = await post(empty, twice)
    expect(reply.json).toMatchObject({ status: 400, code: 'request.invalid' })
    await expectNothingKept(empty)
  })

  test('is taken when the digests of its header are those of its bytes', async () => {
    await using hub = await createTestHub()
    const body = formBody({ build: '7', tarball: SHOP })
    const digest = createHash('sha512').update(body).digest('base64')
    const reply = await post(hub, body, { 'Content-Digest': `sha-512=:${digest}:, unixsum=:AAA=:` })
    expect(reply.status, reply.text).toBe(201)
  })

  test('may bring its fields after its file, and empty ones count as absent', async () => {
    await using hub = await createTestHub()
    const reply = await post(
      hub,
      formBody({ tarball: SHOP, build: '9', version: '', promote: '', recipe: '' }),
    )
    expect(reply.json, reply.text).toMatchObject({ build: 9, version: null })
  })
})

test('a tarball over HUB_MAX_UPLOAD is refused at the limit and one of just that size is taken', async () => {
  await using hub = await createTestHub({ HUB_MAX_UPLOAD: String(SHOP.byteLength) })
  const larger = Buffer.concat([SHOP, Buffer.alloc(1)])
  const reply = await hub.upload('shop', larger, { build: '1' })
  expect(reply.body).toMatchObject({ status: 413, code: 'upload.too_large', limitBytes: SHOP.byteLength })
  await expectNothingKept(hub)
  expect((await hub.upload('shop', SHOP, { build: '1' })).status).toBe(201)
})

test('a build without a number gets the next one, and no number is given twice', async () => {
  await using hub = await createTestHub()
  const number = async (fields: Record<string, string>, content: string) =>
    (await hub.upload('shop', tarball({ f: content }), fields)).body.build
  expect(await number({}, 'a')).toBe(1)
  expect(await number({ build: '45' }, 'b')).toBe(45)
  expect(await number({ build: '10' }, 'c')).toBe(10)
  expect(await number({}, 'd')).toBe(46)
  // The same bytes again without a number are another build: only the number says which one is meant.
  expect(await number({}, 'd')).toBe(47)
})

function manyFields(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${String(index)}`, 'x']))
}

test.each(['ENOSPC', 'EDQUOT'])(
  'a disk that is full (%s) is told as such, and nothing is kept',
  async (code) => {
    await using hub = await createTestHub()
    const createUpload = hub.hub.blobs.createUpload.bind(hub.hub.blobs)
    hub.hub.blobs.createUpload = async () => {
      const upload = await createUpload()
      upload.handle.write = () => Promise.reject(Object.assign(new Error('no room'), { code }))
      return upload
    }
    const reply = await hub.upload('shop', SHOP, { build: '1' })
    expect(reply.body).toMatchObject({ status: 507, code: 'storage.full' })
    const raw = await send(hub.url, { method: 'PUT', path: `${BUILDS}/1/tarball`, body: SHOP })
    expect(raw.json).toMatchObject({ status: 507, code: 'storage.full' })
    await expectNothingKept(hub)
  },
)
