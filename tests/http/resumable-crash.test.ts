/**
 * The hub's process killed in the middle of a resumable upload, and of the request that archives one: what was told
 * holds, and the client goes on from there.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { startProcess } from '../crash/hub-process.ts'
import type { HubProcess } from '../crash/hub-process.ts'
import { openSocket, requestHead, send } from '../support/raw-http.ts'
import { seededRandom, seedOfRun, sizeOfRun } from '../support/random.ts'
import { tarOf } from '../support/tarballs.ts'
import { begin, chunkHead, finished, offsetOf, patch, TUS, UPLOADS } from '../support/tus.ts'

const SEED = seedOfRun()
const KILLS = Math.min(100, sizeOfRun('HUB_TEST_KILLS', 4))
const BUILDS = '/api/v1/apps/shop/builds'

const random = seededRandom(SEED)
const megabyte = random.bytes(1 << 20)
const LARGE = gzipSync(
  tarOf(...Array.from({ length: 40 }, (_, at) => ({ name: `shop/${String(at)}`, content: megabyte }))),
  { level: 0 },
)
const SMALL = gzipSync(tarOf({ name: 'shop/run', content: 'hi' }))

/** A data folder and the hub that runs on it now. */
async function openScene() {
  const directory = await mkdtemp(join(tmpdir(), 'portage-hub-test-'))
  let running: HubProcess | null = null
  return {
    directory,
    async start(): Promise<{ readonly url: string; readonly hub: HubProcess }> {
      await running?.[Symbol.asyncDispose]()
      running = await startProcess(directory)
      if (running.url === null) throw new Error((await running.ended).said)
      return { url: running.url, hub: running }
    },
    async files(): Promise<readonly string[]> {
      const folders = ['var/uploads', 'var/partial-uploads', 'distfiles/archive']
      const found = await Promise.all(
        folders.map(async (folder) => await readdir(join(directory, folder), { recursive: true })),
      )
      return found.flat().filter((name) => name.length !== 2)
    },
    async [Symbol.asyncDispose]() {
      await running?.[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Begins a PATCH of all that is left and sends a part of it; resolves when that is on its way, or the hub is gone. */
async function pour(url: string, id: string, offset: number, bytes: number): Promise<void> {
  const { socket } = await openSocket(url)
  const fields = { ...TUS, ...chunkHead(offset), 'Content-Length': LARGE.byteLength - offset }
  socket.write(requestHead(`PATCH ${UPLOADS}/${id}`, fields))
  const sent = new Promise<void>((resolve) => {
    socket.write(LARGE.subarray(offset, offset + bytes), () => {
      resolve()
    })
    socket.once('close', () => {
      resolve()
    })
  })
  await sent
}

async function archive(url: string, upload: string) {
  const headers = { 'Content-Type': 'application/json' }
  const body = Buffer.from(JSON.stringify({ upload }))
  return await send(url, { method: 'POST', path: BUILDS, headers, body })
}

test(`killed while bytes come, ${String(KILLS)} times: no byte that was told is lost (HUB_TEST_SEED=${String(SEED)})`, async () => {
  await using scene = await openScene()
  let { url, hub } = await scene.start()
  let id = await begin({ url }, LARGE.byteLength)
  let told = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const left = LARGE.byteLength - told
    // About every third piece is longer than what is made to last while a request runs.
    await pour(url, id, told, Math.min(left - 1, random.int(24 << 20)))
    await sleep(random.int(100))
    // What is told now holds, whatever happens next.
    const now = random.chance(0.5) ? readOffset(scene.directory, id, told) : told
    hub.kill()
    await hub.ended
    ;({ url, hub } = await scene.start())
    const stands = await offsetOf({ url }, id)
    expect(stands).toBeGreaterThanOrEqual(Math.max(now, told))
    told = stands
    if (told < LARGE.byteLength / 2 && kill < KILLS - 1) continue
    await expectEndsWhole(scene, url, id, told)
    id = await begin({ url }, LARGE.byteLength)
    told = 0
  }
}, 900_000)

/** The rest is sent, and the whole is archived: once, and as it is. */
async function expectEndsWhole(
  scene: Awaited<ReturnType<typeof openScene>>,
  url: string,
  id: string,
  told: number,
): Promise<void> {
  const last = await patch({ url }, id, told, LARGE.subarray(told))
  expect(last.headers['upload-offset']).toBe(String(LARGE.byteLength))
  const reply = await archive(url, id)
  expect(reply.status, reply.text).toBe(201)
  const sha512 = createHash('sha512').update(LARGE).digest('hex')
  expect(reply.json['tarball']).toMatchObject({ sizeBytes: LARGE.byteLength, sha512 })
  expect(await scene.files()).toEqual([join(sha512.slice(0, 2), sha512)])
}

/** As the records have it, without a question to the hub: a HEAD would wait for the one that writes. */
function readOffset(directory: string, id: string, least: number): number {
  const database = new Database(join(directory, 'var', 'hub.db'), { readonly: true })
  try {
    const row = database.prepare('select offset_bytes as told from partial_uploads where id = ?').get(id)
    return Math.max(least, (row as { told: number }).told)
  } finally {
    database.close()
  }
}

test(`killed while an upload is archived, ${String(KILLS)} times: the request again ends well (HUB_TEST_SEED=${String(SEED)})`, async () => {
  await using scene = await openScene()
  let made = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const { url, hub } = await scene.start()
    const id = await finished({ url }, SMALL)
    await hub.arm({ phase: 'work', at: 'disk', count: 1 + random.int(16) })
    const first = await archive(url, id).catch(() => null)
    if (first === null) await hub.ended
    const { url: next } = await scene.start()
    const again = await archive(next, id)
    expect([200, 201], again.text).toContain(again.status)
    expect(again.json['build']).toBe(++made)
    const [only = '', ...more] = await scene.files()
    expect(more, only).toEqual([])
  }
}, 600_000)
