import { globSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePackagesIndex, renderIndexEntry, renderPackagesIndex } from '../../src/gentoo/packages-index.ts'

const INVALID = expect.objectContaining({ code: 'request.invalid' })
const GOLDEN = new URL('../golden/binpkgs/', import.meta.url)
const indexes = globSync('*/Packages', { cwd: GOLDEN }).sort()
const header = { VERSION: '0', TIMESTAMP: '1795337145', PACKAGES: '1', CHOST: 'x86_64-pc-linux-gnu' }

test('there is an index for each format and compression', () => {
  expect(indexes).toHaveLength(11)
})

test.each(indexes)('%s, written by Portage, is read and rendered again to the same text', (name) => {
  const text = readFileSync(new URL(name, GOLDEN), 'utf8')
  const index = parsePackagesIndex(text)
  expect(index.packages.map(({ CPV }) => CPV)).toEqual(['app-acme/shop-1.0.0_p1'])
  expect(renderPackagesIndex(index)).toBe(text)
})

test('packages come by CPV, as Python sorts texts, and equal ones as they were given', () => {
  const cpvs = ['a/b-10', 'a/b-9', 'A/b-1', 'a/b-9', 'a-b/c-1']
  const packages = cpvs.map((CPV, at) => ({ CPV, BUILD_ID: String(at) }))
  const { packages: sorted } = parsePackagesIndex(renderPackagesIndex({ header, packages }))
  expect(sorted.map(({ CPV, BUILD_ID }) => `${CPV} ${BUILD_ID}`)).toEqual([
    'A/b-1 2',
    'a-b/c-1 4',
    'a/b-10 0',
    'a/b-9 1',
    'a/b-9 3',
  ])
})

test('what readers know anyway is not told: defaults, empty values, and what the header says', () => {
  const fields = { CPV: 'a/b-1', SLOT: '0', EAPI: '0', USE: '', CHOST: header.CHOST, REPO: 'hub' }
  expect(renderIndexEntry(fields, header)).toBe('CPV: a/b-1\nREPO: hub\n\n')
  expect(renderIndexEntry({ ...fields, SLOT: '2', CHOST: 'riscv64' }, header)).toBe(
    'CHOST: riscv64\nCPV: a/b-1\nSLOT: 2\nREPO: hub\n\n',
  )
})

test('an index without packages is a header', () => {
  const text = renderPackagesIndex({ header: { VERSION: '0' }, packages: [] })
  expect(text).toBe('VERSION: 0\n\n')
  expect(parsePackagesIndex(text)).toEqual({ header: { VERSION: '0' }, packages: [] })
})

test('what was rendered reads back to the same', () => {
  const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/).filter((text) => text !== '0')
  const block = fc.dictionary(fc.stringMatching(/^[A-Z][A-Z0-9_]{0,9}$/), value, { maxKeys: 6 })
  const fields = fc.tuple(block, value).map(([some, CPV]) => ({ ...some, CPV }))
  fc.assert(
    fc.property(fc.array(fields, { maxLength: 5 }), (packages) => {
      const read = parsePackagesIndex(renderPackagesIndex({ header: { VERSION: '0' }, packages }))
      expect(read.packages).toHaveLength(packages.length)
      expect(new Set(read.packages.map((one) => JSON.stringify(Object.entries(one).sort())))).toEqual(
        new Set(packages.map((one) => JSON.stringify(Object.entries(one).sort()))),
      )
    }),
  )
})

test.each([
  ['no line end', 'VERSION: 0\n\nCPV: a/b-1\n'],
  ['another version', 'VERSION: 1\n\n'],
  ['no version', 'TIMESTAMP: 1\n\n'],
  ['two empty lines, where readers would stop', 'VERSION: 0\n\n\nCPV: a/b-1\n\n'],
  ['a package without CPV', 'VERSION: 0\n\nSLOT: 1\n\n'],
  ['a line without a key', 'VERSION: 0\n\nCPV: a/b-1\nrubbish\n\n'],
  ['a key twice', 'VERSION: 0\n\nCPV: a/b-1\nCPV: a/b-2\n\n'],
])('an index with %s is refused', (_what, text) => {
  expect(() => parsePackagesIndex(text)).toThrow(INVALID)
})

test.each([
  ['a value with a line end', { CPV: 'a/b-1', DESC: 'x\nCPV: a/evil-1' }],
  ['a key that is none', { CPV: 'a/b-1', 'X: y\nZ': 'x' }],
  ['a value with a carriage return', { CPV: 'a/b-1', DESC: 'x\ry' }],
  ['no CPV', { SLOT: '1' }],
])('a package with %s is not rendered', (_what, fields) => {
  expect(() => renderIndexEntry(fields, header)).toThrow(INVALID)
})
