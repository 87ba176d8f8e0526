/** Restore points from announcement to verdict, and the binhost that they fill. */
import { createHash } from 'node:crypto'
import { chmod, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { verifyGpkg } from '../../src/binpkgs/verify-binpkg.ts'
import { collectBinpkgs } from '../../src/jobs/collect-binpkgs.ts'
import { openDataFolder } from '../../src/jobs/open-data-folder.ts'
import { verifyRestorePoints } from '../../src/jobs/verify-restore-points.ts'
import { parsePackagesIndex } from '../../src/gentoo/packages-index.ts'
import {
  BINPKG,
  CPV,
  POINT,
  announcementOf,
  enrolNode,
  packedShop,
  pointsOf,
  uploadShop,
} from '../support/restore-points.ts'
import type { PackedFile } from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { begin, patch } from '../support/tus.ts'

const sha512Of = (bytes: Buffer): string => createHash('sha512').update(bytes).digest('hex')
const DUMP: PackedFile = { kind: 'dump', name: 'shop dump.sql', bytes: Buffer.from('rows\n') }

interface Taken {
  readonly token: string
  readonly points: ReturnType<typeof pointsOf>
  readonly binpkg: PackedFile
}

/** A hub with the build, a node, and what it packed. */
async function prepare(hub: TestHub, bytes?: Buffer): Promise<Taken> {
  await uploadShop(hub)
  const token = await enrolNode(hub, 'web1')
  const binpkg = { kind: 'binpkg', name: BINPKG, bytes: bytes ?? (await packedShop(hub)) } as const
  return { token, points: pointsOf(hub, 'web1', token), binpkg }
}

async function sendAll({ points }: Taken, files: readonly PackedFile[], changes: object = {}) {
  const announced = await points.announce(announcementOf(files, changes))
  if (announced.status !== 201) throw new Error(announced.text)
  for (const file of files) {
    const reply = await points.put(file)
    if (reply.status !== 201) throw new Error(reply.text)
  }
  return await points.complete()
}

/** As Portage asks: `fetch` would say `no-cache` besides. */
async function poll(hub: TestHub, { token }: Taken, since: string) {
  return await hub.as(token).get('/binhost/nodes/web1/Packages.gz').set('If-Modified-Since', since)
}

/** Every blob of restore points, and every upload of one that is in progress. */
async function stored(hub: TestHub): Promise<readonly string[]> {
  const found: string[] = []
  for (const folder of ['binpkgs', 'var/binpkg-uploads']) {
    const entries = await readdir(join(hub.directory, folder), { recursive: true, withFileTypes: true })
    found.push(...entries.filter((entry) => entry.isFile()).map(({ name }) => name))
  }
  return found
}

describe('a restore point', () => {
  test('is asked for file by file, and its package is in the binhost of its node, signed by the hub', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    const { points, binpkg } = taken
    const announced = await points.announce(announcementOf([binpkg, DUMP]))
    expect(announced.status, announced.text).toBe(201)
    expect(announced.body).toMatchObject({
      ...{ id: POINT, state: 'announced', cpv: CPV, encrypted: false, completedAt: null },
      wants: [
        { kind: 'binpkg', name: BINPKG },
        { kind: 'dump', name: 'shop dump.sql' },
      ],
    })
    expect((await points.put(binpkg)).status).toBe(201)
    expect((await points.put(DUMP)).status).toBe(201)
    const completed = await points.complete()
    expect(completed.status, completed.text).toBe(200)
    expect(completed.body).toMatchObject({
      ...{ id: POINT, state: 'complete' },
      binpkgs: [{ cpv: CPV, binpkgBuildId: 1, path: BINPKG }],
    })

    const index = await points.index()
    const { header, packages } = parsePackagesIndex(index.bytes.toString())
    expect(header).toMatchObject({ VERSION: '0', PACKAGES: '1', TIMESTAMP: '1767323045' })
    expect(packages).toMatchObject([{ CPV, PATH: BINPKG, BUILD_ID: '1', REPO: 'hub-staging', EAPI: '8' }])
    expect(index.headers['last-modified']).toBe('Fri, 02 Jan 2026 03:04:05 GMT')
    const packed = await points.index('Packages.gz')
    expect(packed.headers['content-encoding']).toBeUndefined()
    expect(gunzipSync(packed.bytes)).toEqual(index.bytes)

    const file = await points.index(BINPKG)
    expect(file.bytes.byteLength).toBe(Number(packages[0]?.['SIZE']))
    const path = join(hub.directory, 'fetched.gpkg.tar')
    await writeFile(path, file.bytes)
    const isSigned = async (text: string) => await hub.hub.binhostKeys.hasClearSigned(text, hub.clock.now())
    expect((await verifyGpkg(path, isSigned)).format).toBe('gpkg')
    expect((await points.fetch(DUMP)).bytes).toEqual(DUMP.bytes)
    expect((await points.fetch(binpkg)).bytes).toEqual(file.bytes)
    const shown = (await points.show()).body as { readonly files: readonly object[] }
    expect(shown.files).toMatchObject([
      { kind: 'binpkg', stored: { sizeBytes: file.bytes.byteLength, sha512: sha512Of(file.bytes) } },
      { kind: 'dump', stored: { sizeBytes: 5, sha512: sha512Of(DUMP.bytes) } },
    ])
    // The signed package took the place of the one that came.
    expect(await stored(hub)).toHaveLength(2)
  })

  test('is not told of unchanged: a poll with its TIMESTAMP and five seconds more gets 304', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    await sendAll(taken, [taken.binpkg])
    for (const offset of [0, 5]) {
      const since = new Date((1767323045 + offset) * 1000).toUTCString()
      expect((await poll(hub, taken, since)).status).toBe(304)
    }
    const earlier = await poll(hub, taken, 'Fri, 02 Jan 2026 03:04:04 GMT')
    expect(earlier.status).toBe(200)
  })

  test('may be of 2,000 packages, each with its image: more than the megabyte of other bodies', async () => {
    await using hub = await createTestHub()
    const { points } = await prepare(hub)
    const digests = { sizeBytes: 1, sha512: 'a'.repeat(128) }
    const metadata = { name: 'metadata.tar.zst', ...digests }
    const files = Array.from({ length: 2000 }, (_, index) => ({
      ...{ kind: 'binpkg', name: `app-hub/${'s'.repeat(80)}/${'s'.repeat(80)}-${String(index)}-1.gpkg.tar` },
      ...{ ...digests, image: { sha256: 'b'.repeat(64), metadata } },
    }))
    const announcement = announcementOf([], { files })
    expect(JSON.stringify(announcement).length).toBeGreaterThan(1 << 20)
    const reply = await points.announce(announcement)
    expect(reply.status, reply.text.slice(0, 300)).toBe(201)
  })

  test('may be sent again at every step, and never changes', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    const { points, binpkg } = taken
    const first = await sendAll(taken, [binpkg, DUMP])
    const again = await points.announce(announcementOf([binpkg, DUMP]))
    expect([again.status, again.body.state, again.body.wants]).toEqual([200, 'complete', []])
    expect((await points.put(binpkg)).status).toBe(200)
    expect((await points.complete()).body).toEqual(first.body)
    const other = await points.announce(announcementOf([binpkg]))
    expect(other.body).toMatchObject({ status: 409, code: 'restore_point.changed' })
    expect((await points.list()).body.items).toHaveLength(1)
  })

  test('of bytes that the node sent before needs none of them again; those of another node do not count', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    await sendAll(taken, [taken.binpkg, DUMP])
    const id = 'rp_20260103T000000Z_aaaaaa'
    const second = announcementOf([taken.binpkg, DUMP], { id })
    expect((await taken.points.announce(second)).body.wants).toEqual([])
    expect((await taken.points.complete(id)).body.binpkgs).toMatchObject([{ binpkgBuildId: 1 }])
    const other = pointsOf(hub, 'web2', await enrolNode(hub, 'web2'))
    expect((await other.announce(second)).body.wants).toHaveLength(2)
    expect((await other.complete(id)).body).toMatchObject({ status: 409, code: 'restore_point.incomplete' })
    expect((await other.fetch(DUMP, id)).status).toBe(404)
  })

  test('is of its node alone', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    await sendAll(taken, [taken.binpkg, DUMP])
    const foreign = pointsOf(hub, 'web1', await enrolNode(hub, 'web2'))
    const replies = [
      await foreign.list(),
      await foreign.show(),
      await foreign.fetch(DUMP),
      await foreign.index(),
      await foreign.index(BINPKG),
      await foreign.announce(announcementOf([DUMP], { id: 'rp_20260103T000000Z_bbbbbb' })),
      await foreign.complete(),
    ]
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 403))
    const own = await taken.points.index('app-hub/shop/shop-1.0.0_p9-1.gpkg.tar')
    expect(JSON.parse(own.bytes.toString())).toMatchObject({ status: 404, code: 'binpkg.unknown' })
    const nobody = await fetch(`${hub.url}/binhost/nodes/web1/Packages`)
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Basic /),
    ])
    const reader = await hub.token('reader', { environments: ['staging'] })
    expect((await pointsOf(hub, 'web1', reader).index()).status).toBe(403)
  })

  test('takes large files by resumable uploads', async () => {
    await using hub = await createTestHub()
    const { points, binpkg, token } = await prepare(hub)
    await points.announce(announcementOf([binpkg]))
    const upload = await begin(hub, binpkg.bytes.byteLength, { token })
    await patch(hub, upload, 0, binpkg.bytes, { token })
    const place = `/api/v1/nodes/web1/restore-points/${POINT}/binpkgs/${BINPKG}?upload=${upload}`
    const reply = await hub.as(token).put(place)
    expect(reply.status, reply.text).toBe(201)
    expect((await points.complete()).body.state).toBe('complete')
    expect((await hub.as(token).get(`/api/v1/uploads/${upload}`)).status).toBe(404)
  })

  test('that is encrypted is kept as it is, for its node, and is in no index', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    const binpkg: PackedFile = {
      kind: 'binpkg',
      name: `${BINPKG}.age`,
      bytes: Buffer.from('age-encryption.org/v1'),
    }
    const reply = await sendAll(taken, [binpkg], { encrypted: true })
    expect(reply.body).toEqual({ id: POINT, state: 'complete', binpkgs: [] })
    expect((await taken.points.fetch(binpkg)).bytes).toEqual(binpkg.bytes)
    expect(parsePackagesIndex((await taken.points.index()).bytes.toString()).packages).toEqual([])
  })

  test('and its index are the same after a restart, and TIMESTAMP never goes back', async () => {
    const hub = await createTestHub()
    const taken = await prepare(hub)
    await sendAll(taken, [taken.binpkg])
    const before = await taken.points.index()
    await using again = await hub.restart()
    const points = pointsOf(again, 'web1', taken.token)
    expect((await points.index()).bytes).toEqual(before.bytes)
    again.clock.set('2026-01-01T00:00:00Z')
    const bytes = await packedShop(again, { metadata: { BUILD_TIME: '1767323001\n' } })
    const id = 'rp_20260101T000000Z_cccccc'
    const second: PackedFile = { kind: 'binpkg', name: BINPKG, bytes }
    await points.announce(announcementOf([second], { id }))
    await points.put(second, id)
    expect((await points.complete(id)).body.binpkgs).toMatchObject([{ binpkgBuildId: 2 }])
    const { header, packages } = parsePackagesIndex((await points.index()).bytes.toString())
    expect(header['TIMESTAMP']).toBe('1767323051')
    expect(packages.map(({ BUILD_ID }) => BUILD_ID)).toEqual(['1', '2'])
  })
})

test('bytes that two nodes sent stay until both have their package', async () => {
  await using hub = await createTestHub()
  const { points, binpkg } = await prepare(hub)
  const other = pointsOf(hub, 'web2', await enrolNode(hub, 'web2'))
  for (const each of [points, other]) {
    await each.announce(announcementOf([binpkg]))
    await each.put(binpkg)
  }
  expect((await points.complete()).body.state).toBe('complete')
  expect((await other.complete()).body.state).toBe('complete')
  await collectBinpkgs(hub.hub)
  expect((await stored(hub)).length).toBe(new Set(await stored(hub)).size)
  for (const each of [points, other]) expect((await each.index(BINPKG)).status).toBe(200)
  expect(await findings(hub)).toEqual([])
})

test('verify finds what changed or is missing, and nothing in a hub that is whole', async () => {
  await using hub = await createTestHub()
  const taken = await prepare(hub)
  await sendAll(taken, [taken.binpkg, DUMP])
  expect(await findings(hub)).toEqual([])
  const [first = '', second = ''] = await stored(hub)
  const at = (sha512: string): string => join(hub.directory, 'binpkgs', sha512.slice(0, 2), sha512)
  await chmod(at(first), 0o600)
  await writeFile(at(first), 'other bytes')
  await rm(at(second))
  expect(await findings(hub)).toEqual([
    expect.stringContaining('its bytes have changed'),
    expect.stringContaining('is missing'),
  ])
})

async function findings(hub: TestHub): Promise<readonly string[]> {
  await using folder = await openDataFolder(hub.hub.config)
  const found: string[] = []
  for await (const { what } of verifyRestorePoints(folder, () => undefined)) found.push(what)
  return found
}

describe('what is refused', () => {
  test('bytes other than those announced leave nothing', async () => {
    await using hub = await createTestHub()
    const { points, binpkg } = await prepare(hub)
    await points.announce(announcementOf([binpkg]))
    const wrong = Buffer.from(binpkg.bytes)
    wrong[0] = (wrong[0] ?? 0) ^ 1
    expect((await points.put({ ...binpkg, bytes: wrong })).body).toMatchObject({
      code: 'upload.digest_mismatch',
    })
    expect((await points.put({ ...binpkg, name: 'a/b/b-1-1.gpkg.tar' })).body).toMatchObject({
      ...{ status: 404, code: 'restore_point.unknown_file' },
    })
    expect(await stored(hub)).toEqual([])
    expect((await points.complete()).body).toMatchObject({
      ...{ status: 409, code: 'restore_point.incomplete', wants: [{ kind: 'binpkg', name: BINPKG }] },
    })
  })

  test.each([
    [
      'another ebuild',
      'binpkg.refused',
      { metadata: { 'shop-1.0.0_p1.ebuild': 'EAPI=8\npkg_setup() { evil; }\n' } },
    ],
    ['another repository', 'binpkg.refused', { metadata: { repository: 'gentoo\n' } }],
    ['a build that there is not', 'binpkg.refused', { metadata: { PF: 'shop-1.0.0_p2\n' } }],
    ['a file elsewhere', 'binpkg.refused', { image: [{ name: 'image/etc/cron.d/evil', content: 'x' }] }],
    ['a folder elsewhere', 'binpkg.refused', { image: [{ name: 'image/usr/lib/cron/', type: '5' }] }],
    [
      'a file with rights of its own',
      'archive.unsafe_mode',
      { image: [{ name: 'image/opt/shop/su', content: 'x', mode: 0o4755 }] },
    ],
    [
      'a path that leaves the image',
      'archive.unsafe_path',
      { image: [{ name: 'image/opt/shop/../../../etc/passwd', content: 'x' }] },
    ],
  ] as const)(
    'a package with %s is refused, with its point, and nothing of it is kept',
    async (_what, code, changes) => {
      await using hub = await createTestHub()
      await uploadShop(hub)
      const token = await enrolNode(hub, 'web1')
      const points = pointsOf(hub, 'web1', token)
      const binpkg: PackedFile = { kind: 'binpkg', name: BINPKG, bytes: await packedShop(hub, changes) }
      const reply = await sendAll({ token, points, binpkg }, [binpkg, DUMP])
      expect([reply.status, reply.body.code]).toEqual([422, code])
      expect((await points.show()).body).toMatchObject({
        state: 'refused',
        refusal: expect.stringContaining(code),
      })
      expect(parsePackagesIndex((await points.index()).bytes.toString()).packages).toEqual([])
      expect(await stored(hub)).toEqual([])
      expect((await points.complete()).body).toMatchObject({ status: 409, code: 'restore_point.ended' })
    },
  )

  test('a package that is good, beside one that is not, is in no index', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    const bytes = await packedShop(hub, { metadata: { repository: 'gentoo\n' } })
    const bad: PackedFile = { kind: 'binpkg', name: 'app-hub/shop/shop-1.0.0_p1-2.gpkg.tar', bytes }
    expect((await sendAll(taken, [taken.binpkg, bad])).body).toMatchObject({ code: 'binpkg.refused' })
    expect(parsePackagesIndex((await taken.points.index()).bytes.toString()).packages).toEqual([])
    expect(await stored(hub)).toEqual([])
  })

  test('the same bytes under two names are one package', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    const twin = { ...taken.binpkg, name: 'app-hub/shop/shop-1.0.0_p1-2.gpkg.tar' }
    await taken.points.announce(announcementOf([taken.binpkg, twin]))
    expect((await taken.points.put(taken.binpkg)).status).toBe(201)
    expect((await taken.points.put(twin)).status).toBe(200)
    expect((await taken.points.complete()).status).toBe(200)
    expect((await stored(hub)).length).toBe(1)
  })

  test('a point without the package that the node ran is refused', async () => {
    await using hub = await createTestHub()
    const taken = await prepare(hub)
    const reply = await sendAll(taken, [taken.binpkg], { cpv: 'app-hub/shop-1.0.0_p9' })
    expect(reply.body).toMatchObject({ status: 422, code: 'binpkg.refused' })
  })

  test('a package with one byte changed anywhere is refused', async () => {
    await using hub = await createTestHub()
    await uploadShop(hub)
    const whole = await packedShop(hub)
    const points = pointsOf(hub, 'web1', await enrolNode(hub, 'web1'))
    const used = usedBytes(whole)
    for (let round = 0; round < 24; round++) {
      const bytes = Buffer.from(whole)
      const at = used[Math.floor((round * used.length) / 24)] ?? 0
      bytes[at] = (bytes[at] ?? 0) ^ 0x20
      const id = `rp_20260102T030405Z_${String(round).padStart(6, '0')}`
      const binpkg: PackedFile = { kind: 'binpkg', name: BINPKG, bytes }
      await points.announce(announcementOf([binpkg], { id }))
      await points.put(binpkg, id)
      expect((await points.complete(id)).status, `byte ${String(at)}`).toBe(422)
    }
    expect(await stored(hub)).toEqual([])
  })

  test.each([
    ['an id of another form', { id: '../../etc' }],
    ['a package name that leaves its folder', { files: [{ kind: 'binpkg', name: '../x.gpkg.tar' }] }],
    ['a dump outside', { files: [{ kind: 'dump', name: '/etc/shadow' }] }],
    ['a dump with ..', { files: [{ kind: 'dump', name: 'a/../b' }] }],
    ['a line end in a name', { files: [{ kind: 'dump', name: 'a\nb' }] }],
    [
      'a file twice',
      {
        files: [
          { kind: 'dump', name: 'a' },
          { kind: 'dump', name: 'a' },
        ],
      },
    ],
    ['an unknown key', { more: 1 }],
  ])('an announcement with %s', async (_what, changes) => {
    await using hub = await createTestHub()
    const points = pointsOf(hub, 'web1', await enrolNode(hub, 'web1'))
    const files = 'files' in changes ? (changes.files as readonly object[]) : []
    const whole = files.map((file) => ({ sizeBytes: 1, sha512: '0'.repeat(128), ...file }))
    const reply = await points.announce({ ...announcementOf([]), ...changes, files: whole })
    expect(reply.body).toMatchObject({ status: 400, code: 'request.invalid' })
    expect((await points.list()).body.items).toEqual([])
  })
})

/** Places of bytes that mean something: not those between members, whose change is refused for another reason. */
function usedBytes(gpkg: Buffer): readonly number[] {
  return [...gpkg.keys()].filter((at) => gpkg[at] !== 0)
}
