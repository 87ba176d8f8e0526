/** Packages signed by the hub, listed in its index, and installed, or refused, by the real Portage. */
import { mkdtempDisposable, open, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BinhostIndex } from '../../src/binpkgs/binhost-index.ts'
import { openBinpkg } from '../../src/binpkgs/open-binpkg.ts'
import { readIndexEntry } from '../../src/binpkgs/read-index-entry.ts'
import { signGpkg } from '../../src/binpkgs/sign-binpkg.ts'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { SigningKey } from '../../src/storage/signing-key.ts'
import { GOLDEN_BINPKGS, goldenPackages } from '../support/gpkgs.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'
import { openStaticBinhost } from './support/static-binhost.ts'
import type { StaticBinhost } from './support/static-binhost.ts'

const NOW = new Date('2026-08-22T09:13:06Z')
const NOW_SEC = NOW.getTime() / 1000
const CPV = 'app-acme/shop-1.0.0_p1'
const HEADER = { CHOST: 'x86_64-pc-linux-gnu' }

const tests = (): void => {
  test('each way of packing is installed with its signature checked, each by its exact build', async () => {
    await using keys = await openKeys()
    await using binhost = await openStaticBinhost()
    await using node = await openNode('binhost')
    await useBinhost(node, binhost, keys.hub)
    const ways = ['gzip', 'zstd', 'xz', 'bzip2']
    const packages = await Promise.all(ways.map(async (way, at) => await signed(way, at + 1, keys.hub)))
    const index = new BinhostIndex({ header: HEADER, timestampSec: NOW_SEC, entries: [] })
    binhost.show(index.change({ put: packages.map(({ entry }) => entry) }, NOW_SEC), contentsOf(packages))
    for (const { entry } of packages) {
      await install(node, `=${CPV}-${entry['BUILD_ID'] ?? ''}`)
      expect(binhost.take()).toContain(`GET /${entry['PATH'] ?? ''} 200`)
      expect(await client.installedPackages(node)).toEqual([CPV])
      expect(await node.must('/opt/shop/bin/shop')).toBe('shop 1.0.0_p1\n')
      await node.bash('rm -r /opt/shop')
    }
  })

  test('an index is asked for by its time: unchanged it is not sent, changed it is', async () => {
    await using keys = await openKeys()
    await using binhost = await openStaticBinhost()
    await using node = await openNode('binhost-index')
    await useBinhost(node, binhost, keys.hub)
    const [first, second] = [await signed('gzip', 1, keys.hub), await signed('zstd', 2, keys.hub)]
    const index = new BinhostIndex({ header: HEADER, timestampSec: NOW_SEC, entries: [first.entry] })
    const all = contentsOf([first, second])
    binhost.show(index.published, all)
    const offered = async (id: number): Promise<boolean> =>
      (await node.run('emerge', '--pretend', '--getbinpkgonly', `=${CPV}-${id}`)).status === 0
    expect([await offered(1), await offered(2)]).toEqual([true, false])
    expect(binhost.take()).toEqual(['GET /Packages.gz 200', 'GET /Packages.gz 304'])
    // In the same second as the first: the time that is told moves on all the same.
    binhost.show(index.change({ put: [second.entry] }, NOW_SEC), all)
    expect([await offered(1), await offered(2)]).toEqual([true, true])
    expect(binhost.take()).toEqual(['GET /Packages.gz 200', 'GET /Packages.gz 304'])
    binhost.show(index.change({ remove: [{ cpv: CPV, binpkgBuildId: 1 }] }, NOW_SEC), all)
    expect([await offered(1), await offered(2)]).toEqual([false, true])
  })

  test('a package with a byte changed, or signed by another key, or not at all, is refused', async () => {
    await using keys = await openKeys()
    await using binhost = await openStaticBinhost()
    await using node = await openNode('binhost-refused')
    await useBinhost(node, binhost, keys.hub)
    const good = await signed('gzip', 1, keys.hub)
    const { layout } = await opened(good.content)
    const { image, imageSignature, metadataSignature, manifest, metadata } = layout
    const places = {
      image: image.offset + 100,
      metadata: metadata.offset + 4, // of gzip's own time: the content is as it was
      'signature of the image': (imageSignature?.offset ?? 0) + 100,
      'signature of the metadata': (metadataSignature?.offset ?? 0) + 100,
      'signed text': manifest.offset + 80,
      'signature of the Manifest': manifest.offset + manifest.sizeBytes - 80,
    }
    const bad = await Promise.all([
      ...Object.values(places).map(async (place, at) => await changed(good.content, place, at + 2)),
      signed('gzip', 8, keys.other),
      unsigned('gzip', 9),
    ])
    expect(bad).toHaveLength(8)
    // The index vouches for each of them: what is wrong only their signatures can tell.
    const all = [good, ...bad]
    const entries = all.map(({ entry }) => entry)
    const index = new BinhostIndex({ header: HEADER, timestampSec: NOW_SEC, entries })
    binhost.show(index.published, contentsOf(all))
    for (const { entry } of bad) {
      const atom = `=${CPV}-${entry['BUILD_ID'] ?? ''}`
      const { status, output } = await node.run('emerge', '--oneshot', '--getbinpkgonly', atom)
      expect([atom, status]).not.toEqual([atom, 0])
      expect(output).toContain('GnuPG verification failed')
      expect(await client.installedPackages(node)).toEqual([])
    }
    await install(node, `=${CPV}-1`)
    expect(await client.installedPackages(node)).toEqual([CPV])
  })
}

interface Package {
  readonly entry: Awaited<ReturnType<typeof readIndexEntry>>
  readonly content: Buffer
}

interface Keys extends AsyncDisposable {
  readonly hub: SigningKey
  readonly other: SigningKey
}

async function openKeys(): Promise<Keys> {
  const folder = await mkdtempDisposable(join(tmpdir(), 'binhost-keys-'))
  return {
    hub: await SigningKey.open(folder.path, 'binhost.key', 'Portage Hub binhost', NOW),
    other: await SigningKey.open(folder.path, 'hub.key', 'Somebody else', NOW),
    [Symbol.asyncDispose]: async () => await folder.remove(),
  }
}

/** A package of Portage's, packed in that way, with the signatures of `key`. */
async function signed(way: string, binpkgBuildId: number, key: SigningKey): Promise<Package> {
  return await inFile(async (path) => {
    const signer = {
      detached: async (pieces: AsyncIterable<Uint8Array>) => await key.signStream(pieces, NOW),
      clearSign: async (text: string) => await key.clearSign(text, NOW),
    }
    await using file = await open(path, 'w')
    await signGpkg(await verifyGpkg(golden(way)), file, signer, NOW_SEC)
    return await listed(path, binpkgBuildId)
  })
}

async function unsigned(way: string, binpkgBuildId: number): Promise<Package> {
  return await listed(golden(way), binpkgBuildId)
}

async function changed(content: Buffer, place: number, binpkgBuildId: number): Promise<Package> {
  const bytes = Buffer.from(content)
  bytes[place] = (bytes[place] ?? 0) ^ 1
  return await inFile(async (path) => {
    await writeFile(path, bytes)
    return await listed(path, binpkgBuildId)
  })
}

async function listed(path: string, binpkgBuildId: number): Promise<Package> {
  const place = { path: `app-acme/shop/shop-1.0.0_p1-${binpkgBuildId}.gpkg.tar`, mtimeSec: NOW_SEC }
  const entry = await readIndexEntry(path, { ...place, binpkgBuildId })
  return { entry, content: await readFile(path) }
}

async function opened(content: Buffer) {
  return await inFile(async (path) => {
    await writeFile(path, content)
    const binpkg = await openBinpkg(path)
    if (binpkg.format !== 'gpkg') throw new Error('it is a gpkg')
    return binpkg
  })
}

async function inFile<T>(use: (path: string) => Promise<T>): Promise<T> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'binhost-format-'))
  return await use(join(folder.path, 'package'))
}

function golden(way: string): string {
  const name = goldenPackages('gpkg').find((one) => one.startsWith(`gpkg-${way}/`))
  return join(GOLDEN_BINPKGS, name ?? '')
}

function contentsOf(packages: readonly Package[]): ReadonlyMap<string, Buffer> {
  return new Map(packages.map(({ entry, content }) => [entry['PATH'] ?? '', content]))
}

async function install(node: GentooNode, atom: string): Promise<void> {
  await node.must('emerge', '--oneshot', '--getbinpkgonly', atom)
}

/** The binhost with verification as Portage has it by default, and the one key trusted. */
async function useBinhost(node: GentooNode, { url }: StaticBinhost, key: SigningKey): Promise<void> {
  await node.write('etc/portage/binrepos.conf', `[hub]\nsync-uri = ${url}\nverify-signature = true\n`)
  await node.write('tmp/binhost.asc', key.publicKey)
  await node.bash(
    `install -d -m 755 /etc/portage/gnupg
    export GNUPGHOME=/etc/portage/gnupg
    gpg --batch --import /tmp/binhost.asc
    echo "$1:6:" | gpg --batch --import-ownertrust
    gpg --batch --check-trustdb
    chmod 755 $GNUPGHOME
    find $GNUPGHOME -type f -exec chmod 644 {} +`,
    key.fingerprint,
  )
}

describeWithPortage('signed packages and the index of a binhost', tests)
