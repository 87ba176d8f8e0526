import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { FORM_TYPE, formBody, send } from '../support/raw-http.ts'
import { tarEntry } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'

const MIB = 2 ** 20
const MOST_BYTES = 64 * MIB

/** A plain tar of one large file, made while it is sent; `sample` is called now and then. */
async function* largeTar(fileBytes: number, sample: () => void): AsyncGenerator<Buffer> {
  const size = `${fileBytes.toString(8).padStart(11, '0')}\0`
  yield tarEntry({ name: 'shop/data', raw: { size } }).subarray(0, 512)
  const piece = Buffer.alloc(MIB, 'some bytes of the file ')
  for (let sent = 0; sent < fileBytes; sent += piece.byteLength) {
    yield piece
    if (sent % (8 * MIB) === 0) sample()
  }
  yield Buffer.alloc(1024)
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What this process holds: the JavaScript heap and, outside of it, buffers; without what nobody needs any more. */
function heldBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function* asForm(file: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const whole = formBody({ build: '1', tarball: Buffer.from('|') })
  const at = whole.lastIndexOf('|')
  yield whole.subarray(0, at)
  yield* file
  yield whole.subarray(at + 1)
}

test.each([
  ['PUT', 300, '/api/v1/apps/shop/builds/1/tarball', {}, (file: AsyncIterable<Buffer>) => file],
  ['POST', 150, '/api/v1/apps/shop/builds', { 'Content-Type': FORM_TYPE }, asForm],
])('%s of %i MiB is never held in memory', async (method, sizeMib, path, headers, body) => {
  await using hub = await createTestHub()
  const before = heldBytes()
  let most = 0
  const file = largeTar(sizeMib * MIB, () => {
    most = Math.max(most, heldBytes() - before)
  })
  const reply = await send(hub.url, { method, path, headers, body: body(file) })
  expect(reply.status, reply.text).toBe(201)
  expect(reply.json).toMatchObject({ tarball: { sizeBytes: sizeMib * MIB + 1536 } })
  expect(most).toBeLessThan(MOST_BYTES)
})
