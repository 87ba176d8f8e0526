/** The hub judged by a client of tus that is not ours: tus-js-client, over a connection that breaks. */
import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { DetailedError, Upload } from 'tus-js-client'
import type { UploadOptions } from 'tus-js-client'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import { tarOf } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { begin, UPLOADS } from '../support/tus.ts'

const BYTES = gzipSync(tarOf({ name: 'shop/data', content: randomBytes(3_000_000) }), { level: 0 })
const AGAIN = [0, 100, 500, 1000, 2000, 3000, 3000]

interface Sent {
  readonly upload: Upload
  readonly error: Error | null
}

/** Runs an upload to its end, well or badly. */
async function run(
  url: string,
  options: UploadOptions = {},
  file: unknown = BYTES,
  token = ADMIN_TOKEN,
): Promise<Sent> {
  return await new Promise((resolve) => {
    const upload: Upload = new Upload(file as Buffer, {
      endpoint: `${url}${UPLOADS}`,
      headers: { Authorization: `Bearer ${token}` },
      retryDelays: AGAIN,
      metadata: { filename: 'shop.tar.gz', note: 'ünïcode' },
      onError: (error) => {
        resolve({ upload, error })
      },
      onSuccess: () => {
        resolve({ upload, error: null })
      },
      ...options,
    })
    upload.start()
  })
}

async function expectArchived(hub: TestHub, { upload, error }: Sent, bytes = BYTES): Promise<void> {
  expect(error).toBeNull()
  const reply = await hub.as().post('/api/v1/apps/shop/builds').send({ upload: upload.url, build: 1 })
  expect(reply.status, reply.text).toBe(201)
  const got = await hub.as().get('/api/v1/apps/shop/builds/1/tarball').responseType('blob')
  expect((got.body as Buffer).equals(bytes)).toBe(true)
  expect(await hub.storedFiles()).toHaveLength(1)
}

describe('tus-js-client', () => {
  test.each<[string, UploadOptions]>([
    ['in one request', {}],
    ['in chunks', { chunkSize: 700_000 }],
    ['with the first bytes at its beginning', { uploadDataDuringCreation: true, chunkSize: 1_000_000 }],
    ['without PATCH', { overridePatchMethod: true, chunkSize: 1_000_000 }],
  ])('uploads %s', async (_how, options) => {
    await using hub = await createTestHub()
    await expectArchived(hub, await run(hub.url, options))
  })

  test('uploads a file from disk', async () => {
    await using hub = await createTestHub()
    const folder = await mkdtemp(join(tmpdir(), 'portage-hub-tus-'))
    try {
      const path = join(folder, 'shop.tar.gz')
      await writeFile(path, BYTES)
      await expectArchived(hub, await run(hub.url, { chunkSize: 1 << 20 }, createReadStream(path)))
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('goes on by itself where its connection was cut, again and again', async () => {
    await using hub = await createTestHub()
    await using proxy = await cuttingProxy(hub.url)
    proxy.cuts.push(700_001, 100_000, 1_234_567, 5_000)
    const sent = await run(proxy.url)
    expect(proxy.cuts).toEqual([])
    await expectArchived(hub, sent)
    expect(proxy.sentBytes).toBeLessThan(BYTES.byteLength + 600_000)
  })

  test('goes on in another run, by the address that it kept', async () => {
    await using hub = await createTestHub()
    await using proxy = await cuttingProxy(hub.url)
    proxy.cuts.push(1_500_000)
    const first = await run(proxy.url, { retryDelays: null })
    expect(first.error).toBeInstanceOf(DetailedError)
    const second = await run(proxy.url, { uploadUrl: first.upload.url })
    expect(second.upload.url).toBe(first.upload.url)
    await expectArchived(hub, second)
    expect(proxy.sentBytes).toBeLessThan(BYTES.byteLength + 600_000)
  })

  test('goes on when the hub was stopped and started again in the middle', async () => {
    await using hub = await createTestHub()
    await using proxy = await cuttingProxy(hub.url)
    const hubs = new AsyncDisposableStack()
    await using _ = hubs
    let current = hub
    proxy.onCut = async () => {
      current = hubs.use(await current.restart())
      proxy.target = current.url
    }
    proxy.cuts.push(500_000, 900_000)
    const sent = await run(proxy.url)
    expect(proxy.cuts).toEqual([])
    await expectArchived(current, sent)
  })

  test('ends an upload', async () => {
    await using hub = await createTestHub()
    const { upload } = await run(hub.url)
    await upload.abort(true)
    expect(await hub.storedFiles()).toEqual([])
  })

  test('begins anew when what it knows has expired', async () => {
    await using hub = await createTestHub()
    const first = await run(hub.url)
    hub.clock.set('2026-01-09T00:00:00Z')
    const second = await run(hub.url, { uploadUrl: first.upload.url })
    expect(second.upload.url).not.toBe(first.upload.url)
    await expectArchivedOnce(hub, second)
  })

  test('hears why it is refused', async () => {
    await using hub = await createTestHub({ HUB_MAX_UPLOAD: '1MiB' })
    const { error } = await run(hub.url)
    expect((error as DetailedError).originalResponse?.getBody()).toContain('upload.too_large')
    const reader = await hub.token('reader')
    const forbidden = await run(hub.url, {}, BYTES.subarray(0, 10), reader)
    expect((forbidden.error as DetailedError).originalResponse?.getStatus()).toBe(403)
  })

  test('as two at once on one upload: the bytes are right, whoever sent them', async () => {
    await using hub = await createTestHub()
    const uploadUrl = `${hub.url}${UPLOADS}/${await begin(hub, BYTES.byteLength)}`
    const both = await Promise.all(
      [150_000, 230_000].map(async (chunkSize) => await run(hub.url, { uploadUrl, chunkSize })),
    )
    const best = both.find(({ error }) => error === null) ?? (await run(hub.url, { uploadUrl }))
    await expectArchived(hub, best)
  })
})

/** The same where an expired upload of before may still be there. */
async function expectArchivedOnce(hub: TestHub, { upload, error }: Sent): Promise<void> {
  expect(error).toBeNull()
  const reply = await hub.as().post('/api/v1/apps/shop/builds').send({ upload: upload.url, build: 1 })
  expect(reply.status, reply.text).toBe(201)
}
