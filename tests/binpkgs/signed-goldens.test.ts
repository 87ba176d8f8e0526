/** What the hub signs today, beside packages that it signed before and that Portage judged: tests/golden/README.md. */
import { mkdtempDisposable, open, readFile, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { beforeAll, describe, expect, test } from 'vitest'
import { BinhostIndex } from '../../src/binpkgs/binhost-index.ts'
import { readIndexEntry } from '../../src/binpkgs/read-index-entry.ts'
import { signGpkg } from '../../src/binpkgs/sign-binpkg.ts'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { parsePackagesIndex, renderIndexEntry } from '../../src/gentoo/packages-index.ts'
import type { IndexFields } from '../../src/gentoo/packages-index.ts'
import { SigningKey } from '../../src/storage/signing-key.ts'
import { gpgWith } from '../support/gpg.ts'
import { GOLDEN_BINPKGS, goldenPackages, manifestOf } from '../support/gpkgs.ts'
import { testWith } from '../support/programs.ts'
import {
  GOLDEN_BINHOST,
  GOLDEN_CPV,
  SIGNED_AT,
  SIGNED_AT_SEC,
  SIGNED_WAYS,
  membersOf,
  placeOf,
  portageSays,
  tamperedGpkgs,
} from '../support/signed-goldens.ts'

const said = portageSays()
const golden = (binpkgBuildId: number): string => join(GOLDEN_BINHOST, placeOf(binpkgBuildId).path)
const ways = SIGNED_WAYS.map((way, at) => [way, at + 1] as const)
let key: SigningKey

beforeAll(async () => {
  key = await SigningKey.open(GOLDEN_BINHOST, 'binhost.key', 'Binhost of a test', SIGNED_AT)
})

async function entryOf(binpkgBuildId: number): Promise<IndexFields> {
  return await readIndexEntry(golden(binpkgBuildId), placeOf(binpkgBuildId))
}

describe.each(ways)('a package of %s', (way, binpkgBuildId) => {
  test('is signed as it was then: with the same signatures it has the same bytes', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'signed-goldens-'))
    const path = join(folder.path, 'package')
    const members = await membersOf(golden(binpkgBuildId))
    const signed: Buffer[] = []
    // A signature has a random part: those of then are put in where today's code asks for one.
    const signer = {
      async detached(pieces: AsyncIterable<Uint8Array>) {
        signed.push(await buffer(pieces))
        const kind = signed.length === 1 ? 'metadata' : 'image'
        const name = Object.keys(members).find((one) => one.startsWith(kind) && one.endsWith('.sig'))
        return String(members[name ?? ''])
      },
      async clearSign(text: string) {
        signed.push(Buffer.from(text))
        return await Promise.resolve(String(members['Manifest']))
      },
    }
    const source = goldenPackages('gpkg').find((name) => name.startsWith(`${way}/`)) ?? ''
    await using file = await open(path, 'wx')
    await signGpkg(await verifyGpkg(join(GOLDEN_BINPKGS, source)), file, signer, SIGNED_AT_SEC)
    expect((await readFile(path)).equals(await readFile(golden(binpkgBuildId)))).toBe(true)
    const { Manifest: clearSigned, ...listed } = members
    expect(signed.map(String)).toEqual([
      ...Object.entries(listed)
        .filter(([name]) => /\.tar\.[a-z0-9]+$/.test(name))
        .map(([, bytes]) => String(bytes)),
      manifestOf(listed),
    ])
    expect(String(clearSigned)).toContain(`\n\n${manifestOf(listed)}-----BEGIN PGP SIGNATURE-----`)
  })

  testWith('gpg')('has signatures that GnuPG finds good, of then and of today', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'gpg-'))
    const gpg = gpgWith(folder.path, readFileSync(join(GOLDEN_BINHOST, 'binhost.asc'), 'utf8'))
    const members = await membersOf(golden(binpkgBuildId))
    const manifest = String(members['Manifest'])
    expect(gpg.verify(manifest)).toBe(true)
    expect(gpg.verify(manifest.replace('BLAKE2B 0', 'BLAKE2B 1').replace('SHA512 ', 'SHA512 0'))).toBe(false)
    for (const [name, bytes] of Object.entries(members).filter(([one]) => one.endsWith('.sig'))) {
      const signed = members[name.replace(/\.sig$/, '')] ?? Buffer.alloc(0)
      expect(gpg.verify(String(bytes), signed)).toBe(true)
      expect(gpg.verify(String(bytes), signed.subarray(1))).toBe(false)
      const today = key.signStream(ReadableStream.from<Uint8Array>([signed]), SIGNED_AT)
      expect(gpg.verify(await today, signed)).toBe(true)
    }
    expect(gpg.verify(await key.clearSign(manifestOf({ 'gpkg-1': '' }), SIGNED_AT))).toBe(true)
  })

  test('has an entry that Portage reads as it is meant, every field of it', async () => {
    const entry = await entryOf(binpkgBuildId)
    const read = said.read[`${GOLDEN_CPV}-${String(binpkgBuildId)}`] ?? {}
    const translated: Readonly<Record<string, string>> = {
      MTIME: '_mtime_',
      REPO: 'repository',
      DESC: 'DESCRIPTION',
    }
    const known = Object.entries(entry).filter(([name]) => name !== 'REPO_REVISIONS')
    const asRead = known.map(([name]) => [name, read[translated[name] ?? name]] as const)
    expect(asRead).toEqual(known)
    // What the entry leaves out is empty to Portage, or its default.
    const left = Object.entries(read).filter(
      ([name]) => !new Set(asRead.map(([one]) => translated[one] ?? one)).has(name),
    )
    const set = left.filter(([, value]) => value !== '').map(([name]) => name)
    expect(set.filter((name) => !['BASE_URI', 'PKGINDEX_URI', 'CHOST', 'SLOT'].includes(name))).toEqual([])
  })
})

test('the index is the one that Portage read, to the byte', async () => {
  const entries = await Promise.all(ways.map(async ([, binpkgBuildId]) => await entryOf(binpkgBuildId)))
  const { packages } = new BinhostIndex({ header: {}, timestampSec: SIGNED_AT_SEC, entries }).published
  expect(Buffer.concat(packages).toString()).toBe(readFileSync(join(GOLDEN_BINHOST, 'Packages'), 'utf8'))
})

test('the entry is the one that Portage itself makes of the signed package, but for the build id', async () => {
  const text = readFileSync(join(GOLDEN_BINHOST, 'Packages.emaint'), 'utf8')
  const { header, packages } = parsePackagesIndex(text)
  // `quickpkg` writes REPO_REVISIONS into an index, `emaint` does not.
  const { BUILD_ID, REPO_REVISIONS: _, ...ours } = await entryOf(1)
  expect(BUILD_ID).toBe('1')
  expect(packages).toHaveLength(1)
  expect(renderIndexEntry(ours, header)).toBe(renderIndexEntry(packages[0] ?? {}, header))
})

describe('whatever somebody makes of a package who has no key', async () => {
  const tampered = await tamperedGpkgs(GOLDEN_BINHOST)

  test('was judged by Portage, which refused nearly all', () => {
    expect(Object.keys(tampered).sort()).toEqual(Object.keys(said.verdicts).sort())
    const accepted = Object.entries(said.verdicts).filter(([, refusal]) => refusal === null)
    // Portage reads what gpg says was signed, and not the lines around it; the hub refuses those too.
    expect(accepted.map(([what]) => what).sort()).toEqual([
      'a line before the signed text',
      'a line behind the signature',
      'nothing',
    ])
  })

  test.each(Object.entries(tampered))('is refused by the hub as well: %s', async (what, bytes) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'tampered-'))
    const path = join(folder.path, 'package')
    await writeFile(path, bytes)
    const verified = verifyGpkg(path, async (text) => await key.hasClearSigned(text, SIGNED_AT))
    if (what === 'nothing') expect((await verified).format).toBe('gpkg')
    else {
      const code = expect.stringMatching(/^(archive|binpkg)\./) as string
      await expect(verified).rejects.toEqual(expect.objectContaining({ code }))
    }
  })
})
