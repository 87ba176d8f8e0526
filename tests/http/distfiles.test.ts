import { createHash, randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send } from '../support/raw-http.ts'
import type { RawReply } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const BYTES = tarball({ 'shop/data': randomBytes(5000) })
const SIZE = BYTES.byteLength
const NAME = 'hub-shop-1.0.0_p1.tar.gz'
const SHA512 = createHash('sha512').update(BYTES).digest('hex')
const FILENAME_HASH = `${createHash('blake2b512').update(NAME).digest('hex').slice(0, 2)}/${NAME}`
const CONTENT_HASH = `${SHA512.slice(0, 2)}/${SHA512.slice(2, 4)}/${SHA512}`
const ETAG = `"sha512-${SHA512}"`

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub()
  const reply = await hub.upload('shop', BYTES, { build: '1', version: '1.0.0' })
  if (reply.status !== 201) throw new Error(reply.text)
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<RawReply> {
  return await send(hub.url, { method, path: `/distfiles/staging/${path}`, headers })
}

test.each([
  NAME,
  FILENAME_HASH,
  CONTENT_HASH,
  `distfiles/${NAME}`,
  `distfiles/${FILENAME_HASH}`,
  `distfiles/${CONTENT_HASH}`,
])('the distfile is at %s', async (path) => {
  const reply = await get(path)
  expect(reply.status).toBe(200)
  expect(reply.body.equals(BYTES)).toBe(true)
})

test.each(['layout.conf', 'distfiles/layout.conf'])('%s names the layouts', async (path) => {
  const reply = await get(path)
  expect(reply.status).toBe(200)
  expect(reply.text).toBe('[structure]\n0=filename-hash BLAKE2B 8\n1=content-hash SHA512 8:8\n2=flat\n')
})

test('its header tells digest and size, and that it never changes', async () => {
  const reply = await get(NAME)
  const base64 = (algorithm: string) => createHash(algorithm).update(BYTES).digest('base64')
  expect(reply.headers).toMatchObject({
    etag: ETAG,
    'content-length': String(SIZE),
    'content-type': 'application/octet-stream',
    'cache-control': 'private, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
    'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT',
    'repr-digest': `sha-512=:${base64('sha512')}:, sha-256=:${base64('sha256')}:`,
  })
})

test('no Content-Encoding is ever put on it', async () => {
  const reply = await get(NAME, { 'Accept-Encoding': 'gzip, br, zstd' })
  expect(reply.headers['content-encoding']).toBeUndefined()
  expect(reply.body.equals(BYTES)).toBe(true)
})

test('HEAD answers the header of GET and no body', async () => {
  const [head, whole] = [await get(NAME, {}, 'HEAD'), await get(NAME)]
  expect(head.status).toBe(200)
  expect(head.body.byteLength).toBe(0)
  const lasting = ({ 'x-request-id': _, date: __, ...rest }: RawReply['headers']) => rest
  expect(lasting(head.headers)).toEqual(lasting(whole.headers))
})

describe('a range', () => {
  test.each([
    ['bytes=0-99', 0, 99],
    ['bytes=100-', 100, SIZE - 1],
    ['bytes=-50', SIZE - 50, SIZE - 1],
    [`bytes=0-${String(SIZE * 2)}`, 0, SIZE - 1],
    [`bytes=-${String(SIZE * 2)}`, 0, SIZE - 1],
    [`bytes=${String(SIZE - 1)}-`, SIZE - 1, SIZE - 1],
  ])('%s is sent alone', async (range, start, end) => {
    const reply = await get(NAME, { Range: range })
    expect(reply.status).toBe(206)
    expect(reply.headers['content-range']).toBe(`bytes ${String(start)}-${String(end)}/${String(SIZE)}`)
    expect(reply.headers['content-length']).toBe(String(end - start + 1))
    expect(reply.headers['etag']).toBe(ETAG)
    expect(reply.body.equals(BYTES.subarray(start, end + 1))).toBe(true)
  })

  test.each([`bytes=${String(SIZE)}-`, 'bytes=-0', 'bytes=99999999-100000000'])(
    '%s lies outside',
    async (range) => {
      const reply = await get(NAME, { Range: range })
      expect(reply.json).toMatchObject({ status: 416, code: 'request.range_not_satisfiable' })
      expect(reply.headers['content-range']).toBe(`bytes */${String(SIZE)}`)
      // What describes the file would be wrong of the refusal.
      for (const name of ['etag', 'repr-digest', 'last-modified']) expect(reply.headers[name]).toBeUndefined()
    },
  )

  test.each(['bytes=0-1,5-9', 'lines=1-2', 'bytes=a-b', 'bytes', 'bytes=0-1, 3000-'])(
    '%s is answered with the whole',
    async (range) => {
      const reply = await get(NAME, { Range: range })
      expect(reply.status).toBe(200)
      expect(reply.body.equals(BYTES)).toBe(true)
    },
  )

  test('of HEAD means nothing', async () => {
    const reply = await get(NAME, { Range: 'bytes=0-9' }, 'HEAD')
    expect([reply.status, reply.headers['content-length']]).toEqual([200, String(SIZE)])
  })

  test.each([
    [ETAG, 206],
    ['Fri, 02 Jan 2026 03:04:05 GMT', 206],
    ['"other"', 200],
    [`W/${ETAG}`, 200],
    ['Fri, 02 Jan 2026 03:04:06 GMT', 200],
  ])('with If-Range %s answers %i', async (condition, status) => {
    const reply = await get(NAME, { Range: 'bytes=10-', 'If-Range': condition })
    expect(reply.status).toBe(status)
    expect(reply.body.equals(status === 206 ? BYTES.subarray(10) : BYTES)).toBe(true)
  })
})

test.each([
  [{ 'If-None-Match': ETAG }, 304],
  [{ 'If-None-Match': `"a", W/${ETAG}` }, 304],
  [{ 'If-None-Match': '*' }, 304],
  [{ 'If-None-Match': '"other"' }, 200],
  [{ 'If-Modified-Since': 'Fri, 02 Jan 2026 03:04:05 GMT' }, 304],
  [{ 'If-Modified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' }, 200],
  [{ 'If-None-Match': ETAG, Range: 'bytes=0-9' }, 304],
])('%j answers %i', async (headers, status) => {
  const reply = await get(NAME, headers)
  expect(reply.status).toBe(status)
  expect(reply.headers['etag']).toBe(ETAG)
  expect(reply.body.byteLength).toBe(status === 304 ? 0 : SIZE)
})

test.each([
  'no-such-file.tar.gz',
  `00/${NAME}`,
  `distfiles/distfiles/${NAME}`,
  `ff/ff/${SHA512}`,
  SHA512,
  `${SHA512.slice(0, 2)}/${SHA512}`,
  `${'0'.repeat(2)}/00/${'0'.repeat(128)}`,
  '..%2f..%2fvar%2fhub.db',
  '%2e%2e/%2e%2e/var/hub.db',
  '../../var/hub.db',
  '../archive/x',
  '..%5c..%5cvar',
  `..%2fstaging%2f${NAME}`,
  `${NAME}%00`,
  '%00',
  `x%2f${NAME}`,
  `./${NAME}`,
  '%ff%fe',
  '%',
  '%c0%ae%c0%ae/x',
  'a'.repeat(8000),
])('%s is not there, and nothing fails', async (path) => {
  const reply = await get(path)
  expect(reply.status, reply.text).toBeGreaterThanOrEqual(400)
  expect(reply.status, reply.text).toBeLessThan(500)
})

test.each(['', 'distfiles/', '/'])('the folder %j is not listed', async (path) => {
  expect((await get(path)).status).toBe(404)
})

test('a name that nobody released has its own code', async () => {
  expect((await get('x.tar.gz')).json).toMatchObject({ status: 404, code: 'distfile.unknown' })
})

test('the mirror of production does not show what only staging has', async () => {
  for (const path of [NAME, FILENAME_HASH, CONTENT_HASH, `distfiles/${NAME}`]) {
    const reply = await send(hub.url, { path: `/distfiles/production/${path}` })
    expect(reply.json).toMatchObject({ status: 404, code: 'distfile.unknown' })
  }
  await using other = await createTestHub()
  await other.upload('shop', BYTES, { build: '1', version: '1.0.0' })
  await other.promote('shop', 1, 'production')
  expect((await send(other.url, { path: `/distfiles/production/${NAME}` })).status).toBe(200)
})

test('an environment that is not there has no mirror', async () => {
  const reply = await send(hub.url, { path: `/distfiles/moon/${NAME}` })
  expect(reply.json).toMatchObject({ status: 404, code: 'environment.unknown' })
})

test('the tarball of a build is served likewise, under the name of its distfile', async () => {
  const path = '/api/v1/apps/shop/builds/1/tarball'
  const reply = await send(hub.url, { path, headers: { Range: 'bytes=0-9' } })
  expect(reply.status).toBe(206)
  expect(reply.headers['content-disposition']).toBe(`attachment; filename="${NAME}"`)
  expect(reply.headers['etag']).toBe(ETAG)
})

test('a blob that is lost is a fault that says nothing of the disk, and no broken download', async () => {
  await using broken = await createTestHub()
  const { body } = await broken.upload('shop', BYTES, { build: '1', version: '1.0.0' })
  await rm(broken.hub.paths.blob(body.tarball.sha512))
  const reply = await send(broken.url, { path: `/distfiles/staging/${NAME}` })
  expect(reply.status).toBe(500)
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(reply.text).not.toContain(broken.directory)
  expect(reply.headers['repr-digest']).toBeUndefined()
})

test('where the operator opens an environment, nobody needs a token for its files, and others stay closed', async () => {
  await using open = await createTestHub({ HUB_ANONYMOUS_READ: 'staging' })
  await open.upload('shop', BYTES, { build: '1', version: '1.0.0' })
  const fetch = async (path: string) => await send(open.url, { path, token: null })
  const reply = await fetch(`/distfiles/staging/${NAME}`)
  expect(reply.status).toBe(200)
  expect(reply.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  expect((await fetch('/overlays/staging.zip')).status).toBe(200)
  expect((await fetch('/git/staging.git/info/refs?service=git-upload-pack')).status).toBe(200)
  for (const path of [
    `/distfiles/production/${NAME}`,
    '/overlays/production.zip',
    '/git/production.git/info/refs?service=git-upload-pack',
    '/api/v1/environments/staging',
    '/api/v1/apps',
  ]) {
    expect((await fetch(path)).json, path).toMatchObject({ status: 401, code: 'auth.required' })
  }
})
