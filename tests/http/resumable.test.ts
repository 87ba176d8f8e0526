/** Every rule of tus 1.0.0 that the hub speaks, request by request. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { MOST_UNFINISHED, removeUpload } from '../../src/builds/partial-upload.ts'
import { send } from '../support/raw-http.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import {
  begin,
  beginRaw,
  checksum,
  chunkHead,
  CHUNK_TYPE,
  end,
  finished,
  head,
  offsetOf,
  patch,
  TUS,
  UPLOADS,
} from '../support/tus.ts'

const BYTES = randomBytes(1000)

let hub: TestHub
beforeAll(async () => {
  hub = await createTestHub({ HUB_MAX_UPLOAD: '1MiB' })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

afterEach(async () => {
  for (const { id } of await hub.hub.records.partialUploads.all()) await removeUpload(hub.hub, id)
})

function bytesOf(id: string): Buffer {
  return readFileSync(join(hub.directory, 'var', 'partial-uploads', id))
}

describe('OPTIONS', () => {
  test.each([UPLOADS, `${UPLOADS}/upl_any`])('%s tells everybody what is taken', async (path) => {
    const reply = await send(hub.url, { method: 'OPTIONS', path, token: null })
    expect(reply.status).toBe(204)
    expect(reply.headers).toMatchObject({
      'tus-resumable': '1.0.0',
      'tus-version': '1.0.0',
      'tus-extension': 'creation,creation-with-upload,termination,expiration,checksum',
      'tus-max-size': '1048576',
      'tus-checksum-algorithm': 'sha1,sha256,sha512',
    })
  })
})

describe('Tus-Resumable', () => {
  test.each(['0.2.2', '2.0.0', '', '1.0'])('%j is another version', async (version) => {
    const id = await begin(hub, 10)
    const headers = { 'Tus-Resumable': version }
    for (const reply of [
      await beginRaw(hub, 10, { headers }),
      await patch(hub, id, 0, BYTES.subarray(0, 10), { headers }),
      await end(hub, id, { headers }),
    ]) {
      expect(reply.json).toMatchObject({ status: 412, code: 'upload.unsupported_version' })
      expect(reply.headers).toMatchObject({ 'tus-version': '1.0.0', 'tus-resumable': '1.0.0' })
    }
    expect((await head(hub, id, { headers })).status).toBe(412)
    expect(await offsetOf(hub, id)).toBe(0)
  })

  test('is missed too, but by GET, which is for people', async () => {
    const id = await begin(hub, 10)
    const path = `${UPLOADS}/${id}`
    expect((await send(hub.url, { method: 'PATCH', path, headers: chunkHead(0) })).status).toBe(412)
    const { status, json } = await send(hub.url, { path })
    expect(status).toBe(200)
    expect(json).toEqual({
      ...{ id, sizeBytes: 10, offset: 0, app: null, build: null },
      ...{ createdAt: '2026-01-02T03:04:05Z', expiresAt: '2026-01-03T03:04:05Z' },
    })
  })
})

describe('POST', () => {
  test('begins an upload and says where and how long it is', async () => {
    const metadata = 'filename c2hvcC50YXIuZ3o=,empty,note '
    const reply = await beginRaw(hub, 1000, { headers: { 'Upload-Metadata': metadata } })
    const id = String(reply.json['id'])
    expect(reply.status).toBe(201)
    expect(id).toMatch(/^upl_[0-9a-z]{22}$/)
    expect(reply.headers).toMatchObject({
      location: `${UPLOADS}/${id}`,
      'upload-offset': '0',
      'upload-expires': 'Sat, 03 Jan 2026 03:04:05 GMT',
      'tus-resumable': '1.0.0',
    })
    const { status, headers, body } = await head(hub, id)
    expect({ status, body: body.byteLength }).toEqual({ status: 200, body: 0 })
    expect(headers).toMatchObject({
      'upload-offset': '0',
      'upload-length': '1000',
      'upload-metadata': metadata.trim(),
      'cache-control': 'no-store',
      'tus-resumable': '1.0.0',
    })
  })

  test.each([
    ['no length', {}, ''],
    ['a negative length', {}, '-1'],
    ['a length with a sign', {}, '+1'],
    ['a broken length', {}, '1.5'],
    ['no number', {}, 'ten'],
    ['a number beyond numbers', {}, '99999999999999999999'],
    ['a length that comes later', { 'Upload-Defer-Length': '1' }, '10'],
    ['a part of another upload', { 'Upload-Concat': 'partial' }, '10'],
    ['metadata with a key twice', { 'Upload-Metadata': 'a YQ==,a Yg==' }, '10'],
    ['metadata that is no base64', { 'Upload-Metadata': 'a {}' }, '10'],
    ['metadata without a key', { 'Upload-Metadata': ',' }, '10'],
    ['too much metadata', { 'Upload-Metadata': `a ${'A'.repeat(4096)}` }, '10'],
  ])('with %s is refused', async (_what, headers, length) => {
    const before = await hub.storedFiles()
    expect((await beginRaw(hub, length, { headers })).json).toMatchObject({
      status: 400,
      code: 'request.invalid',
    })
    expect(await hub.storedFiles()).toEqual(before)
  })

  test('of more than the hub takes is refused before a byte is sent', async () => {
    expect((await beginRaw(hub, 1_048_577)).json).toMatchObject({
      ...{ status: 413, code: 'upload.too_large', limitBytes: 1_048_576 },
    })
    expect((await beginRaw(hub, 1_048_576)).status).toBe(201)
  })

  test('as a dry run leaves nothing', async () => {
    const before = await hub.storedFiles()
    const reply = await beginRaw(hub, 10, { path: `${UPLOADS}?dryRun=true` })
    expect(reply.json).toMatchObject({ dryRun: true, sizeBytes: 10 })
    expect(reply.headers.location).toBeUndefined()
    expect(await hub.storedFiles()).toEqual(before)
  })

  test('may bring the first bytes, or all', async () => {
    const headers = { 'Content-Type': CHUNK_TYPE, 'Upload-Length': '1000' }
    const first = await send(hub.url, {
      ...{ method: 'POST', path: UPLOADS, headers: { ...TUS, ...headers }, body: BYTES.subarray(0, 400) },
    })
    expect(first.status).toBe(201)
    expect(first.headers).toMatchObject({ 'upload-offset': '400' })
    const id = String(first.json['id'])
    expect((await patch(hub, id, 400, BYTES.subarray(400))).headers['upload-offset']).toBe('1000')
    expect(bytesOf(id)).toEqual(BYTES)
  })

  test.each<[string, number, Record<string, string>, Buffer]>([
    ['too many bytes', 413, {}, randomBytes(1001)],
    ['another type', 415, { 'Content-Type': 'application/json' }, BYTES],
    ['a wrong checksum', 460, { 'Upload-Checksum': checksum('sha256', Buffer.from('x')) }, BYTES],
  ])('that brings bytes with %s leaves nothing', async (_what, status, more, body) => {
    const before = await hub.storedFiles()
    const headers = { ...TUS, 'Upload-Length': '1000', 'Content-Type': CHUNK_TYPE, ...more }
    expect((await send(hub.url, { method: 'POST', path: UPLOADS, headers, body })).status).toBe(status)
    expect(await hub.storedFiles()).toEqual(before)
  })

  test(`takes ${String(MOST_UNFINISHED)} unfinished uploads of a token, names them, and goes on when one ends`, async () => {
    const token = await hub.token('developer')
    const ids: string[] = []
    for (let count = 0; count < MOST_UNFINISHED; count++) ids.push(await begin(hub, 1, { token }))
    const refused = await beginRaw(hub, 1, { token })
    expect(refused.json).toMatchObject({ status: 429, code: 'upload.too_many', uploads: ids })
    expect((await beginRaw(hub, 1)).status).toBe(201)
    await end(hub, ids[5] ?? '', { token })
    expect((await beginRaw(hub, 1, { token })).status).toBe(201)
    for (const id of ids) await end(hub, id, { token })
  })
})

describe('PATCH', () => {
  test('appends, says where the upload stands, and keeps it alive', async () => {
    const id = await begin(hub, 1000)
    hub.clock.set('2026-01-02T04:00:00Z')
    const reply = await patch(hub, id, 0, BYTES.subarray(0, 300))
    expect({ status: reply.status, body: reply.text }).toEqual({ status: 204, body: '' })
    expect(reply.headers).toMatchObject({
      'upload-offset': '300',
      'upload-expires': 'Sat, 03 Jan 2026 04:00:00 GMT',
      'tus-resumable': '1.0.0',
    })
    hub.clock.set('2026-01-02T03:04:05Z')
    expect(await offsetOf(hub, id)).toBe(300)
    await patch(hub, id, 300, BYTES.subarray(300))
    expect(bytesOf(id)).toEqual(BYTES)
    expect((await head(hub, id)).headers).toMatchObject({ 'upload-offset': '1000', 'upload-length': '1000' })
  })

  test.each([0, 299, 301, 1000, 5000])('at %i while the upload stands at 300 changes nothing', async (at) => {
    const id = await begin(hub, 1000)
    await patch(hub, id, 0, BYTES.subarray(0, 300))
    expect((await patch(hub, id, at, BYTES.subarray(at, at + 100))).json).toMatchObject({
      ...{ status: 409, code: 'upload.offset_mismatch', offset: 300 },
    })
    expect(bytesOf(id)).toEqual(BYTES.subarray(0, 300))
  })

  test('sent twice counts once', async () => {
    const id = await begin(hub, 1000)
    const body = BYTES.subarray(0, 500)
    expect((await patch(hub, id, 0, body)).status).toBe(204)
    expect((await patch(hub, id, 0, body)).json['code']).toBe('upload.offset_mismatch')
    expect((await patch(hub, id, 500, BYTES.subarray(500))).status).toBe(204)
    expect((await patch(hub, id, 500, BYTES.subarray(500))).json['code']).toBe('upload.offset_mismatch')
    expect(bytesOf(id)).toEqual(BYTES)
  })

  test('of nothing is no error, at any time', async () => {
    const id = await begin(hub, 10)
    expect((await patch(hub, id, 0, Buffer.alloc(0))).headers['upload-offset']).toBe('0')
    await patch(hub, id, 0, BYTES.subarray(0, 10))
    expect((await patch(hub, id, 10, Buffer.alloc(0))).headers['upload-offset']).toBe('10')
    const empty = await begin(hub, 0)
    expect((await patch(hub, empty, 0, Buffer.alloc(0))).status).toBe(204)
  })

  test('that says it brings too much is refused whole', async () => {
    const id = await begin(hub, 500)
    const reply = await patch(hub, id, 0, BYTES.subarray(0, 501))
    expect(reply.json).toMatchObject({ status: 413, code: 'upload.too_long', sizeBytes: 500 })
    expect(bytesOf(id)).toHaveLength(0)
  })

  test('that brings too much without saying so never goes beyond the length', async () => {
    const id = await begin(hub, 500)
    async function* chunks() {
      yield BYTES.subarray(0, 400)
      // Apart, so that they do not arrive as one.
      await new Promise((resolve) => setTimeout(resolve, 50))
      yield BYTES.subarray(400)
    }
    const reply = await patch(hub, id, 0, chunks())
    expect(reply.json).toMatchObject({ status: 413, code: 'upload.too_long' })
    const stands = await offsetOf(hub, id)
    expect([0, 400]).toContain(stands)
    expect(bytesOf(id)).toEqual(BYTES.subarray(0, stands))
    async function* more() {
      yield BYTES.subarray(0, 1)
    }
    const whole = await finished(hub, BYTES)
    expect((await patch(hub, whole, 1000, more())).json['code']).toBe('upload.too_long')
    expect(bytesOf(whole)).toEqual(BYTES)
  })

  test.each<Record<string, string>>([
    { 'Content-Type': 'application/octet-stream' },
    { 'Content-Type': 'application/x-www-form-urlencoded' },
    { 'Content-Encoding': 'gzip' },
  ])('as %j is refused', async (headers) => {
    const id = await begin(hub, 1000)
    expect((await patch(hub, id, 0, BYTES, { headers })).json).toMatchObject({
      ...{ status: 415, code: 'upload.unsupported_type' },
    })
    expect(bytesOf(id)).toHaveLength(0)
  })

  test.each(['', '-1', '1e3', '0x0', ' '])('with the offset %j is refused', async (offset) => {
    const id = await begin(hub, 1000)
    expect((await patch(hub, id, offset, BYTES)).json).toMatchObject({ code: 'request.invalid' })
  })

  test('has no dry run', async () => {
    const id = await begin(hub, 1000)
    const path = `${UPLOADS}/${id}?dryRun=true`
    expect((await patch(hub, id, 0, BYTES, { path })).json).toMatchObject({ code: 'request.invalid' })
    expect(bytesOf(id)).toHaveLength(0)
  })
})

describe('a checksum', () => {
  test.each(['sha1', 'sha256', 'sha512'])('by %s that holds lets the chunk count', async (algorithm) => {
    const id = await begin(hub, 1000)
    const headers = { 'Upload-Checksum': checksum(algorithm, BYTES) }
    expect((await patch(hub, id, 0, BYTES, { headers })).status).toBe(204)
    expect(bytesOf(id)).toEqual(BYTES)
  })

  test.each(['sha256', 'sha512'])(
    'by %s that does not hold keeps nothing of the chunk',
    async (algorithm) => {
      const id = await begin(hub, 1000)
      await patch(hub, id, 0, BYTES.subarray(0, 100))
      const headers = { 'Upload-Checksum': checksum(algorithm, BYTES) }
      const wrong = await patch(hub, id, 100, BYTES.subarray(100), { headers })
      expect(wrong.json).toMatchObject({ status: 460, code: 'upload.checksum_mismatch' })
      expect(await offsetOf(hub, id)).toBe(100)
      expect(bytesOf(id)).toEqual(BYTES.subarray(0, 100))
      expect((await patch(hub, id, 100, BYTES.subarray(100))).status).toBe(204)
      expect(bytesOf(id)).toEqual(BYTES)
    },
  )

  test.each(['md5 1B2M2Y8AsgTpgAmY7PhCfg==', 'sha256', 'sha256 AAAA', 'sha512 {}', '', 'toString AAAA'])(
    'that is %j is refused',
    async (value) => {
      const id = await begin(hub, 1000)
      const reply = await patch(hub, id, 0, BYTES, { headers: { 'Upload-Checksum': value } })
      expect(reply.json).toMatchObject({ status: 400, code: 'request.invalid' })
      expect(await offsetOf(hub, id)).toBe(0)
    },
  )
})

describe('DELETE', () => {
  test('ends an upload, and nothing of it is left', async () => {
    const before = await hub.storedFiles()
    const id = await begin(hub, 1000)
    await patch(hub, id, 0, BYTES.subarray(0, 100))
    expect((await end(hub, id, { path: `${UPLOADS}/${id}?dryRun=true` })).status).toBe(204)
    expect(await offsetOf(hub, id)).toBe(100)
    const reply = await end(hub, id)
    expect(reply.status).toBe(204)
    expect(reply.headers['tus-resumable']).toBe('1.0.0')
    expect(await hub.storedFiles()).toEqual(before)
    for (const gone of [await end(hub, id), await patch(hub, id, 100, BYTES)])
      expect(gone.json).toMatchObject({ status: 404, code: 'upload.unknown' })
    const { status, headers } = await head(hub, id)
    expect({ status, offset: headers['upload-offset'] }).toEqual({ status: 404, offset: undefined })
  })
})

describe('X-HTTP-Method-Override', () => {
  test('says PATCH or DELETE for clients that cannot', async () => {
    const id = await begin(hub, 1000)
    const path = `${UPLOADS}/${id}`
    const as = (method: string) => ({ ...TUS, 'X-HTTP-Method-Override': method })
    const headers = { ...as('PATCH'), ...chunkHead(0) }
    expect((await send(hub.url, { method: 'POST', path, headers, body: BYTES })).status).toBe(204)
    expect(bytesOf(id)).toEqual(BYTES)
    expect((await send(hub.url, { method: 'POST', path, headers: as('GET') })).status).toBe(400)
    expect((await send(hub.url, { method: 'POST', path, headers: as('delete') })).status).toBe(204)
    expect((await head(hub, id)).status).toBe(404)
  })
})

describe('an upload', () => {
  test('is for who began it and for administrators; to others it is not there', async () => {
    const [token, other] = [await hub.token('developer'), await hub.token('developer')]
    const id = await begin(hub, 1000, { token })
    for (const reply of [
      await patch(hub, id, 0, BYTES, { token: other }),
      await end(hub, id, { token: other }),
      await send(hub.url, { path: `${UPLOADS}/${id}`, token: other }),
    ])
      expect(reply.json).toMatchObject({ status: 404, code: 'upload.unknown' })
    expect((await head(hub, id, { token: other })).status).toBe(404)
    expect((await patch(hub, id, 0, BYTES.subarray(0, 500), { token })).status).toBe(204)
    expect((await patch(hub, id, 500, BYTES.subarray(500))).status).toBe(204)
    expect(bytesOf(id)).toEqual(BYTES)
    expect((await end(hub, id)).status).toBe(204)
  })

  test('is begun by tokens that may upload something, and by no others', async () => {
    const id = await begin(hub, 10)
    for (const role of ['release-manager', 'node', 'reader']) {
      const token = await hub.token(role)
      expect((await beginRaw(hub, 10, { token })).json['code']).toBe('auth.forbidden')
      expect((await head(hub, id, { token })).status).toBe(403)
    }
    expect((await head(hub, id, { token: null })).status).toBe(401)
    const token = await hub.token('developer', { apps: ['shop'] })
    expect((await beginRaw(hub, 10, { token })).status).toBe(201)
  })

  test.each(['upl_none', 'x', '..', '%2e%2e%2fhub.db', 'a%00b', '%C3%A9', '*'])(
    'by the id %j is none',
    async (id) => {
      const reply = await send(hub.url, { path: `${UPLOADS}/${id}` })
      expect(reply.status).toBe(404)
    },
  )

  test('that expired is gone at its second, also before it is collected', async () => {
    const id = await begin(hub, 1000)
    await patch(hub, id, 0, BYTES.subarray(0, 100))
    hub.clock.set('2026-01-03T03:04:04Z')
    expect(await offsetOf(hub, id)).toBe(100)
    hub.clock.set('2026-01-03T03:04:05Z')
    expect((await patch(hub, id, 100, BYTES.subarray(100))).json['code']).toBe('upload.unknown')
    hub.clock.set('2026-01-02T03:04:05Z')
  })

  test('whose bytes were lost is unknown, and said so', async () => {
    const id = await begin(hub, 1000)
    await patch(hub, id, 0, BYTES.subarray(0, 100))
    await hub.hub.partialUploads.remove(id)
    expect((await patch(hub, id, 100, BYTES.subarray(100))).json).toMatchObject({
      ...{
        status: 404,
        code: 'upload.unknown',
        detail: expect.stringContaining('no longer there') as string,
      },
    })
  })
})
