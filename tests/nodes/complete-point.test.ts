/** The end of a restore point is one change: whichever step the hub gets to, its packages and its state say the same. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parsePackagesIndex } from '../../src/gentoo/packages-index.ts'
import { collectBinpkgs } from '../../src/jobs/collect-binpkgs.ts'
import { openDataFolder } from '../../src/jobs/open-data-folder.ts'
import { verifyRestorePoints } from '../../src/jobs/verify-restore-points.ts'
import type { Step } from '../../src/steps.ts'
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

const SECOND = 'app-hub/shop/shop-1.0.0_p1-2.gpkg.tar'

/** Ends the work at the n-th time that it comes to a step. */
class Stop {
  at: Step | null = null
  left = 0

  reached(step: Step): void {
    if (step === this.at && --this.left === 0) throw new Error(`stopped at ${step}`)
  }
}

async function shown(points: ReturnType<typeof pointsOf>): Promise<readonly string[]> {
  const { packages } = parsePackagesIndex((await points.index()).bytes.toString())
  for (const { PATH = '', SIZE } of packages)
    expect((await points.index(PATH)).bytes.byteLength).toBe(Number(SIZE))
  return packages.map(({ PATH = '' }) => PATH)
}

async function blobs(hub: TestHub): Promise<number> {
  const entries = await readdir(join(hub.directory, 'binpkgs'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).length
}

test.each<[Step, number, 'announced' | 'complete']>([
  ['point.judged', 1, 'announced'],
  ['point.signed', 1, 'announced'],
  ['point.signed', 2, 'announced'],
  ['blob.adopted', 1, 'announced'],
  ['blob.adopted', 2, 'announced'],
  ['point.recording', 1, 'announced'],
  ['point.recorded', 1, 'complete'],
  ['point.shown', 1, 'complete'],
  ['point.cleared', 1, 'complete'],
])('a point that stops at %s, time %i, is %s with all of its packages or none', async (at, left, state) => {
  const stop = new Stop()
  const hub = await createTestHub({}, { steps: stop })
  await uploadShop(hub)
  const token = await enrolNode(hub, 'web1')
  const other = { metadata: { BUILD_TIME: '1767323001\n' } }
  const files: readonly PackedFile[] = [
    { kind: 'binpkg', name: BINPKG, bytes: await packedShop(hub) },
    { kind: 'binpkg', name: SECOND, bytes: await packedShop(hub, other) },
  ]
  const points = pointsOf(hub, 'web1', token)
  await points.announce(announcementOf(files))
  for (const file of files) expect((await points.put(file)).status).toBe(201)
  expect(await shown(points)).toEqual([])

  Object.assign(stop, { at, left })
  expect((await points.complete()).status).toBe(500)
  await using again = await hub.restart(undefined, {})
  const after = pointsOf(again, 'web1', token)
  const expected = [BINPKG, SECOND]
  expect([(await after.show()).body.state, await shown(after)]).toEqual([
    state,
    state === 'complete' ? expected : [],
  ])

  const completed = await after.complete()
  expect(completed.body).toMatchObject({ state: 'complete', binpkgs: expected.map((path) => ({ path })) })
  expect(await shown(after)).toEqual(expected)
  await collectBinpkgs(again.hub)
  expect(await blobs(again)).toBe(2)
  expect(await shown(after)).toEqual(expected)
  expect(await readdir(join(again.directory, 'var/binpkg-uploads'))).toEqual([])
  await using folder = await openDataFolder(again.hub.config)
  for await (const finding of verifyRestorePoints(folder, () => undefined)) expect.fail(finding.what)
})

test('an index that is read while a package is recorded has its time, or neither', async () => {
  await using hub = await createTestHub()
  await uploadShop(hub)
  const points = pointsOf(hub, 'web1', await enrolNode(hub, 'web1'))
  const file: PackedFile = { kind: 'binpkg', name: BINPKG, bytes: await packedShop(hub) }
  await points.announce(announcementOf([file]))
  await points.put(file)
  // Each poll is a first one: the index is not in memory yet.
  const polls = Array.from({ length: 8 }, async () => await points.index())
  const [, ...indexes] = await Promise.all([points.complete(), ...polls])
  for (const { bytes } of [...indexes, await points.index()]) {
    const { header, packages } = parsePackagesIndex(bytes.toString())
    expect(header['TIMESTAMP']).toBe(packages.length === 0 ? '1' : '1767323045')
  }
  expect((await shown(points)).length).toBe(1)
})
