import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { collectUploads } from '../../src/jobs/collect-uploads.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { begin, finished, head, offsetOf, patch } from '../support/tus.ts'

const BYTES = tarball({ f: '1' })

async function rows(hub: TestHub): Promise<readonly string[]> {
  return (await hub.hub.records.partialUploads.all()).map(({ id }) => id)
}

test('what expired goes, the rest stays', async () => {
  await using hub = await createTestHub({ HUB_UPLOAD_EXPIRES: '90m' })
  const old = await begin(hub, 100)
  hub.clock.set('2026-01-02T04:00:00Z')
  const young = await begin(hub, 100)
  await patch(hub, young, 0, Buffer.alloc(10))
  hub.clock.set('2026-01-02T04:34:05Z')
  await collectUploads(hub.hub)
  expect(await rows(hub)).toEqual([young])
  expect(await hub.storedFiles()).toEqual([`var/partial-uploads/${young}`])
  expect((await head(hub, old)).status).toBe(404)
  expect(await offsetOf(hub, young)).toBe(10)
  await collectUploads(hub.hub)
  expect(await offsetOf(hub, young)).toBe(10)
})

test('files that no row names and rows whose bytes are gone are collected at the start', async () => {
  await using hub = await createTestHub()
  const [kept, lost, short] = [await begin(hub, 100), await begin(hub, 100), await begin(hub, 100)]
  for (const id of [kept, short]) await patch(hub, id, 0, Buffer.alloc(50))
  await hub.hub.partialUploads.remove(lost)
  await writeFile(hub.hub.paths.partialUpload(short), 'cut')
  await writeFile(hub.hub.paths.partialUpload('upl_of_nobody'), 'x')
  await using again = await hub.restart()
  expect(await rows(again)).toEqual([kept])
  expect(await again.storedFiles()).toEqual([`var/partial-uploads/${kept}`])
  expect(await offsetOf(again, kept)).toBe(50)
})

test('the file of an upload that became a build goes, and its row stays until it expires', async () => {
  await using hub = await createTestHub()
  const id = await finished(hub, BYTES)
  hub.hub.partialUploads.remove = async () => {
    throw new Error('the file cannot be removed')
  }
  const reply = await hub.as().post('/api/v1/apps/shop/builds').send({ upload: id, build: 1 })
  expect(reply.status).toBe(201)
  expect((await hub.storedFiles()).join()).toContain(id)
  await using again = await hub.restart()
  expect((await again.storedFiles()).join()).not.toContain(id)
  expect(await rows(again)).toEqual([id])
  const repeated = await again.as().post('/api/v1/apps/shop/builds').send({ upload: id, build: 1 })
  expect(repeated.status, repeated.text).toBe(200)
  again.clock.set('2026-01-03T03:04:05Z')
  await collectUploads(again.hub)
  expect(await rows(again)).toEqual([])
})

test('an upload that begins while files are collected stays', async () => {
  await using hub = await createTestHub()
  const ids = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const [id] = await Promise.all([begin(hub, 10), collectUploads(hub.hub), collectUploads(hub.hub)])
      return id
    }),
  )
  expect(await rows(hub)).toEqual(ids.sort())
  for (const id of ids) expect(await offsetOf(hub, id)).toBe(0)
  expect(await hub.storedFiles()).toHaveLength(20)
})
