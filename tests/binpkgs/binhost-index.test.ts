/** The index of a binhost in memory: always what Portage would have written of the same packages, at the price of one chunk. */
import { spawnSync } from 'node:child_process'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BinhostIndex, indexKey } from '../../src/binpkgs/binhost-index.ts'
import type { IndexChange } from '../../src/binpkgs/binhost-index.ts'
import type { IndexFields } from '../../src/gentoo/packages-index.ts'
import { parsePackagesIndex, renderPackagesIndex } from '../../src/gentoo/packages-index.ts'
import { testWith } from '../support/programs.ts'

const NOW_SEC = 1_795_000_000
const HEADER = { CHOST: 'x86_64-pc-linux-gnu', REPO: 'hub-staging' }

const entry = (pn: string, buildId: number, more: IndexFields = {}): IndexFields => ({
  CPV: `app-acme/${pn}-1.0.0_p1`,
  BUILD_ID: String(buildId),
  PATH: `app-acme/${pn}/${pn}-1.0.0_p1-${buildId}.gpkg.tar`,
  SIZE: '10240',
  MTIME: '1794990001',
  ...more,
})
const indexOf = (entries: readonly IndexFields[]): BinhostIndex =>
  new BinhostIndex({ header: HEADER, timestampSec: NOW_SEC, entries })
const textOf = (index: BinhostIndex): string => Buffer.concat(index.published.packages).toString()
const gunzipped = (index: BinhostIndex): string =>
  gunzipSync(Buffer.concat(index.published.packagesGz)).toString()

describe('the text', () => {
  test('is the header and the packages by CPV and then by build id', () => {
    const index = new BinhostIndex({
      header: HEADER,
      ttlSec: 300,
      timestampSec: NOW_SEC,
      entries: [entry('web', 1), entry('shop', 10), entry('shop', 9, { CHOST: HEADER.CHOST, REPO: 'other' })],
    })
    const { header, packages } = parsePackagesIndex(textOf(index))
    expect(header).toEqual({ ...HEADER, VERSION: '0', TIMESTAMP: String(NOW_SEC), PACKAGES: '3', TTL: '300' })
    expect(packages).toEqual([entry('shop', 9, { REPO: 'other' }), entry('shop', 10), entry('web', 1)])
    expect(gunzipped(index)).toBe(textOf(index))
    expect(index.published).toMatchObject({ timestampSec: NOW_SEC, packageCount: 3 })
  })

  test('of no packages is a header', () => {
    const text = textOf(indexOf([]))
    expect(parsePackagesIndex(text).packages).toEqual([])
    expect(text.endsWith('\n\n')).toBe(true)
  })

  test('after any changes is that of an index made anew, packed and plain', () => {
    const key = fc.tuple(fc.constantFrom('a', 'a-b', 'b', 'ba', 'c'), fc.integer({ min: 1, max: 400 }))
    const step = fc.record({
      put: fc.array(
        fc.tuple(key, fc.nat(3)).map(([[pn, id], size]) => entry(pn, id, { SIZE: String(size + 1) })),
        { maxLength: 200, size: 'max' },
      ),
      remove: fc.array(
        key.map(([pn, id]) => indexKey(entry(pn, id))),
        { maxLength: 200, size: 'max' },
      ),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8, size: 'max' }), (steps) => {
        const index = indexOf([])
        const model = new Map<string, IndexFields>()
        for (const change of steps) {
          apply(model, change)
          index.change(change, NOW_SEC)
        }
        const { timestampSec } = index.published
        const anew = new BinhostIndex({ header: HEADER, timestampSec, entries: [...model.values()] })
        expect(textOf(index)).toBe(textOf(anew))
        expect(gunzipped(index)).toBe(textOf(anew))
        expect(index.published.packageCount).toBe(model.size)
      }),
      { numRuns: 30 },
    )
  })

  test('is the one that all packages rendered at once would give', () => {
    const packages = Array.from({ length: 1500 }, (_, n) => entry(`p${(n * 7) % 1500}`, 1))
    const index = indexOf(packages)
    const header = { ...HEADER, VERSION: '0', TIMESTAMP: String(NOW_SEC), PACKAGES: '1500' }
    expect(textOf(index)).toBe(renderPackagesIndex({ header, packages }))
  })
})

function apply(model: Map<string, IndexFields>, { put = [], remove = [] }: IndexChange): void {
  for (const { cpv, binpkgBuildId } of remove) model.delete(`${cpv} ${binpkgBuildId}`)
  for (const fields of put) model.set(`${fields['CPV']} ${fields['BUILD_ID']}`, fields)
}

describe('a change', () => {
  test('leaves every other piece as it was, in memory too', () => {
    const index = indexOf(Array.from({ length: 5000 }, (_, n) => entry(`p${10_000 + n}`, 1)))
    const before = index.published
    const after = index.change({ put: [entry('p12500', 2)] }, NOW_SEC + 60)
    expect(after.packages).toHaveLength(before.packages.length)
    const others = after.packages.filter((piece) => !before.packages.includes(piece))
    const othersGz = after.packagesGz.filter((piece) => !before.packagesGz.includes(piece))
    expect([others.length, othersGz.length]).toEqual([2, 2])
    expect(before.packageCount).toBe(5000)
  })

  test('is published at least six seconds after the one before, whatever the clock says', () => {
    const index = indexOf([])
    const times = [NOW_SEC, NOW_SEC + 3, NOW_SEC + 100, NOW_SEC - 1000].map(
      (nowSec, id) => index.change({ put: [entry('shop', id + 1)] }, nowSec).timestampSec - NOW_SEC,
    )
    expect(times).toEqual([6, 12, 100, 106])
    expect(textOf(index)).toContain(`TIMESTAMP: ${NOW_SEC + 106}\n`)
  })

  test('that changes nothing publishes nothing', () => {
    const index = indexOf([entry('shop', 1)])
    const before = index.published
    const remove = [indexKey(entry('shop', 2)), indexKey(entry('web', 1))]
    expect(index.change({ put: [entry('shop', 1)], remove }, NOW_SEC + 60)).toBe(before)
    expect(index.published).toBe(before)
  })

  test('that cannot be listed changes nothing', () => {
    const index = indexOf([entry('shop', 1)])
    const before = index.published
    const invalid = expect.objectContaining({ code: 'request.invalid' })
    for (const odd of [{ SLOT: '0' }, entry('web', 1, { DESC: 'a\nCPV: b/c-1' }), entry('../web', 1)]) {
      const change = { remove: [indexKey(entry('shop', 1))], put: [odd] }
      expect(() => index.change(change, NOW_SEC + 60)).toThrow(invalid)
    }
    expect(index.published).toBe(before)
    expect(textOf(index)).toContain('CPV: app-acme/shop-1.0.0_p1\n')
  })
})

testWith('python3')('Python’s gzip reads the packed form as Portage does, line by line', async () => {
  const index = indexOf(Array.from({ length: 1200 }, (_, n) => entry(`p${n}`, 1)))
  const program =
    'import sys, io, gzip, codecs\n' +
    'f = gzip.GzipFile(fileobj=io.BytesIO(sys.stdin.buffer.read()), mode="rb")\n' +
    'for line in codecs.iterdecode(f, "utf-8", errors="replace"): sys.stdout.write(line)\n'
  const input = Buffer.concat(index.published.packagesGz)
  const { stdout } = await Promise.resolve(spawnSync('python3', ['-c', program], { input, encoding: 'utf8' }))
  expect(stdout).toBe(textOf(index))
})
