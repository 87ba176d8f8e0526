import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { BOUNDARY, FORM_TYPE, formBody, openSocket, requestHead, uploadsReach } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const BYTES = tarball({ 'shop/data': randomBytes(300_000) })
const FORM = formBody({ build: '45', tarball: BYTES })
const PUT = 'PUT /api/v1/apps/shop/builds/45/tarball'
const POST = 'POST /api/v1/apps/shop/builds'
const CHUNKED = { 'Transfer-Encoding': 'chunked' }

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.byteLength.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

async function expectNothingKept(hub: TestHub): Promise<void> {
  await uploadsReach(hub.directory, 0)
  expect(await hub.storedFiles()).toEqual([])
  expect((await hub.as().get('/api/v1/apps')).body.items).toEqual([])
}

const firstPart = (bytes: Buffer): Buffer => bytes.subarray(0, 200_000)

test.each([
  ['a PUT', requestHead(PUT, { 'Content-Length': BYTES.byteLength }), firstPart(BYTES)],
  ['a PUT in chunks', requestHead(PUT, CHUNKED), chunk(firstPart(BYTES))],
  [
    'a form',
    requestHead(POST, { 'Content-Type': FORM_TYPE, 'Content-Length': FORM.byteLength }),
    firstPart(FORM),
  ],
  ['a form in chunks', requestHead(POST, { 'Content-Type': FORM_TYPE, ...CHUNKED }), chunk(firstPart(FORM))],
  [
    'a form whose tarball has come whole',
    requestHead(POST, { 'Content-Type': FORM_TYPE, ...CHUNKED }),
    chunk(
      Buffer.concat([FORM.subarray(0, -(BOUNDARY.length + 6)), Buffer.from(`--${BOUNDARY}\r\nContent-Dis`)]),
    ),
  ],
])('a client that hangs up in the middle of %s leaves nothing', async (_what, head, body) => {
  await using hub = await createTestHub()
  const { socket } = await openSocket(hub.url)
  socket.write(head)
  socket.write(body)
  await uploadsReach(hub.directory, 1)
  socket.destroy()
  await expectNothingKept(hub)
})

test.each([
  ['a PUT', requestHead(PUT, { 'Content-Length': BYTES.byteLength + 1000 }), BYTES],
  [
    'a form',
    requestHead(POST, { 'Content-Type': FORM_TYPE, 'Content-Length': FORM.byteLength + 1000 }),
    FORM,
  ],
])('%s that ends before its declared length is not taken for whole', async (_what, head, body) => {
  await using hub = await createTestHub()
  const { socket, answer } = await openSocket(hub.url)
  socket.write(head)
  socket.write(body)
  await uploadsReach(hub.directory, 1)
  socket.end()
  expect(await answer).not.toMatch(/^HTTP\/1\.1 2/)
  await expectNothingKept(hub)
})

test('a PUT that goes on after its declared length keeps nothing of a tarball cut short', async () => {
  await using hub = await createTestHub()
  const { socket, answer } = await openSocket(hub.url)
  socket.write(requestHead(PUT, { 'Content-Length': 200_000 }))
  socket.end(BYTES)
  expect(await answer).not.toMatch(/^HTTP\/1\.1 2/)
  await expectNothingKept(hub)
})

test('chunks that are none end the upload', async () => {
  await using hub = await createTestHub()
  const { socket, answer } = await openSocket(hub.url)
  socket.write(requestHead(PUT, CHUNKED))
  socket.write(chunk(firstPart(BYTES)))
  await uploadsReach(hub.directory, 1)
  socket.write('this is no length\r\n')
  expect(await answer).not.toMatch(/^HTTP\/1\.1 2/)
  await expectNothingKept(hub)
})

test('a form that ends in the middle of its tarball is refused', async () => {
  await using hub = await createTestHub()
  const cut = firstPart(FORM)
  const { socket, answer } = await openSocket(hub.url)
  socket.write(
    requestHead(POST, { 'Content-Type': FORM_TYPE, 'Content-Length': cut.byteLength, Connection: 'close' }),
  )
  socket.write(cut)
  expect(await answer).toMatch(/^HTTP\/1\.1 400 [^]*request\.truncated/)
  socket.destroy()
  await expectNothingKept(hub)
})

test('a hub that stops in the middle of an upload has swept it when it starts again', async () => {
  await using hub = await createTestHub()
  const { socket } = await openSocket(hub.url)
  socket.write(requestHead(PUT, { 'Content-Length': BYTES.byteLength }))
  socket.write(firstPart(BYTES))
  await uploadsReach(hub.directory, 1)
  const closed = once(socket, 'close')
  hub.hub.blobs.discard = async () => {}
  socket.destroy()
  await closed
  await using again = await hub.restart()
  expect(await again.storedFiles()).toEqual([])
})
