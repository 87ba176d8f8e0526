/** Binary packages: what is taken, GNU tar sees the same members of; entries stay one block of an index. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { openBinpkg, readMetadata } from '../../../src/binpkgs/open-binpkg.ts'
import { readImage } from '../../../src/binpkgs/read-image.ts'
import { verifyGpkg } from '../../../src/binpkgs/verify-binpkg.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../src/builds/archive-limits.ts'
import { indexEntry } from '../../../src/gentoo/binpkg.ts'
import type { BinpkgMetadata } from '../../../src/gentoo/binpkg.ts'
import type { GpkgLayout } from '../../../src/gentoo/gpkg.ts'
import { listedMembers, parseGpkgManifest, renderGpkgManifest } from '../../../src/gentoo/gpkg.ts'
import { parsePackagesIndex, renderPackagesIndex } from '../../../src/gentoo/packages-index.ts'
import { parseXpak, renderXpak } from '../../../src/gentoo/xpak.ts'
import {
  GOLDEN_BINPKGS,
  goldenPackages,
  gpkgOf,
  manifestOf,
  metadataTar,
  SHOP_IMAGE,
  SHOP_METADATA,
  shopParts,
} from '../../support/gpkgs.ts'
import { hasGnuTar, tarOf } from '../../support/tarballs.ts'
import { flooded, mutated, mutatedText } from '../support/mutate.ts'
import { outcomeNow, outcomeOf } from '../support/refusal.ts'
import { same, sameJson } from '../support/same.ts'
import { changeOfExtension, changeOfHeader } from '../support/tar-corpus.ts'
import { target } from '../support/target.ts'
import type { Target } from '../support/target.ts'

const CODES = /^(?:archive|binpkg)\./
const golden = (format: 'gpkg' | 'xpak'): readonly Buffer[] =>
  goldenPackages(format)
    .filter((name) => /-(?:gzip|zstd)\//.test(name))
    .map((name) => readFileSync(join(GOLDEN_BINPKGS, name)))

async function withFile<T>(bytes: Buffer, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-binpkg-'))
  try {
    const path = join(folder, 'package')
    writeFileSync(path, bytes)
    return await use(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const outer = target({
  name: 'gpkg',
  share: 25,
  cases: mutated([...golden('gpkg'), gpkgOf()], [changeOfHeader, changeOfExtension], true),
  check: async (bytes) =>
    await withFile(bytes, async (path) => {
      const opened = await outcomeOf(CODES, async () => await openBinpkg(path))
      if (opened.verdict === 'refused' || opened.value.format === 'xpak') return 'refused'
      compareWithTar(path, opened.value.layout)
      return (await outcomeOf(CODES, async () => await verifyGpkg(path))).verdict
    }),
})

function compareWithTar(path: string, layout: GpkgLayout): void {
  if (!hasGnuTar) return
  const options = { encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } } as const
  const listing = execFileSync('tar', ['--quoting-style=literal', '-tvf', path], options)
  const theirs = listing
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\S+ \S+ +(\d+) \S+ \S+ /, '$1 '))
  const ours = [...listedMembers(layout), layout.manifest].map(
    ({ name, sizeBytes }) => `${sizeBytes} ${name}`,
  )
  sameJson(theirs.toSorted(), ours.toSorted())
}

/** Whole packages around inner tars that are not. */
const inner = target({
  name: 'gpkg-inside',
  share: 25,
  cases: fc.tuple(
    mutated([metadataTar(), tarOf()], [changeOfHeader, changeOfExtension], true),
    mutated([tarOf(...SHOP_IMAGE), tarOf()], [changeOfHeader, changeOfExtension], true),
  ),
  check: async ([metadata, image]) => {
    const parts = shopParts({ 'metadata.tar.gz': gzipSync(metadata), 'image.tar.gz': gzipSync(image) })
    return await withFile(gpkgOf(parts), async (path) => {
      const gpkg = await verifyGpkg(path)
      const files = await outcomeOf(CODES, async () => await readImage(gpkg, DEFAULT_ARCHIVE_LIMITS))
      const read = await outcomeOf(CODES, async () => await readMetadata(gpkg))
      if (read.verdict === 'accepted') checkEntry(read.value)
      return files.verdict === 'accepted' ? read.verdict : 'refused'
    })
  },
})

function checkEntry(metadata: BinpkgMetadata): void {
  const file = {
    path: 'a/b/b-1-1.gpkg.tar',
    sizeBytes: 1,
    mtimeSec: 1,
    md5: '0',
    sha1: '0',
    binpkgBuildId: 1,
  }
  const entry = outcomeNow(/^binpkg\.invalid$/, () => indexEntry(metadata, file))
  if (entry.verdict === 'refused') return
  const text = renderPackagesIndex({ header: { VERSION: '0' }, packages: [entry.value] })
  same(parsePackagesIndex(text).packages.length, 1, 'an entry is one block')
}

const xpak = target({
  name: 'xpak',
  share: 15,
  cases: mutated(golden('xpak')),
  check: async (bytes) =>
    await withFile(bytes, async (path) => {
      const opened = await outcomeOf(CODES, async () => await openBinpkg(path))
      if (opened.verdict === 'refused' || opened.value.format === 'gpkg') return 'refused'
      const { metadata } = opened.value
      sameJson([...parseXpak(renderXpak(metadata))], [...metadata])
      checkEntry(metadata)
      return 'accepted'
    }),
})

const values = target({
  name: 'binpkg-values',
  share: 15,
  cases: fc.tuple(
    fc.constantFrom('RDEPEND', 'LICENSE', 'USE', 'SLOT', 'PF', 'KEYWORDS', 'BUILD_ID'),
    fc.oneof(
      mutatedText(
        ['a? ( b/c ) || ( d/e f/g )\n', '0\n', 'shop-1\n'],
        ['(', ')', '||', '?', ' ', '\u2028', '\x1c'],
      ),
      flooded(['( ', ') ', 'a? ( ', 'a/b ', '|| ( '], 130_000),
    ),
  ),
  check: ([key, value]) => {
    const metadata = new Map(
      Object.entries({ ...SHOP_METADATA, [key]: value }).map(([name, text]) => [name, Buffer.from(text)]),
    )
    checkEntry(metadata)
    return 'accepted'
  },
})

const manifests = target({
  name: 'gpkg-manifest',
  share: 15,
  cases: fc.oneof(
    mutatedText(
      [manifestOf(shopParts())],
      ['DATA', ' ', '\n', '0', 'a'.repeat(128), 'SHA512', '-----BEGIN PGP SIGNED MESSAGE-----\n'],
    ),
    flooded(['DATA ', 'DATA a 1 BLAKE2B 0\n', ' SHA1 0', '\n'], 64 * 1024),
  ),
  check: (text) => {
    const outcome = outcomeNow(/^binpkg\.invalid$/, () => parseGpkgManifest(text))
    if (outcome.verdict === 'accepted')
      sameJson([...parseGpkgManifest(renderGpkgManifest(outcome.value))], [...outcome.value])
    return outcome.verdict
  },
})

export const BINPKG_TARGETS: readonly Target[] = [outer, inner, xpak, values, manifests]
