/** Forms that were found by fuzzing: one ended the process, one filled the log. */
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import {
  BOUNDARY,
  formBody,
  FORM_TYPE,
  openSocket,
  requestHead,
  send,
  uploadsReach,
} from '../../support/raw-http.ts'
import { createTestHub } from '../../support/test-hub.ts'

const PATH = '/api/v1/apps/shop/builds?dryRun=true'
const DIGEST = 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'

test.each([
  ['no form at all', 'text/plain', Buffer.alloc(100_000, 'x')],
  [
    'a form that ends before its body does',
    FORM_TYPE,
    Buffer.concat([formBody({ build: '1' }), Buffer.alloc(300_000, 'x')]),
  ],
  ['a form without its boundary', 'multipart/form-data', formBody({ build: '1' })],
])('a digest of %s is refused, and the hub goes on', async (_, type, body) => {
  await using hub = await createTestHub()
  const headers = { 'Content-Type': type, 'Content-Digest': DIGEST }
  const reply = await send(hub.url, { method: 'POST', path: PATH, headers, body })
  expect([400, 422]).toContain(reply.status)
  expect((await send(hub.url, { path: '/healthz' })).status).toBe(200)
  await uploadsReach(hub.directory, 0)
})

test('a form that breaks off in its tarball is no fault of the hub', async () => {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  await using hub = await createTestHub({}, { log: pino({ level: 'error' }, destination) })
  const { socket, answer } = await openSocket(hub.url)
  socket.write(requestHead(`POST ${PATH}`, { 'Content-Type': FORM_TYPE, 'Content-Length': 1000 }))
  socket.write(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="tarball"; filename="f"\r\n\r\nbytes`)
  await uploadsReach(hub.directory, 1)
  socket.resetAndDestroy()
  await answer
  await uploadsReach(hub.directory, 0)
  expect((await send(hub.url, { path: '/healthz' })).status).toBe(200)
  expect(lines).toEqual([])
})
