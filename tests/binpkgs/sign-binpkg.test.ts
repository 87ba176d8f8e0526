/** Packages signed by the hub: what came stays as it was, what is new is signed, and no byte of it can be changed. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openBinpkg, rangeOf } from '../../src/binpkgs/open-binpkg.ts'
import type { Gpkg } from '../../src/binpkgs/open-binpkg.ts'
import { readIndexEntry } from '../../src/binpkgs/read-index-entry.ts'
import { signGpkg } from '../../src/binpkgs/sign-binpkg.ts'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { baseName, listedMembers, parseGpkgManifest } from '../../src/gentoo/gpkg.ts'
import { SigningKey } from '../../src/storage/signing-key.ts'
import { temporaryFolder } from '../git/support.ts'
import {
  GOLDEN_BINPKGS,
  goldenPackages,
  gpkgOf,
  manifestOf,
  SHOP_IMAGE,
  shopParts,
} from '../support/gpkgs.ts'
import { gpgWith } from '../support/gpg.ts'
import { testWith } from '../support/programs.ts'
import { tarOf } from '../support/tarballs.ts'

const NOW = new Date('2026-01-02T03:04:05Z')
const MTIME_SEC = 1_795_000_000
const BAD_SIGNATURE = expect.objectContaining({ code: 'binpkg.bad_signature' })
const INVALID = expect.objectContaining({ code: 'binpkg.invalid' })

async function openKey(
  folder: string,
  fileName: 'hub.key' | 'binhost.key' = 'binhost.key',
): Promise<SigningKey> {
  return await SigningKey.open(folder, fileName, 'Binhost', NOW)
}

const signedBy = (key: SigningKey) => async (text: string) => await key.hasClearSigned(text, NOW)

async function signFile(source: string, target: string, key: SigningKey): Promise<void> {
  await using file = await open(target, 'wx')
  const signer = {
    detached: async (pieces: AsyncIterable<Uint8Array>) => await key.signStream(pieces, NOW),
    clearSign: async (text: string) => await key.clearSign(text, NOW),
  }
  const sizeBytes = await signGpkg(await verifyGpkg(source), file, signer, MTIME_SEC)
  expect((await file.stat()).size).toBe(sizeBytes)
}

async function membersOf(path: string): Promise<ReadonlyMap<string, Buffer>> {
  const { layout } = (await openBinpkg(path)) as Gpkg
  const whole = await readFile(path)
  const content = [...listedMembers(layout), layout.manifest].map((member) => {
    const { start, bytes } = rangeOf(member)
    return [baseName(member), whole.subarray(start, start + bytes)] as const
  })
  return new Map(content)
}

const compressed = goldenPackages('gpkg').filter((name) => !name.startsWith('gpkg-none/'))

testWith('gpg')('each package of Portage is signed, its metadata and image as they were', async () => {
  await using folder = await temporaryFolder()
  const key = await openKey(folder.path)
  const gpg = gpgWith(folder.path, key.publicKey)
  expect(compressed).toHaveLength(6)
  for (const name of compressed) {
    const source = join(GOLDEN_BINPKGS, name)
    const target = join(folder.path, name.replaceAll('/', '_'))
    await signFile(source, target, key)
    await verifyGpkg(target, signedBy(key))
    const [before, after] = [await membersOf(source), await membersOf(target)]
    const [metadata = '', image = ''] = [...before.keys()].filter((one) => one.includes('.tar'))
    expect([...after.keys()]).toEqual([
      'gpkg-1',
      metadata,
      `${metadata}.sig`,
      image,
      `${image}.sig`,
      'Manifest',
    ])
    for (const inner of [metadata, image]) {
      expect(after.get(inner)).toEqual(before.get(inner))
      expect(gpg.verify(String(after.get(`${inner}.sig`)), after.get(inner))).toBe(true)
    }
    const manifest = String(after.get('Manifest'))
    expect(gpg.verify(manifest)).toBe(true)
    expect([...parseGpkgManifest(manifest).keys()]).toEqual([...after.keys()].slice(0, -1))
  }
})

test('the outer archive depends on nothing but what is in it', async () => {
  await using folder = await temporaryFolder()
  const source = join(folder.path, 'source')
  await writeFile(source, gpkgOf())
  const signer = {
    detached: async (pieces: AsyncIterable<Uint8Array>) => {
      const hash = createHash('sha256')
      for await (const piece of pieces) hash.update(piece)
      return `${hash.digest('hex')}\n`
    },
    clearSign: async (text: string) => await Promise.resolve(`signed\n${text}`),
  }
  const verified = await verifyGpkg(source)
  const written: Buffer[] = []
  for (const name of ['first', 'second']) {
    await using file = await open(join(folder.path, name), 'wx')
    await signGpkg(verified, file, signer, MTIME_SEC)
    written.push(await readFile(join(folder.path, name)))
  }
  expect(written[0]).toEqual(written[1])
  const { 'metadata.tar.gz': metadata = '', 'image.tar.gz': image = '' } = shopParts()
  const signature = (content: Buffer | string): string =>
    `${createHash('sha256').update(content).digest('hex')}\n`
  const parts = {
    'gpkg-1': '',
    'metadata.tar.gz': metadata,
    'metadata.tar.gz.sig': signature(metadata),
    'image.tar.gz': image,
    'image.tar.gz.sig': signature(image),
  }
  const contents = [...(await membersOf(join(folder.path, 'first')))].map(([name, content]) => [
    name,
    String(content),
  ])
  expect(contents).toEqual(
    Object.entries({ ...parts, Manifest: `signed\n${manifestOf(parts)}` }).map(([name, content]) => [
      name,
      String(content),
    ]),
  )
})

test('no byte of a signed package can change without being noticed', async () => {
  await using folder = await temporaryFolder()
  const key = await openKey(folder.path)
  const [source, path] = [join(folder.path, 'source'), join(folder.path, 'signed')]
  await writeFile(source, gpkgOf())
  await signFile(source, path, key)
  const whole = await readFile(path)
  await using file = await open(path, 'r+')
  for (let at = 0; at < whole.length; at++) {
    await file.write(Buffer.from([(whole[at] ?? 0) ^ (1 << (at % 8))]), 0, 1, at)
    await expect(verifyGpkg(path, signedBy(key)), `byte ${at}`).rejects.toEqual(
      expect.objectContaining({ code: expect.stringMatching(/^(archive|binpkg)\./) as string }),
    )
    await file.write(whole, at, 1, at)
  }
  await verifyGpkg(path, signedBy(key))
})

test('a package signed by another key, or not at all, is not the hub’s', async () => {
  await using folder = await temporaryFolder()
  const [key, other] = [await openKey(folder.path), await openKey(folder.path, 'hub.key')]
  const [source, path] = [join(folder.path, 'source'), join(folder.path, 'signed')]
  await writeFile(source, gpkgOf())
  await signFile(source, path, other)
  await verifyGpkg(path)
  await expect(verifyGpkg(path, signedBy(key))).rejects.toEqual(BAD_SIGNATURE)
  await expect(verifyGpkg(source, signedBy(key))).rejects.toEqual(BAD_SIGNATURE)
})

test('signatures that a node made are left out, and its Manifest is replaced', async () => {
  await using folder = await temporaryFolder()
  const [key, ofNode] = [await openKey(folder.path), await openKey(folder.path, 'hub.key')]
  const at = (name: string): string => join(folder.path, name)
  await writeFile(at('source'), gpkgOf())
  await signFile(at('source'), at('by-node'), ofNode)
  await signFile(at('by-node'), at('by-hub'), key)
  await verifyGpkg(at('by-hub'), signedBy(key))
  const [before, after] = [await membersOf(at('by-node')), await membersOf(at('by-hub'))]
  expect(after.get('image.tar.gz')).toEqual(before.get('image.tar.gz'))
  expect(after.get('image.tar.gz.sig')).not.toEqual(before.get('image.tar.gz.sig'))
})

test('what nodes could not read is not signed', async () => {
  await using folder = await temporaryFolder()
  const key = await openKey(folder.path)
  const [name = ''] = goldenPackages('gpkg').filter((one) => one.startsWith('gpkg-none/'))
  await expect(signFile(join(GOLDEN_BINPKGS, name), join(folder.path, 'x'), key)).rejects.toEqual(INVALID)
})

test('a signed package has the same entry but for the facts of its file', async () => {
  await using folder = await temporaryFolder()
  const key = await openKey(folder.path)
  const source = join(GOLDEN_BINPKGS, compressed[0] ?? '')
  const target = join(folder.path, 'signed')
  await signFile(source, target, key)
  const place = { path: 'a/b/c-3.gpkg.tar', mtimeSec: MTIME_SEC, binpkgBuildId: 3 }
  const bytes = readFileSync(target)
  const hex = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex')
  expect(await readIndexEntry(target, place)).toEqual({
    ...(await readIndexEntry(source, place)),
    ...{ SIZE: String(bytes.length), MD5: hex('md5'), SHA1: hex('sha1') },
  })
})

test('a large image is signed piece by piece', async () => {
  await using folder = await temporaryFolder()
  const key = await openKey(folder.path)
  const [source, path] = [join(folder.path, 'source'), join(folder.path, 'signed')]
  // Stored, not compressed: as large in the package as it is.
  const image = gzipSync(
    tarOf(...SHOP_IMAGE, { name: 'image/opt/large', content: Buffer.alloc(48 << 20, 'x') }),
    {
      level: 0,
    },
  )
  await writeFile(source, gpkgOf(shopParts({ 'image.tar.gz': image })))
  // What is not needed any more is collected before each look, so that it is not the collector's mood that is measured.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const held = (): number => {
    collect()
    return process.memoryUsage().arrayBuffers
  }
  const before = held()
  let largest = 0
  await using file = await open(path, 'wx')
  const detached = async (pieces: AsyncIterable<Uint8Array>) => await key.signStream(watched(pieces), NOW)
  const watched = async function* (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      largest = Math.max(largest, held())
      yield piece
    }
  }
  const clearSign = async (text: string) => await key.clearSign(text, NOW)
  await signGpkg(await verifyGpkg(source), file, { detached, clearSign }, MTIME_SEC)
  await verifyGpkg(path, signedBy(key))
  expect(largest - before).toBeLessThan(16 << 20)
})
