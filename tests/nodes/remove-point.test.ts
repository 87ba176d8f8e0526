/** Restore points that go: which of them never do, and what is left when they are gone. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parsePackagesIndex } from '../../src/gentoo/packages-index.ts'
import { collectBinpkgs } from '../../src/jobs/collect-binpkgs.ts'
import { pruneRestorePoints } from '../../src/jobs/prune-restore-points.ts'
import { verifyRestorePoints } from '../../src/jobs/verify-restore-points.ts'
import {
  BINPKG,
  announcementOf,
  enrolNode,
  packedShop,
  pointsOf,
  uploadShop,
} from '../support/restore-points.ts'
import type { PackedFile } from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const DUMP: PackedFile = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('rows\n') }
const idOf = (day: number): string => `rp_202601${String(day).padStart(2, '0')}T000000Z_aaaaaa`
const addressOf = (day: number): string => `/api/v1/nodes/web1/restore-points/${idOf(day)}`

type Points = ReturnType<typeof pointsOf>

async function prepare(hub: TestHub): Promise<{ readonly points: Points; readonly token: string }> {
  await uploadShop(hub)
  const token = await enrolNode(hub, 'web1')
  return { token, points: pointsOf(hub, 'web1', token) }
}

/** A package like that of every day but for its BUILD_TIME. */
async function packedOn(hub: TestHub, day: number): Promise<PackedFile> {
  const bytes = await packedShop(hub, {
    metadata: { BUILD_TIME: `17673230${String(day).padStart(2, '0')}\n` },
  })
  return { kind: 'binpkg', name: BINPKG, bytes }
}

async function send(points: Points, day: number, files: readonly PackedFile[]): Promise<void> {
  const announced = await points.announce(announcementOf(files, { id: idOf(day) }))
  if (announced.status !== 201) throw new Error(announced.text)
  for (const file of files) await points.put(file, idOf(day))
  const completed = await points.complete(idOf(day))
  if (completed.status !== 200) throw new Error(completed.text)
}

async function shownBuildIds(points: Points): Promise<readonly (string | undefined)[]> {
  const { packages } = parsePackagesIndex((await points.index()).bytes.toString())
  return packages.map((fields) => fields['BUILD_ID'])
}

async function listed(points: Points): Promise<readonly string[]> {
  return ((await points.list()).body as { items: readonly { id: string }[] }).items.map(({ id }) => id)
}

async function blobCount(hub: TestHub): Promise<number> {
  const entries = await readdir(join(hub.directory, 'binpkgs'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).length
}

/** What is there is whole, and nothing is there that nobody needs. */
async function expectWhole(hub: TestHub, blobs: number): Promise<void> {
  const folder = { ...hub.hub, shown: (path: string) => path }
  const findings = await Array.fromAsync(verifyRestorePoints(folder, () => undefined))
  expect(findings).toEqual([])
  expect(await blobCount(hub)).toBe(blobs)
  await collectBinpkgs(hub.hub)
  expect(await blobCount(hub)).toBe(blobs)
}

test('an administrator removes one: its package leaves the binhost, its bytes go, and no build id comes twice', async () => {
  await using hub = await createTestHub()
  const { points, token } = await prepare(hub)
  await send(points, 1, [await packedOn(hub, 1), DUMP])
  await send(points, 2, [await packedOn(hub, 2), DUMP])
  await send(points, 3, [await packedOn(hub, 3)])
  expect(await shownBuildIds(points)).toEqual(['1', '2', '3'])
  const before = Number(parsePackagesIndex((await points.index()).bytes.toString()).header['TIMESTAMP'])
  expect((await hub.as(token).delete(addressOf(1))).status).toBe(403)
  expect((await hub.as().delete(`${addressOf(1)}?dryRun=true`)).body).toMatchObject({
    dryRun: true,
    id: idOf(1),
  })
  expect(await listed(points)).toHaveLength(3)

  expect((await hub.as().delete(addressOf(1))).status).toBe(200)
  expect(await listed(points)).toEqual([idOf(3), idOf(2)])
  const { header, packages } = parsePackagesIndex((await points.index()).bytes.toString())
  expect(packages.map((fields) => fields['BUILD_ID'])).toEqual(['2', '3'])
  expect(Number(header['TIMESTAMP'])).toBeGreaterThanOrEqual(before + 6)
  // The dump is another point's too.
  await expectWhole(hub, 3)
  expect((await points.fetch(DUMP, idOf(2))).bytes).toEqual(DUMP.bytes)
  expect((await points.fetch(DUMP, idOf(1))).status).toBe(404)
  expect((await hub.as().delete(addressOf(1))).body).toMatchObject({ code: 'restore_point.unknown' })

  const newest = await hub.as().delete(addressOf(3))
  expect(newest.body).toMatchObject({ status: 409, code: 'restore_point.needed' })
  expect((await hub.as().delete(`${addressOf(3)}?newest=true`)).status).toBe(200)
  expect(await shownBuildIds(points)).toEqual(['2'])
  await send(points, 4, [await packedOn(hub, 4)])
  expect(await shownBuildIds(points)).toEqual(['2', '4'])
})

test('the package of two points stays until both are gone', async () => {
  const hub = await createTestHub()
  const { points, token } = await prepare(hub)
  const binpkg = await packedOn(hub, 1)
  await send(points, 1, [binpkg])
  await send(points, 2, [binpkg])
  await hub.as().delete(addressOf(1))
  expect(await shownBuildIds(points)).toEqual(['1'])
  await expectWhole(hub, 1)
  await hub.as().delete(`${addressOf(2)}?newest=true`)
  expect(await shownBuildIds(points)).toEqual([])
  await expectWhole(hub, 0)
  // Sent once more it is another package.
  await send(points, 3, [binpkg])
  expect(await shownBuildIds(points)).toEqual(['2'])
  const again = await hub.restart()
  expect(await shownBuildIds(pointsOf(again, 'web1', token))).toEqual(['2'])
  await again[Symbol.asyncDispose]()
})

test('the night leaves the newest, the kept, and the one that a rollback waits for', async () => {
  await using hub = await createTestHub({ HUB_KEEP_RESTORE_POINTS: '2' })
  const { points, token } = await prepare(hub)
  for (const day of [1, 2, 3, 4, 5, 6]) await send(points, day, [await packedOn(hub, day)])
  const kept = await hub.as(token).put(`${addressOf(2)}/pin`)
  expect(kept.body).toMatchObject({ id: idOf(2), keptAt: '2026-01-02T03:04:05Z' })
  const refused = await hub.as().delete(addressOf(2))
  expect(refused.body).toMatchObject({ status: 409, code: 'restore_point.needed' })
  const asked = await hub
    .as()
    .post('/api/v1/rollbacks')
    .send({ node: 'web1', app: 'shop', restorePoint: idOf(3) })
  expect(asked.status, asked.text).toBe(201)
  expect((await hub.as().delete(addressOf(3))).body).toMatchObject({ code: 'restore_point.needed' })
  const other = pointsOf(hub, 'web2', await enrolNode(hub, 'web2'))
  await send(other, 1, [await packedOn(hub, 1)])
  // One on its way is not touched, however old.
  await points.announce(announcementOf([DUMP], { id: 'rp_20250101T000000Z_aaaaaa' }))

  await pruneRestorePoints(hub.hub)
  const left = [6, 5, 3, 2].map(idOf)
  expect(await listed(points)).toEqual([...left, 'rp_20250101T000000Z_aaaaaa'])
  expect(await listed(other)).toEqual([idOf(1)])
  expect(await shownBuildIds(points)).toEqual(['2', '3', '5', '6'])
  await expectWhole(hub, 5)
  await pruneRestorePoints(hub.hub)
  expect(await listed(points)).toHaveLength(5)

  await hub.as(token).delete(`${addressOf(2)}/pin`)
  await hub.as().delete(`/api/v1/rollbacks/${String(asked.body.id)}`)
  await pruneRestorePoints(hub.hub)
  expect((await listed(points)).slice(0, 3)).toEqual([idOf(6), idOf(5), 'rp_20250101T000000Z_aaaaaa'])
})
