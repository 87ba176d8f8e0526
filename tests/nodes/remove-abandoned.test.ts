/** Restore points that were announced and never completed: when they go, and when they do not. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { collectBinpkgs } from '../../src/jobs/collect-binpkgs.ts'
import { pruneRestorePoints } from '../../src/jobs/prune-restore-points.ts'
import { announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import type { PackedFile } from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const ID = 'rp_20260102T000000Z_aaaaaa'
const OTHER = 'rp_20260102T000000Z_bbbbbb'
const DUMP: PackedFile = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('rows\n') }
const LARGE: PackedFile = { kind: 'dump', name: 'large.dump', bytes: Buffer.alloc(1 << 20, 'x') }
const sealed = (id: string) => announcementOf([DUMP, LARGE], { id, encrypted: true })

type Points = ReturnType<typeof pointsOf>

async function prepare(hub: TestHub): Promise<{ readonly points: Points; readonly token: string }> {
  const token = await enrolNode(hub, 'web1')
  return { token, points: pointsOf(hub, 'web1', token) }
}

async function listed(points: Points): Promise<readonly string[]> {
  return ((await points.list()).body as { items: readonly { id: string }[] }).items.map(({ id }) => id)
}

async function blobsOf(hub: TestHub): Promise<readonly string[]> {
  const entries = await readdir(join(hub.directory, 'binpkgs'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

const sha512 = ({ bytes }: PackedFile): string => createHash('sha512').update(bytes).digest('hex')

test('one that its node goes on with no more goes, with the files that only it needs', async () => {
  await using hub = await createTestHub({ HUB_RESTORE_POINT_EXPIRES: '10d' })
  const { points } = await prepare(hub)
  const complete = announcementOf([DUMP], { id: OTHER, encrypted: true })
  await points.announce(complete)
  await points.put(DUMP, OTHER)
  await points.complete(OTHER)
  await points.announce(sealed(ID))
  await points.put(LARGE, ID)
  expect(await blobsOf(hub)).toHaveLength(2)

  hub.clock.set('2026-01-12T03:04:05Z')
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toEqual([OTHER, ID])
  hub.clock.set('2026-01-12T03:04:06Z')
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toEqual([OTHER])
  expect(await blobsOf(hub)).toEqual([sha512(DUMP)])
  await collectBinpkgs(hub.hub)
  expect((await points.fetch(DUMP, OTHER)).bytes).toEqual(DUMP.bytes)

  // The node has it still: it comes whole, as if for the first time.
  const again = await points.announce(sealed(ID))
  expect(again.status).toBe(201)
  expect(again.body.wants).toEqual([{ kind: 'dump', name: 'large.dump' }])
  await points.put(LARGE, ID)
  expect((await points.complete(ID)).body.state).toBe('complete')
})

test('what the node says or sends of it keeps it, and so does who wants it kept', async () => {
  await using hub = await createTestHub({ HUB_RESTORE_POINT_EXPIRES: '10d' })
  const { points, token } = await prepare(hub)
  await points.announce(sealed(ID))
  await points.announce(sealed(OTHER))
  hub.clock.set('2026-01-10T00:00:00Z')
  await points.announce(sealed(ID))
  await points.put(DUMP, OTHER)
  hub.clock.set('2026-01-19T00:00:00Z')
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toEqual([OTHER, ID])
  await hub.as(token).put(`/api/v1/nodes/web1/restore-points/${ID}/pin`)
  hub.clock.set('2026-02-19T00:00:00Z')
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toEqual([ID])
  await hub.as(token).delete(`/api/v1/nodes/web1/restore-points/${ID}/pin`)
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toEqual([])
  expect(await blobsOf(hub)).toEqual([])
})

test('a file of it that is on its way keeps it, however long that takes', async () => {
  await using hub = await createTestHub({ HUB_RESTORE_POINT_EXPIRES: '1d' })
  const { points, token } = await prepare(hub)
  await points.announce(announcementOf([LARGE], { id: ID, encrypted: true }))
  const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/octet-stream',
    'Content-Length': LARGE.bytes.byteLength,
  }
  const path = `/api/v1/nodes/web1/restore-points/${ID}/dumps/large.dump`
  const put = request(`${hub.url}${path}`, { method: 'PUT', headers })
  const answered = new Promise<number | undefined>((resolve, reject) => {
    put.once('response', (reply) => {
      reply.resume()
      resolve(reply.statusCode)
    })
    put.once('error', reject)
  })
  put.write(LARGE.bytes.subarray(0, 1000))
  await expect.poll(() => hub.hub.arrivals.has({ node: 'web1', id: ID }), { timeout: 20_000 }).toBe(true)
  hub.clock.set('2026-03-01T00:00:00Z')
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toEqual([ID])
  put.end(LARGE.bytes.subarray(1000))
  expect(await answered).toBe(201)
  expect(hub.hub.arrivals.has({ node: 'web1', id: ID })).toBe(false)
  expect((await points.complete(ID)).body.state).toBe('complete')
})

test('a resumable upload of its node keeps it, until that expires', async () => {
  await using hub = await createTestHub({ HUB_RESTORE_POINT_EXPIRES: '1d', HUB_UPLOAD_EXPIRES: '90d' })
  const { points, token } = await prepare(hub)
  await points.announce(sealed(ID))
  const begun = await hub
    .as(token)
    .post('/api/v1/uploads')
    .set({ 'Tus-Resumable': '1.0.0', 'Upload-Length': '1048576' })
  expect(begun.status).toBe(201)
  hub.clock.set('2026-02-01T00:00:00Z')
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toEqual([ID])
  const location = begun.headers['location'] ?? ''
  const ended = await hub.as(token).delete(new URL(location, hub.url).pathname).set('Tus-Resumable', '1.0.0')
  expect(ended.status).toBe(204)
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toEqual([])
})
