/** Packages of a revoked key are signed again: the same package, new bytes around it, and an index that says so. */
import { chmod, cp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openBinpkg, rangeOf } from '../../src/binpkgs/open-binpkg.ts'
import type { Gpkg } from '../../src/binpkgs/open-binpkg.ts'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { parsePackagesIndex } from '../../src/gentoo/packages-index.ts'
import { collectBinpkgs } from '../../src/jobs/collect-binpkgs.ts'
import { openDataFolder } from '../../src/jobs/open-data-folder.ts'
import { tendKeys } from '../../src/jobs/tend-keys.ts'
import { verifyRestorePoints } from '../../src/jobs/verify-restore-points.ts'
import { signPackagesAgain } from '../../src/nodes/sign-again.ts'
import type { Step } from '../../src/steps.ts'
import {
  BINPKG,
  CPV,
  announcementOf,
  enrolNode,
  packedShop,
  pointsOf,
  uploadShop,
} from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const SECOND = 'app-hub/shop/shop-1.0.0_p1-2.gpkg.tar'
/** Of a clock that stands still a signature may be a second ahead. */
const LATER = new Date('2026-02-01T00:00:00Z')
const KEY = { node: 'web1', cpv: CPV, binpkgBuildId: 1 }

/** A node with two packages, of which the key that signed them is revoked. */
async function withRevoked(hub: TestHub) {
  await uploadShop(hub)
  const token = await enrolNode(hub, 'web1')
  const points = pointsOf(hub, 'web1', token)
  const other = { metadata: { BUILD_TIME: '1767323001\n' } }
  const files = [
    { kind: 'binpkg', name: BINPKG, bytes: await packedShop(hub) },
    { kind: 'binpkg', name: SECOND, bytes: await packedShop(hub, other) },
  ] as const
  await points.announce(announcementOf(files))
  for (const file of files) await points.put(file)
  expect((await points.complete()).status).toBe(200)
  const before = await shown(hub, token)
  const old = hub.hub.binhostKeys.current.fingerprint
  const made = await hub.as().post('/api/v1/keys').send({ purpose: 'binhost', overlap: '0s' })
  expect(made.status, made.text).toBe(201)
  const { fingerprint: next } = made.body as { readonly fingerprint: string }
  const revoked = await hub.as().post(`/api/v1/keys/${old}/revoke`).send({ reason: 'compromised' })
  expect(revoked.body).toMatchObject({ state: 'revoked', signed: { packages: 2 } })
  return { token, before, old, next }
}

/** The index, the packages that it names, and what is in them. */
async function shown(hub: TestHub, token: string) {
  const points = pointsOf(hub, 'web1', token)
  const index = await points.index()
  const { header, packages } = parsePackagesIndex(index.bytes.toString())
  const isSigned: boolean[] = []
  const contents: { readonly file: Buffer; readonly parts: readonly Buffer[] }[] = []
  for (const { PATH = '', SIZE } of packages) {
    const { bytes } = await points.index(PATH)
    expect(bytes.byteLength).toBe(Number(SIZE))
    const path = join(hub.directory, 'fetched.gpkg.tar')
    await writeFile(path, bytes)
    const { layout } = (await openBinpkg(path)) as Gpkg
    const parts = [layout.metadata, layout.image].map((member) => {
      const range = rangeOf(member)
      return bytes.subarray(range.start, range.start + range.bytes)
    })
    contents.push({ file: bytes, parts })
    isSigned.push(
      await verifyGpkg(path, async (text) => await hub.hub.binhostKeys.hasClearSigned(text, LATER)).then(
        () => true,
        () => false,
      ),
    )
  }
  const modified = index.headers['last-modified']
  return { timestampSec: Number(header['TIMESTAMP']), modified, packages, contents, isSigned }
}

async function countBlobs(hub: TestHub): Promise<number> {
  const entries = await readdir(join(hub.directory, 'binpkgs'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).length
}

async function signers(hub: TestHub): Promise<readonly (string | null)[]> {
  return (await hub.hub.records.binpkgs.ofNode('web1')).map(({ signedBy }) => signedBy)
}

const told = ({ CPV: cpv, BUILD_ID, PATH, BUILD_TIME, REPO }: Readonly<Record<string, string>>) => ({
  ...{ cpv, BUILD_ID, PATH, BUILD_TIME, REPO },
})

test('metadata, image, path and build id stay; signature, time and TIMESTAMP are new', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const { token, before, old, next } = await withRevoked(hub)
  expect(await signers(hub)).toEqual([old, old])
  expect([before.isSigned, (await shown(hub, token)).isSigned]).toEqual([
    [true, true],
    [false, false],
  ])
  await tendKeys(hub.hub)
  expect(await signers(hub)).toEqual([next, next])
  const after = await shown(hub, token)
  expect(after.isSigned).toEqual([true, true])
  expect(after.packages.map(told)).toEqual(before.packages.map(told))
  expect(after.contents.map(({ parts }) => parts)).toEqual(before.contents.map(({ parts }) => parts))
  for (const [n, { file }] of after.contents.entries()) {
    expect(file).not.toEqual(before.contents[n]?.file)
    // The clock stands still here: Portage would take its copy for this one.
    expect(Number(after.packages[n]?.['MTIME'])).toBeGreaterThan(Number(before.packages[n]?.['MTIME']))
  }
  // More than six seconds: a node that asked for the state before must be told.
  expect(after.timestampSec).toBeGreaterThanOrEqual(before.timestampSec + 6)
  expect(after.modified).toBe(new Date(after.timestampSec * 1000).toUTCString())
  expect(await countBlobs(hub)).toBe(2)
  const list = await hub.as().get('/api/v1/keys')
  expect(list.body.items.slice(1)).toMatchObject([
    { fingerprint: old, state: 'revoked', signed: { packages: 0 } },
    { fingerprint: next, state: 'active', signed: { packages: 2 } },
  ])
  await tendKeys(hub.hub)
  expect((await shown(hub, token)).timestampSec).toBe(after.timestampSec)
  // The index that a start reads is the same.
  await using later = await hub.restart()
  expect((await shown(later, token)).packages).toEqual(after.packages)
})

/** Ends the work where a process could die. */
class Stop {
  at: Step | null = null

  reached(step: Step): void {
    if (step === this.at) throw new Error(`stopped at ${step}`)
  }
}

test.each<Step>(['point.signed', 'blob.adopted', 'point.recording', 'point.recorded', 'point.shown'])(
  'a hub that stops at %s has whole packages, and goes on',
  async (at) => {
    const stop = new Stop()
    const hub = await createTestHub({}, { jobs: false, steps: stop })
    const { token, before, next } = await withRevoked(hub)
    stop.at = at
    await signPackagesAgain(hub.hub)
    stop.at = null
    await using later = await hub.restart(undefined, { jobs: false })
    expect((await shown(later, token)).packages.map(told)).toEqual(before.packages.map(told))
    expect(await signPackagesAgain(later.hub)).toBe(true)
    expect(await signers(later)).toEqual([next, next])
    const after = await shown(later, token)
    expect(after.packages.map(told)).toEqual(before.packages.map(told))
    expect(after.contents.map(({ parts }) => parts)).toEqual(before.contents.map(({ parts }) => parts))
    await collectBinpkgs(later.hub)
    expect(await countBlobs(later)).toBe(2)
    expect(await readdir(join(later.directory, 'var/binpkg-uploads'))).toEqual([])
  },
)

test('a run that has no more time leaves the rest to the next', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const { old, next } = await withRevoked(hub)
  let left = 1
  expect(await signPackagesAgain(hub.hub, () => left-- > 0)).toBe(false)
  expect(await signers(hub)).toEqual([next, old])
})

test('a package whose bytes have changed gets no signature, and the others do', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const { old, next } = await withRevoked(hub)
  const row = await hub.hub.records.binpkgs.find(KEY)
  const path = hub.hub.binpkgBlobs.path(row?.sha512 ?? '')
  const bytes = await readFile(path)
  bytes[1]! ^= 1
  await chmod(path, 0o600)
  await writeFile(path, bytes)
  await signPackagesAgain(hub.hub)
  expect(await signers(hub)).toEqual([old, next])
})

test('of a package from before it was kept the package itself says who signed it', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const { before, token, old, next } = await withRevoked(hub)
  const rows = await hub.hub.records.binpkgs.ofNode('web1')
  for (const row of rows) await hub.hub.records.binpkgs.replace(row, { ...row, signedBy: null })
  await signPackagesAgain(hub.hub)
  expect(await signers(hub)).toEqual([next, next])
  const after = await shown(hub, token)
  expect(after.timestampSec).toBeGreaterThan(before.timestampSec)
  const again = await hub.hub.records.binpkgs.ofNode('web1')
  for (const row of again) await hub.hub.records.binpkgs.replace(row, { ...row, signedBy: null })
  await signPackagesAgain(hub.hub)
  // Signed by a key to believe: only that is noted.
  expect(await signers(hub)).toEqual([next, next])
  expect((await shown(hub, token)).timestampSec).toBe(after.timestampSec)
  expect(next).not.toBe(old)
})

async function findings(hub: TestHub): Promise<readonly string[]> {
  await using folder = await openDataFolder(hub.hub.config)
  const found: string[] = []
  for await (const { what } of verifyRestorePoints(folder, () => undefined)) found.push(what)
  return found
}

test('verify names packages of the revoked key until they are signed again, and of keys that it does not know', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const { old } = await withRevoked(hub)
  const what = `it is signed by the revoked key ${old}`
  expect(await findings(hub)).toEqual([what, what])
  await signPackagesAgain(hub.hub)
  expect(await findings(hub)).toEqual([])
  // As after a restore of the records beside the keys of another hub.
  await using other = await createTestHub({}, { jobs: false })
  for (const name of await readdir(join(hub.directory, 'var/keys')))
    await rm(join(hub.directory, 'var/keys', name))
  await cp(join(other.directory, 'var/keys'), join(hub.directory, 'var/keys'), { recursive: true })
  const unknown = 'it is signed by no key of this hub'
  expect(await findings(hub)).toEqual([unknown, unknown])
})
