import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { FORM_TYPE, formBody, openSocket, requestHead, send } from '../support/raw-http.ts'
import type { RawReply } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const SHOP = tarball({ 'shop-6/bin/shop': 'hi' })
const LARGE = 20_000_000
const CHUNKED = { 'Transfer-Encoding': 'chunked' }
const PATH = '/api/v1/apps/shop/builds/45/tarball'

async function put(
  hub: TestHub,
  body: Buffer | AsyncIterable<Buffer>,
  headers: Record<string, string> = {},
  query = '',
): Promise<RawReply> {
  return await send(hub.url, { method: 'PUT', path: PATH + query, headers, body })
}

function digestField(algorithm: 'sha256' | 'sha512', bytes: Buffer): string {
  const name = algorithm === 'sha256' ? 'sha-256' : 'sha-512'
  return `${name}=:${createHash(algorithm).update(bytes).digest('base64')}:`
}

async function* inPieces(bytes: Buffer, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes)
}

test('the body of a PUT is the tarball, its query the fields', async () => {
  await using hub = await createTestHub()
  const reply = await put(hub, SHOP, {}, '?version=6.1.0&branch=main&promote=false')
  expect(reply.status, reply.text).toBe(201)
  expect(reply.json).toMatchObject({ build: 45, version: '6.1.0', branch: 'main', releases: [] })
  expect((await put(hub, SHOP, {}, '?version=6.1.0')).status).toBe(200)
  expect((await put(hub, tarball({ other: '' }))).json).toMatchObject({
    status: 409,
    code: 'build.duplicate',
  })
})

test('a PUT without a length is received in chunks', async () => {
  await using hub = await createTestHub()
  const bytes = tarball({ 'shop/data': randomBytes(3_000_000) })
  const reply = await put(hub, inPieces(bytes, 100_001))
  expect(reply.status, reply.text).toBe(201)
  expect(reply.json).toMatchObject({
    tarball: { sizeBytes: bytes.byteLength, sha512: createHash('sha512').update(bytes).digest('hex') },
  })
})

test.each(['Content-Digest', 'Repr-Digest'])('%s is checked before anything is kept', async (name) => {
  await using hub = await createTestHub()
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const wrong = await put(hub, SHOP, { [name]: digestField(algorithm, Buffer.from('other')) })
    expect(wrong.json).toMatchObject({ status: 422, code: 'upload.digest_mismatch' })
    expect(wrong.json['detail']).toContain(name)
  }
  const oneWrong = `${digestField('sha256', SHOP)}, ${digestField('sha512', Buffer.from('other'))}`
  expect((await put(hub, SHOP, { [name]: oneWrong })).status).toBe(422)
  expect(await hub.storedFiles()).toEqual([])
  expect((await hub.as().get('/api/v1/apps')).body.items).toEqual([])
  const right = await put(hub, SHOP, { [name]: `${digestField('sha512', SHOP)}, crc32c=:AAAAAA==:` })
  expect(right.status, right.text).toBe(201)
})

test.each(['sha-512=abc', 'sha-512=:abc:', 'sha-256=:AAAA:', ''])(
  'a Content-Digest of the form %j is refused, or passed over when empty',
  async (value) => {
    await using hub = await createTestHub()
    const reply = await put(hub, SHOP, { 'Content-Digest': value })
    expect(reply.json).toMatchObject({ status: 400, code: 'request.invalid' })
    expect(await hub.storedFiles()).toEqual([])
  },
)

test('the digest of the field wins over a mistaken retry of the same number', async () => {
  await using hub = await createTestHub()
  await put(hub, SHOP)
  const reply = await put(hub, SHOP, {}, `?sha512=${'0'.repeat(128)}`)
  expect(reply.json).toMatchObject({ status: 422, code: 'upload.digest_mismatch' })
})

test.each([
  ['?versoin=1', 400, 'request.invalid'],
  ['?build=46', 400, 'request.invalid'],
  ['?version=1.0.0&version=2.0.0', 400, 'request.invalid'],
  ['?version=x', 422, 'version.invalid'],
])('the query %s is refused', async (query, status, code) => {
  await using hub = await createTestHub()
  const reply = await put(hub, SHOP, {}, query)
  expect(reply.json).toMatchObject({ status, code })
  expect(await hub.storedFiles()).toEqual([])
})

test('a body with a Content-Encoding is refused: the bytes are the tarball', async () => {
  await using hub = await createTestHub()
  const reply = await put(hub, gzipSync(SHOP), { 'Content-Encoding': 'gzip' })
  expect(reply.json).toMatchObject({ status: 415, code: 'archive.unsupported_format' })
  expect(await hub.storedFiles()).toEqual([])
})

test('no body at all is refused', async () => {
  await using hub = await createTestHub()
  expect((await put(hub, Buffer.alloc(0))).json).toMatchObject({ status: 422, code: 'archive.empty' })
  expect(await hub.storedFiles()).toEqual([])
})

test.each([
  [`PUT ${PATH}`, 200_000, {}],
  ['POST /api/v1/apps/shop/builds', 20_000_000, { 'Content-Type': FORM_TYPE }],
])('%s over the limit is refused by its length alone, before it is read', async (line, length, headers) => {
  await using hub = await createTestHub({ HUB_MAX_UPLOAD: '100KiB' })
  const { socket, firstAnswer } = await openSocket(hub.url)
  // The body never comes: only the header can be the reason.
  socket.write(requestHead(line, { ...headers, 'Content-Length': length, Connection: 'close' }))
  expect(await firstAnswer).toMatch(/^HTTP\/1\.1 413 [^]*upload\.too_large/)
  socket.destroy()
  expect(await hub.storedFiles()).toEqual([])
})

test('a body that grows over the limit is refused, and the client hears it', async () => {
  await using hub = await createTestHub({ HUB_MAX_UPLOAD: '100KiB' })
  const reply = await put(hub, inPieces(randomBytes(5_000_000), 60_000))
  expect(reply.json).toMatchObject({ status: 413, code: 'upload.too_large', limitBytes: 102_400 })
  expect(await hub.storedFiles()).toEqual([])
})

test.each([
  [
    'before its body is read',
    'PUT /api/v1/apps/shop/builds/45/tarball',
    { Authorization: 'Bearer wrong' },
    401,
  ],
  ['by its length', `PUT ${PATH}`, {}, 413],
  ['at the limit', `PUT ${PATH}`, CHUNKED, 413],
  ['at the limit, a form,', 'POST /api/v1/apps/shop/builds', { ...CHUNKED, 'Content-Type': FORM_TYPE }, 413],
])(
  'a client that is refused %s may send all the same, and hears why',
  async (_what, line, headers, status) => {
    await using hub = await createTestHub({ HUB_MAX_UPLOAD: '100KiB' })
    const { socket, firstAnswer } = await openSocket(hub.url)
    const body = 'Content-Type' in headers ? formBody({ tarball: randomBytes(LARGE) }) : randomBytes(LARGE)
    const length: Record<string, number> = 'Transfer-Encoding' in headers ? {} : { 'Content-Length': LARGE }
    socket.write(requestHead(line, { ...length, ...headers }))
    if ('Content-Length' in length) socket.write(body)
    else socket.write(chunked(body))
    // Resolves when the operating system has taken the last byte: a hub that stopped reading would hold it up.
    await new Promise((resolve) => socket.write('', resolve))
    expect(await firstAnswer).toMatch(new RegExp(`^HTTP/1.1 ${String(status)} `))
    socket.destroy()
    expect(await hub.storedFiles()).toEqual([])
  },
)

function chunked(body: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`${body.byteLength.toString(16)}\r\n`),
    body,
    Buffer.from('\r\n0\r\n\r\n'),
  ])
}
