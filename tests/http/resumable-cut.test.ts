/** Connections that break off or fall silent, and two clients of one upload: nothing is lost, nothing is mixed. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { appendFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openSocket, requestHead } from '../support/raw-http.ts'
import type { RawConnection } from '../support/raw-http.ts'
import { seededRandom, seedOfRun } from '../support/random.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import {
  begin,
  beginRaw,
  checksum,
  chunkHead,
  CHUNK_TYPE,
  end,
  head,
  offsetOf,
  patch,
  TUS,
  UPLOADS,
} from '../support/tus.ts'

const BYTES = randomBytes(300_000)

function bytesOf(hub: TestHub, id: string): Buffer {
  return readFileSync(join(hub.directory, 'var', 'partial-uploads', id))
}

/** Begins a PATCH from `offset` to the end of BYTES and sends a part of it; resolves when the hub has written that. */
async function beginPatch(
  hub: TestHub,
  id: string,
  {
    offset = 0,
    sent = 100_000,
    headers = {},
  }: { offset?: number; sent?: number; headers?: Record<string, string> } = {},
): Promise<RawConnection> {
  const connection = await openSocket(hub.url)
  const length = BYTES.byteLength - offset
  const fields = { ...TUS, ...chunkHead(offset), 'Content-Length': length, ...headers }
  connection.socket.write(requestHead(`PATCH ${UPLOADS}/${id}`, fields))
  connection.socket.write(BYTES.subarray(offset, offset + sent))
  await written(hub, id, offset + sent)
  return connection
}

/** Waits until the file has so many bytes. */
async function written(hub: TestHub, id: string, bytes: number): Promise<void> {
  await expect
    .poll(async () => await hub.hub.partialUploads.sizeBytes(id), { timeout: 20_000, interval: 5 })
    .toBe(bytes)
}

/** Waits until no request writes to the upload. */
async function released(hub: TestHub, id: string): Promise<void> {
  await expect
    .poll(() => hub.hub.partialUploads.holds.isHeld(id), { timeout: 20_000, interval: 5 })
    .toBe(false)
}

async function expectResumes(hub: TestHub, id: string, from: number): Promise<void> {
  expect(await offsetOf(hub, id)).toBe(from)
  expect((await patch(hub, id, from, BYTES.subarray(from))).status).toBe(204)
  expect(bytesOf(hub, id).equals(BYTES)).toBe(true)
}

describe('a PATCH that breaks off', () => {
  test.each<[string, (connection: RawConnection) => void]>([
    ['with a reset', ({ socket }) => void socket.resetAndDestroy()],
    ['with an end', ({ socket }) => void socket.end()],
    ['without a word', ({ socket }) => void socket.destroy()],
  ])('%s keeps what came', async (_how, cut) => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    cut(await beginPatch(hub, id))
    await released(hub, id)
    await expectResumes(hub, id, 100_000)
  })

  test('keeps nothing of a chunk that has a checksum', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    await patch(hub, id, 0, BYTES.subarray(0, 1000))
    const headers = { 'Upload-Checksum': checksum('sha512', BYTES.subarray(1000)) }
    const { socket } = await beginPatch(hub, id, { offset: 1000, headers })
    socket.destroy()
    await released(hub, id)
    expect(bytesOf(hub, id).equals(BYTES.subarray(0, 1000))).toBe(true)
    await expectResumes(hub, id, 1000)
  })

  test('in chunks that are none keeps what came before them', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    const { socket, answer } = await openSocket(hub.url)
    const fields = { ...TUS, ...chunkHead(0), 'Transfer-Encoding': 'chunked' }
    socket.write(requestHead(`PATCH ${UPLOADS}/${id}`, fields))
    socket.write(`${(1000).toString(16)}\r\n`)
    socket.write(BYTES.subarray(0, 1000))
    await written(hub, id, 1000)
    socket.write('\r\nthis is no length\r\n')
    expect(await answer).not.toMatch(/^HTTP\/1\.1 2/)
    await released(hub, id)
    await expectResumes(hub, id, 1000)
  })

  test('while it begins an upload leaves nothing: nobody knows its address', async () => {
    await using hub = await createTestHub()
    const { socket } = await openSocket(hub.url)
    const fields = { ...TUS, 'Upload-Length': 300_000, 'Content-Type': CHUNK_TYPE, 'Content-Length': 300_000 }
    socket.write(requestHead(`POST ${UPLOADS}`, fields))
    socket.write(BYTES.subarray(0, 1000))
    await expect.poll(async () => (await hub.storedFiles()).length).toBe(1)
    socket.destroy()
    await expect.poll(async () => await hub.storedFiles()).toEqual([])
    expect(await hub.hub.records.partialUploads.all()).toEqual([])
  })

  const seed = seedOfRun()
  test(`may do so at any byte (HUB_TEST_SEED=${String(seed)})`, async () => {
    await using hub = await createTestHub()
    const random = seededRandom(seed)
    const id = await begin(hub, BYTES.byteLength)
    for (let offset = 0; offset < 60_000;) {
      const sent = 1 + random.int(10_000)
      const { socket } = await beginPatch(hub, id, { offset, sent })
      socket.destroy()
      await released(hub, id)
      offset += sent
      expect(await offsetOf(hub, id)).toBe(offset)
    }
    await expectResumes(hub, id, await offsetOf(hub, id))
  })
})

describe('two requests on one upload', () => {
  test('a client that comes back takes over from its own silent connection', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    const silent = await beginPatch(hub, id)
    await expectResumes(hub, id, 100_000)
    expect(await silent.answer).toBe('')
  })

  test('a PATCH that follows no question takes over too, and hears the offset that holds', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    await beginPatch(hub, id)
    const reply = await patch(hub, id, 0, BYTES)
    expect(reply.json).toMatchObject({ code: 'upload.offset_mismatch', offset: 100_000 })
    await expectResumes(hub, id, 100_000)
  })

  test('beside one that gets bytes the second is refused, and the first is not disturbed', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    const first = await beginPatch(hub, id, { sent: 1000 })
    let at = 1000
    const trickle = setInterval(() => {
      first.socket.write(BYTES.subarray(at, (at += 10)))
    }, 20)
    const second = await patch(hub, id, 1000, BYTES.subarray(1000))
    expect(second.json).toMatchObject({ status: 423, code: 'upload.busy' })
    const stands = await head(hub, id)
    expect(stands).toMatchObject({ status: 200, headers: { 'upload-offset': '0' } })
    clearInterval(trickle)
    first.socket.write(BYTES.subarray(at))
    expect(await first.firstAnswer).toMatch(/^HTTP\/1\.1 204 [^]*Upload-Offset: 300000/)
    first.socket.destroy()
    expect(bytesOf(hub, id).equals(BYTES)).toBe(true)
  })

  test('many that send the same chunk at once: it counts once', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    const replies = await Promise.all(Array.from({ length: 8 }, async () => await patch(hub, id, 0, BYTES)))
    const statuses = replies.map(({ status }) => status)
    expect(statuses.filter((status) => status === 204)).toHaveLength(1)
    expect(new Set(statuses)).toEqual(new Set(statuses.includes(423) ? [204, 409, 423] : [204, 409]))
    expect(bytesOf(hub, id).equals(BYTES)).toBe(true)
  })

  test('an end ends the one that writes', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    const { answer } = await beginPatch(hub, id)
    expect((await end(hub, id)).status).toBe(204)
    expect(await answer).toBe('')
    expect(await hub.storedFiles()).toEqual([])
    expect((await head(hub, id)).status).toBe(404)
  })
})

describe('over a restart', () => {
  test('a hub that is stopped keeps what came, also of a request that ran', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    const { socket } = await beginPatch(hub, id)
    setTimeout(() => socket.destroy(), 100)
    await using again = await hub.restart()
    await expectResumes(again, id, 100_000)
  })

  test('what lies behind the recorded offset counts for nothing', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    await patch(hub, id, 0, BYTES.subarray(0, 5000))
    const file = hub.hub.paths.partialUpload(id)
    await using again = await hub.restart()
    await appendFile(file, 'bytes that no fsync covered')
    await expectResumes(again, id, 5000)
  })

  test('a file shorter than what was told is not gone on with', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    await patch(hub, id, 0, BYTES.subarray(0, 5000))
    await truncate(hub.hub.paths.partialUpload(id), 4999)
    expect((await patch(hub, id, 5000, BYTES.subarray(5000))).json['code']).toBe('upload.unknown')
  })
})

describe('a disk that fails', () => {
  /** What every file that is opened from now on does in place of one of its methods. */
  function breakFiles(hub: TestHub, method: 'write' | 'datasync', broken: () => Promise<never>): () => void {
    const { partialUploads } = hub.hub
    const openAt = partialUploads.openAt.bind(partialUploads)
    partialUploads.openAt = async (...args) => {
      const handle = await openAt(...args)
      if (handle) Object.defineProperty(handle, method, { value: broken })
      return handle
    }
    return () => {
      partialUploads.openAt = openAt
    }
  }
  const failing = (code: string) => async (): Promise<never> => {
    throw Object.assign(new Error(`${code}: the disk`), { code })
  }

  test('by being full is told, and the upload goes on when there is room', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    await patch(hub, id, 0, BYTES.subarray(0, 1000))
    const mend = breakFiles(hub, 'write', failing('ENOSPC'))
    expect((await patch(hub, id, 1000, BYTES.subarray(1000))).json).toMatchObject({
      ...{ status: 507, code: 'storage.full' },
    })
    mend()
    await expectResumes(hub, id, 1000)
  })

  test('to make bytes last lets none of them count', async () => {
    await using hub = await createTestHub()
    const id = await begin(hub, BYTES.byteLength)
    await patch(hub, id, 0, BYTES.subarray(0, 1000))
    const mend = breakFiles(hub, 'datasync', failing('EIO'))
    expect((await patch(hub, id, 1000, BYTES.subarray(1000))).status).toBe(500)
    mend()
    await expectResumes(hub, id, 1000)
  })

  test('at a checkpoint ends the request there', async () => {
    await using hub = await createTestHub()
    const large = randomBytes(40 << 20)
    const id = await begin(hub, large.byteLength)
    const mend = breakFiles(hub, 'datasync', failing('EIO'))
    async function* pieces() {
      for (let at = 0; at < large.byteLength; at += 1 << 20) yield large.subarray(at, at + (1 << 20))
    }
    expect((await patch(hub, id, 0, pieces())).status).toBe(500)
    mend()
    expect(await offsetOf(hub, id)).toBe(0)
    expect((await patch(hub, id, 0, large)).status).toBe(204)
    expect(bytesOf(hub, id).equals(large)).toBe(true)
  })

  test('when the upload is begun leaves nothing', async () => {
    await using hub = await createTestHub()
    const { partialUploads } = hub.hub.records
    partialUploads.add = failing('EIO')
    expect((await beginRaw(hub, 10)).status).toBe(500)
    expect(await hub.storedFiles()).toEqual([])
  })
})

test('a long PATCH counts piece by piece while it runs', async () => {
  await using hub = await createTestHub()
  const large = randomBytes(40 << 20)
  const id = await begin(hub, large.byteLength)
  const { socket } = await openSocket(hub.url)
  const fields = { ...TUS, ...chunkHead(0), 'Content-Length': large.byteLength }
  socket.write(requestHead(`PATCH ${UPLOADS}/${id}`, fields))
  socket.write(large.subarray(0, 39 << 20))
  const recorded = async () => (await hub.hub.records.partialUploads.find(id))?.offsetBytes ?? 0
  await expect.poll(recorded, { timeout: 20_000 }).toBeGreaterThanOrEqual(16 << 20)
  expect(hub.hub.partialUploads.holds.isHeld(id)).toBe(true)
  socket.write(large.subarray(39 << 20))
  await expect.poll(recorded, { timeout: 20_000 }).toBe(large.byteLength)
  socket.destroy()
  expect(bytesOf(hub, id).equals(large)).toBe(true)
})

test('what was cut and resumed is archived whole', async () => {
  await using hub = await createTestHub()
  const bytes = tarball({ 'shop/data': BYTES })
  const id = await begin(hub, bytes.byteLength)
  const { socket } = await openSocket(hub.url)
  socket.write(
    requestHead(`PATCH ${UPLOADS}/${id}`, { ...TUS, ...chunkHead(0), 'Content-Length': bytes.byteLength }),
  )
  socket.write(bytes.subarray(0, 12_345))
  await written(hub, id, 12_345)
  socket.destroy()
  const from = await offsetOf(hub, id)
  await patch(hub, id, from, bytes.subarray(from))
  const reply = await hub.as().post('/api/v1/apps/shop/builds').send({ upload: id, build: 1 })
  expect(reply.status, reply.text).toBe(201)
  const got = await hub.as().get('/api/v1/apps/shop/builds/1/tarball').responseType('blob')
  expect((got.body as Buffer).equals(bytes)).toBe(true)
})
