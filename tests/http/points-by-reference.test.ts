/** Packages whose image the hub has already: their nodes send the metadata alone, and get a package of their own. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { imageDigest } from '../../src/binpkgs/image-digest.ts'
import { readMetadata } from '../../src/binpkgs/open-binpkg.ts'
import { digestImageEntries, readImage } from '../../src/binpkgs/read-image.ts'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { DEFAULT_ARCHIVE_LIMITS } from '../../src/builds/archive-limits.ts'
import { collectBinpkgs } from '../../src/jobs/collect-binpkgs.ts'
import { openDataFolder } from '../../src/jobs/open-data-folder.ts'
import { verifyRestorePoints } from '../../src/jobs/verify-restore-points.ts'
import { gpkgOf, metadataTar, shopParts } from '../support/gpkgs.ts'
import {
  BINPKG,
  CPV,
  POINT,
  announcementOf,
  enrolNode,
  pointsOf,
  shopMetadata,
  uploadShop,
} from '../support/restore-points.ts'
import { tarOf } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const RUN = 'a shop\n'
const RUN_MD5 = createHash('md5').update(RUN).digest('hex')
const CONTENTS = `dir /opt\ndir /opt/shop\nobj /opt/shop/run ${RUN_MD5} 1767323000\n`

interface Packed {
  readonly kind: 'binpkg'
  readonly name: string
  readonly bytes: Buffer
  readonly metadata: Buffer
  readonly digest: string
}

/** A package as one node packs it: its times and its environment are its own. */
async function pack(
  hub: TestHub,
  node: string,
  { content = RUN, contents = CONTENTS }: { readonly content?: string; readonly contents?: string } = {},
): Promise<Packed> {
  const mtime = node === 'web1' ? '15100000001\0' : '15100000777\0'
  const folders = ['image/', 'image/opt/', 'image/opt/shop/']
  const image = gzipSync(
    tarOf(...folders.map((name) => ({ name, type: '5', raw: { mtime } })), {
      name: 'image/opt/shop/run',
      content,
      raw: { mtime },
    }),
  )
  const values = { ...(await shopMetadata(hub)), CONTENTS: contents, 'environment.bz2': `of ${node}` }
  const metadata = gzipSync(metadataTar(values))
  const bytes = gpkgOf(shopParts({ 'metadata.tar.gz': metadata, 'image.tar.gz': image }))
  return { kind: 'binpkg', name: BINPKG, bytes, metadata, digest: await digestOf(hub, bytes) }
}

/** The build, and the package that its first node packed of it. */
async function storeShop(hub: TestHub): Promise<void> {
  await uploadShop(hub)
  await storeWhole(await node(hub, 'web1'), await pack(hub, 'web1'))
}

async function digestOf(hub: TestHub, bytes: Buffer): Promise<string> {
  const path = join(hub.directory, 'packed.gpkg.tar')
  await writeFile(path, bytes)
  return imageDigest(await digestImageEntries(await verifyGpkg(path), DEFAULT_ARCHIVE_LIMITS)) ?? ''
}

function referring(packed: Packed, changes: object = {}) {
  const { metadata, digest } = packed
  const sha512 = createHash('sha512').update(metadata).digest('hex')
  const image = {
    sha256: digest,
    metadata: { name: 'metadata.tar.gz', sizeBytes: metadata.byteLength, sha512 },
  }
  const announcement = announcementOf([packed], changes)
  return { ...announcement, files: announcement.files.map((file) => ({ ...file, image })) }
}

async function node(hub: TestHub, name: string, environment = 'staging') {
  return pointsOf(hub, name, await enrolNode(hub, name, environment))
}

/** The first node sends all of its package. */
async function storeWhole(points: Awaited<ReturnType<typeof node>>, packed: Packed) {
  const announced = await points.announce(referring(packed))
  if (announced.status !== 201) throw new Error(announced.text)
  expect(announced.body.wants).toEqual([{ kind: 'binpkg', name: BINPKG }])
  await points.put(packed)
  const completed = await points.complete()
  if (completed.status !== 200) throw new Error(completed.text)
}

const ONLY_METADATA = [{ kind: 'binpkg', name: BINPKG, only: 'metadata' }]
const WHOLE = [{ kind: 'binpkg', name: BINPKG }]

describe('a package whose image the hub has', () => {
  test("comes as its metadata, and is the node's own: judged, signed, with its environment", async () => {
    await using hub = await createTestHub()
    await storeShop(hub)
    const points = await node(hub, 'web2')
    const packed = await pack(hub, 'web2')
    expect((await points.announce(referring(packed))).body.wants).toEqual(ONLY_METADATA)
    const sent = await points.putMetadata(BINPKG, packed.metadata)
    expect(sent.status, sent.text).toBe(201)
    expect((await points.fetch(packed)).status).toBe(404)
    const completed = await points.complete()
    expect(completed.body).toMatchObject({ state: 'complete', binpkgs: [{ cpv: CPV, path: BINPKG }] })

    const path = join(hub.directory, 'fetched.gpkg.tar')
    await writeFile(path, (await points.index(BINPKG)).bytes)
    const isSigned = async (text: string) => await hub.hub.binhostKeys.hasClearSigned(text, hub.clock.now())
    const gpkg = await verifyGpkg(path, isSigned)
    expect((await readMetadata(gpkg)).get('environment.bz2')?.toString()).toBe('of web2')
    expect((await readImage(gpkg, DEFAULT_ARCHIVE_LIMITS)).map((entry) => entry.path)).toContain(
      'opt/shop/run',
    )
    expect((await points.announce(referring(packed))).body.wants).toEqual([])
    await expectWhole(hub)
  })

  test('may be sent whole all the same', async () => {
    await using hub = await createTestHub()
    await storeShop(hub)
    const points = await node(hub, 'web2')
    const packed = await pack(hub, 'web2')
    await points.announce(referring(packed))
    expect((await points.put(packed)).status).toBe(201)
    expect((await points.complete()).body.state).toBe('complete')
    await expectWhole(hub)
  })

  test('and is put together, is kept over a restart before it is completed', async () => {
    const hub = await createTestHub()
    await storeShop(hub)
    const token = await enrolNode(hub, 'web2')
    const packed = await pack(hub, 'web2')
    await pointsOf(hub, 'web2', token).announce(referring(packed))
    await pointsOf(hub, 'web2', token).putMetadata(BINPKG, packed.metadata)
    await using again = await hub.restart()
    await collectBinpkgs(again.hub)
    const points = pointsOf(again, 'web2', token)
    expect((await points.announce(referring(packed))).body.wants).toEqual([])
    expect((await points.complete()).body.state).toBe('complete')
    await expectWhole(again)
  })

  test('is refused like any other if its metadata is not what the hub published', async () => {
    await using hub = await createTestHub()
    await storeShop(hub)
    const points = await node(hub, 'web2')
    const packed = await pack(hub, 'web2')
    const metadata = gzipSync(
      metadataTar({ ...(await shopMetadata(hub)), 'shop-1.0.0_p1.ebuild': 'pkg_setup() { evil; }\n' }),
    )
    await points.announce(referring({ ...packed, metadata }))
    expect((await points.putMetadata(BINPKG, metadata)).status).toBe(201)
    expect((await points.complete()).body).toMatchObject({ status: 422, code: 'binpkg.refused' })
    expect((await points.index(BINPKG)).status).toBe(404)
    await expectWhole(hub)
  })
})

describe('an image is not given to a node', () => {
  test('that names another digest, another version or none', async () => {
    await using hub = await createTestHub()
    await uploadShop(hub)
    const whole = await pack(hub, 'web1')
    await storeWhole(await node(hub, 'web1'), whole)
    const points = await node(hub, 'web2')
    const packed = await pack(hub, 'web2')
    const other = referring({ ...packed, digest: 'f'.repeat(64) })
    expect((await points.announce(other)).body.wants).toEqual(WHOLE)
    expect((await points.putMetadata(BINPKG, packed.metadata)).body).toMatchObject({
      ...{ status: 409, code: 'restore_point.image_missing' },
    })
    expect((await points.put(packed)).status).toBe(201)
    const ids = ['rp_20260103T000000Z_aaaaaa', 'rp_20260103T000000Z_bbbbbb']
    const version = referring(await pack(hub, 'web3'), { id: ids[0], cpv: 'app-hub/shop-1.0.0_p2' })
    const third = await node(hub, 'web3')
    expect((await third.announce(version)).body.wants).toEqual(WHOLE)
    const plain = announcementOf([await pack(hub, 'web3')], { id: ids[1] })
    expect((await third.announce(plain)).body.wants).toEqual(WHOLE)
  })

  test('of an environment where the build was never released', async () => {
    await using hub = await createTestHub()
    await storeShop(hub)
    const points = await node(hub, 'web2', 'production')
    const packed = await pack(hub, 'web2')
    expect((await points.announce(referring(packed))).body.wants).toEqual(WHOLE)
    expect((await points.putMetadata(BINPKG, packed.metadata)).body.code).toBe('restore_point.image_missing')
  })

  test('that guesses what was edited on another one; the node itself need not send its own again', async () => {
    await using hub = await createTestHub()
    await uploadShop(hub)
    const first = await node(hub, 'web1')
    const edited = { content: 'password=1234\n' }
    await storeWhole(first, await pack(hub, 'web1', edited))
    const guess = referring(await pack(hub, 'web2', edited))
    expect((await (await node(hub, 'web2')).announce(guess)).body.wants).toEqual(WHOLE)
    const own = referring(await pack(hub, 'web9', edited), { id: 'rp_20260103T000000Z_aaaaaa' })
    expect((await first.announce(own)).body.wants).toEqual(ONLY_METADATA)
  })

  test('for an encrypted point, which may not even ask', async () => {
    await using hub = await createTestHub()
    await uploadShop(hub)
    const points = await node(hub, 'web1')
    const reply = await points.announce(referring(await pack(hub, 'web1'), { encrypted: true }))
    expect(reply.body).toMatchObject({ status: 400, code: 'request.invalid' })
    expect((await points.show(POINT)).status).toBe(404)
  })

  test('for metadata of other bytes than were announced; nothing is left of them', async () => {
    await using hub = await createTestHub()
    await storeShop(hub)
    const points = await node(hub, 'web2')
    const packed = await pack(hub, 'web2')
    await points.announce(referring(packed))
    const reply = await points.putMetadata(BINPKG, Buffer.concat([packed.metadata, Buffer.alloc(1)]))
    expect(reply.body).toMatchObject({ status: 422, code: 'upload.digest_mismatch' })
    expect((await points.complete()).body.code).toBe('restore_point.incomplete')
    await expectWhole(hub)
  })
})

/** No blob that nothing needs, none missing, none changed. */
async function expectWhole(hub: TestHub): Promise<void> {
  const before: string[] = []
  for await (const sha512 of hub.hub.binpkgBlobs.list()) before.push(sha512)
  await collectBinpkgs(hub.hub)
  const after: string[] = []
  for await (const sha512 of hub.hub.binpkgBlobs.list()) after.push(sha512)
  expect(after).toEqual(before)
  await using folder = await openDataFolder(hub.hub.config)
  const found: string[] = []
  for await (const { what } of verifyRestorePoints(folder, () => undefined)) found.push(what)
  expect(found).toEqual([])
}
