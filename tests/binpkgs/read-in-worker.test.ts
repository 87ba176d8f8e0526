/** Binary packages read on threads: the same verdicts, while the one thread in the middle goes on. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { judgeImage, readBinpkg } from '../../src/binpkgs/read-binpkg.ts'
import {
  closeBinpkgWorkers,
  judgeImageInWorker,
  readBinpkgInWorker,
} from '../../src/binpkgs/read-in-worker.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../src/builds/archive-limits.ts'
import { temporaryFolder } from '../git/support.ts'
import {
  GOLDEN_BINPKGS,
  SHOP_IMAGE,
  goldenPackages,
  gpkgOf,
  metadataTar,
  shopParts,
} from '../support/gpkgs.ts'
import { tarOf } from '../support/tarballs.ts'

const limits = DEFAULT_ARCHIVE_LIMITS

afterAll(closeBinpkgWorkers)

test('facts and image are the same as without a thread', async () => {
  const [name = ''] = goldenPackages('gpkg').filter((one) => one.startsWith('gpkg-zstd/'))
  const path = join(GOLDEN_BINPKGS, name)
  const facts = await readBinpkgInWorker(path)
  const same = await readBinpkg(path)
  expect({ ...facts, ebuild: Buffer.from(facts.ebuild ?? []) }).toEqual(same)
  expect(Buffer.from(facts.ebuild ?? []).toString()).toContain('EAPI=')
  for (const roots of [null, ['/'], ['/nowhere']]) {
    const verdict = await judgeImageInWorker({ gpkg: facts.gpkg, limits, roots })
    expect(verdict).toEqual(await judgeImage({ gpkg: same.gpkg, limits, roots }))
  }
})

test('a path where the build installs nothing is named, and the folders on the way are none', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'x')
  await writeFile(path, gpkgOf())
  const { gpkg } = await readBinpkgInWorker(path)
  const foreignTo = async (...roots: readonly string[]) =>
    (await judgeImageInWorker({ gpkg, limits, roots })).foreign
  expect(await foreignTo('/opt/shop')).toBeNull()
  expect(await foreignTo('/opt')).toBeNull()
  expect(await foreignTo('/opt/shop/run')).toBe('/opt/shop')
  expect(await foreignTo('/opt/sho')).toBe('/opt/shop')
})

test('a refusal comes with code, detail and extra; a fault with its cause', async () => {
  await using folder = await temporaryFolder()
  const [good, bad] = [join(folder.path, 'good'), join(folder.path, 'bad')]
  await writeFile(good, gpkgOf())
  await writeFile(bad, gpkgOf(shopParts({ 'metadata.tar.gz': gzipSync(metadataTar({ CATEGORY: 'a' })) })))
  const refusal = await readBinpkg(bad).catch((error: unknown) => error)
  const same = await readBinpkgInWorker(bad).catch((error: unknown) => error)
  expect(same).toEqual(refusal)
  expect(same).toMatchObject({ name: 'HubError', code: 'binpkg.invalid' })
  const { gpkg } = await readBinpkgInWorker(good)
  const few = judgeImageInWorker({ gpkg, limits: { ...limits, maxEntries: 1 }, roots: null })
  await expect(few).rejects.toMatchObject({ code: 'archive.too_many_entries', extra: { maxEntries: 1 } })
  await expect(readBinpkgInWorker('/nowhere/at/all')).rejects.toMatchObject({
    cause: { message: expect.stringContaining('ENOENT') as string },
  })
})

test('reading a large image holds up nothing else', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'x')
  const files = Array.from({ length: 20_000 }, (_, n) => ({ name: `image/opt/shop/f${n}`, content: 'x' }))
  const image = tarOf(...SHOP_IMAGE.slice(0, 1), ...files)
  await writeFile(path, gpkgOf(shopParts({ 'image.tar.gz': gzipSync(image, { level: 1 }) })))
  const { gpkg } = await readBinpkgInWorker(path)
  const busyMs = async (work: () => Promise<unknown>): Promise<number> => {
    const { active } = performance.eventLoopUtilization()
    await work()
    return performance.eventLoopUtilization().active - active
  }
  const claim = { gpkg, limits, roots: ['/opt/shop'] }
  const here = await busyMs(async () => await judgeImage(claim))
  const beside = await busyMs(async () => await judgeImageInWorker(claim))
  expect(beside).toBeLessThan(here / 4)
})
