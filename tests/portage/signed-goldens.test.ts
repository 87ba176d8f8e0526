/**
 * What the hub signs and lists, judged by the real Portage: equal to tests/golden/binhost/, by which the tests that need no
 * Portage go. `HUB_WRITE_GOLDENS=1` makes those files anew, key and packages included.
 */
import { cp, mkdir, mkdtempDisposable, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { BinhostIndex } from '../../src/binpkgs/binhost-index.ts'
import type { PublishedIndex } from '../../src/binpkgs/binhost-index.ts'
import { readIndexEntry } from '../../src/binpkgs/read-index-entry.ts'
import { signGpkg } from '../../src/binpkgs/sign-binpkg.ts'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { parsePackagesIndex } from '../../src/gentoo/packages-index.ts'
import { SigningKey } from '../../src/storage/signing-key.ts'
import { GOLDEN_BINPKGS, goldenPackages } from '../support/gpkgs.ts'
import {
  GOLDEN_BINHOST,
  GOLDEN_CPV,
  OTHER_KEY,
  SIGNED_AT,
  SIGNED_AT_SEC,
  SIGNED_WAYS,
  placeOf,
  portageSays,
  tamperedGpkgs,
} from '../support/signed-goldens.ts'
import type { PortageSays } from '../support/signed-goldens.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'
import { openStaticBinhost } from './support/static-binhost.ts'

const JUDGE = resolve(import.meta.dirname, 'support/judge-binhost.py')
const KEYRING = `install -d -m 755 /etc/portage/gnupg
  export GNUPGHOME=/etc/portage/gnupg
  gpg --batch --import /tmp/binhost.asc
  echo "$1:6:" | gpg --batch --import-ownertrust
  gpg --batch --check-trustdb
  chmod 755 $GNUPGHOME
  find $GNUPGHOME -type f -exec chmod 644 {} +`

const tests = (): void => {
  test('Portage says what the golden files have: good, refused, and each field of the index', async () => {
    const isWriting = process.env['HUB_WRITE_GOLDENS'] === '1'
    if (isWriting) await writePackages()
    await using binhost = await openStaticBinhost()
    await using node = await openNode('signed-goldens')
    const key = await openKey()
    await node.write('tmp/binhost.asc', key.publicKey)
    await node.bash(KEYRING, key.fingerprint)
    await node.write(
      'etc/portage/binrepos.conf',
      `[hub]\nsync-uri = ${binhost.url}\nverify-signature = true\n`,
    )
    const packages = await Promise.all(
      SIGNED_WAYS.map(async (_way, at) => {
        const { path } = placeOf(at + 1)
        return [path, await readFile(join(GOLDEN_BINHOST, path))] as const
      }),
    )
    binhost.show(await goldenIndex(), new Map(packages))
    const said = await judged(node)
    const fixed = await indexedByPortage(node)
    if (isWriting) {
      await writeFile(join(GOLDEN_BINHOST, 'portage.json'), `${JSON.stringify(said, null, 2)}\n`)
      await writeFile(join(GOLDEN_BINHOST, 'Packages.emaint'), fixed)
    }
    const golden = portageSays()
    expect(said.verdicts).toEqual(golden.verdicts)
    // The address of the binhost is another one each time.
    expect(withoutAddress(said.read)).toEqual(withoutAddress(golden.read))
    const entries = parsePackagesIndex(
      await readFile(join(GOLDEN_BINHOST, 'Packages.emaint'), 'utf8'),
    ).packages
    expect(parsePackagesIndex(fixed).packages.map(withoutTime)).toEqual(entries.map(withoutTime))

    for (const [at] of SIGNED_WAYS.entries()) {
      await node.must('emerge', '--oneshot', '--getbinpkgonly', `=${GOLDEN_CPV}-${String(at + 1)}`)
      expect(await client.installedPackages(node)).toEqual([GOLDEN_CPV])
    }
  })
}

async function openKey(): Promise<SigningKey> {
  return await SigningKey.open(GOLDEN_BINHOST, 'binhost.key', 'Binhost of a test', SIGNED_AT)
}

/** Everything but what Portage says. */
async function writePackages(): Promise<void> {
  await rm(GOLDEN_BINHOST, { recursive: true, force: true })
  const key = await openKey()
  await writeFile(join(GOLDEN_BINHOST, 'binhost.asc'), key.publicKey)
  for (const [at, way] of SIGNED_WAYS.entries())
    await sign(way, join(GOLDEN_BINHOST, placeOf(at + 1).path), key)
  await using folder = await mkdtempDisposable(join(tmpdir(), 'other-key-'))
  const other = await SigningKey.open(folder.path, 'hub.key', 'Somebody else', SIGNED_AT)
  await sign(SIGNED_WAYS[0], join(GOLDEN_BINHOST, OTHER_KEY), other)
  await writeFile(join(GOLDEN_BINHOST, 'Packages'), Buffer.concat((await goldenIndex()).packages))
}

async function sign(way: string, target: string, key: SigningKey): Promise<void> {
  const source = goldenPackages('gpkg').find((name) => name.startsWith(`${way}/`)) ?? ''
  await mkdir(dirname(target), { recursive: true })
  await using file = await open(target, 'wx')
  const signer = {
    detached: async (pieces: AsyncIterable<Uint8Array>) => await key.signStream(pieces, SIGNED_AT),
    clearSign: async (text: string) => await key.clearSign(text, SIGNED_AT),
  }
  await signGpkg(await verifyGpkg(join(GOLDEN_BINPKGS, source)), file, signer, SIGNED_AT_SEC)
}

async function goldenIndex(): Promise<PublishedIndex> {
  const entries = await Promise.all(
    SIGNED_WAYS.map(async (_way, at) => {
      const place = placeOf(at + 1)
      return await readIndexEntry(join(GOLDEN_BINHOST, place.path), place)
    }),
  )
  return new BinhostIndex({ header: {}, timestampSec: SIGNED_AT_SEC, entries }).published
}

async function judged(node: GentooNode): Promise<PortageSays> {
  for (const [what, bytes] of Object.entries(await tamperedGpkgs(GOLDEN_BINHOST)))
    await node.write(join('tmp/packages', what), bytes)
  await node.write('tmp/judge.py', await readFile(JUDGE))
  await node.bash(
    `export PYTHONPATH=/usr/lib/portage-under-test/lib PORTAGE_USERNAME=root PORTAGE_GRPNAME=root
    python3 /tmp/judge.py /tmp/packages /tmp/said.json`,
  )
  return JSON.parse(await node.read('tmp/said.json')) as PortageSays
}

/** The entry that Portage itself makes of the first package, as it would for a PKGDIR that a web server shows. */
async function indexedByPortage(node: GentooNode): Promise<string> {
  const { path } = placeOf(1)
  await mkdir(dirname(node.path(join('var/cache/binpkgs', path))), { recursive: true })
  await cp(join(GOLDEN_BINHOST, path), node.path(join('var/cache/binpkgs', path)))
  await node.bash(`touch -d @${String(SIGNED_AT_SEC)} "/var/cache/binpkgs/$1"; emaint binhost --fix`, path)
  const index = await node.read('var/cache/binpkgs/Packages')
  await node.bash('rm -r /var/cache/binpkgs/*')
  return index
}

function withoutAddress(read: PortageSays['read']): PortageSays['read'] {
  const stripped = Object.entries(read).map(([cpv, { BASE_URI: _base, PKGINDEX_URI: _uri, ...fields }]) => [
    cpv,
    fields,
  ])
  return Object.fromEntries(stripped) as PortageSays['read']
}

function withoutTime({ MTIME: _, ...fields }: Readonly<Record<string, string>>) {
  return fields
}

describeWithPortage('packages that the hub signed', tests)
