import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'

test('two uploads of one build at once with the same bytes: one makes it, the other finds it', async () => {
  await using hub = await createTestHub()
  const bytes = tarball({ 'shop/bin/shop': 'hi' })
  const replies = await Promise.all([1, 2].map(async () => await hub.upload('shop', bytes, { build: '45' })))
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 201])
  expect(replies[0]?.body.tarball).toEqual(replies[1]?.body.tarball)
  expect((await hub.as().get('/api/v1/apps/shop/builds')).body.items).toHaveLength(1)
  expect((await hub.as().get('/api/v1/environments/staging/releases')).body.items).toHaveLength(1)
  expect((await hub.as().get('/api/v1/environments/staging')).body.overlay.revision).toBe(2)
  expect(await hub.storedFiles()).toHaveLength(1)
})

test('two uploads of one build at once with different bytes: one makes it, the other is refused', async () => {
  await using hub = await createTestHub()
  const replies = await Promise.all(
    ['a', 'b'].map(async (content) => await hub.upload('shop', tarball({ f: content }), { build: '45' })),
  )
  expect(replies.map(({ status }) => status).sort()).toEqual([201, 409])
  const winner = replies.find(({ status }) => status === 201)
  expect((await hub.as().get('/api/v1/apps/shop/builds/45')).body.tarball).toEqual(winner?.body.tarball)
  expect(await hub.storedFiles()).toHaveLength(1)
})

test('forty uploads of many apps at once are all archived and all published, one revision each', async () => {
  await using hub = await createTestHub()
  const jobs = Array.from({ length: 40 }, (_, index) => ({
    app: `app-${'abcdefgh'.charAt(index % 8)}`,
    build: Math.floor(index / 8) + 1,
  }))
  const replies = await Promise.all(
    jobs.map(async ({ app, build }) => {
      const bytes = tarball({ [`${app}/bin/run`]: `${app} ${String(build)}` })
      const reply = await hub.upload(app, bytes, { build: String(build) })
      return { bytes, reply }
    }),
  )
  expect(replies.map(({ reply }) => reply.status)).toEqual(jobs.map(() => 201))
  expect((await hub.as().get('/api/v1/environments/staging')).body.overlay.revision).toBe(41)
  for (const { bytes, reply } of replies) {
    const { pn, pv, tarball: file } = reply.body
    const tree = `/overlays/staging/tree/app-hub/${pn}`
    expect((await hub.as().get(`${tree}/${pn}-${pv}.ebuild`)).status).toBe(200)
    expect((await hub.as().get(`${tree}/Manifest`)).text).toContain(
      `DIST ${file.name} ${String(bytes.byteLength)} BLAKE2B ${file.blake2b} SHA512 ${file.sha512}`,
    )
    expect(file.sha512).toBe(createHash('sha512').update(bytes).digest('hex'))
  }
})

test('uploads without a number at once each get one of their own', async () => {
  await using hub = await createTestHub()
  const replies = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => await hub.upload('shop', tarball({ f: String(index) }))),
  )
  const numbers = replies.map(({ body }) => body.build as number).sort((a, b) => a - b)
  expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

test('the same bytes for two apps at once are stored once and belong to both', async () => {
  await using hub = await createTestHub()
  const bytes = tarball({ f: 'shared' })
  const replies = await Promise.all(
    ['one', 'two', 'three'].map(async (app) => await hub.upload(app, bytes, { build: '1' })),
  )
  expect(replies.map(({ status }) => status)).toEqual([201, 201, 201])
  expect(await hub.storedFiles()).toHaveLength(1)
})

test('a fault while one of two uploads of the same bytes is recorded does not take the other’s bytes away', async () => {
  await using hub = await createTestHub()
  const bytes = tarball({ f: 'shared' })
  const { records } = hub.hub
  const transaction = records.transaction.bind(records)
  let isFirst = true
  records.transaction = async (work) => {
    if (!isFirst) return await transaction(work)
    isFirst = false
    throw new Error('the disk is full')
  }
  const replies = await Promise.all(
    ['one', 'two'].map(async (app) => await hub.upload(app, bytes, { build: '1' })),
  )
  expect(replies.map(({ status }) => status).sort()).toEqual([201, 500])
  const app = replies.find(({ status }) => status === 201)?.body.app
  const fetched = await hub.as().get(`/api/v1/apps/${app}/builds/1/tarball`).buffer(true)
  expect(fetched.status).toBe(200)
  expect(await hub.storedFiles()).toHaveLength(1)
})
