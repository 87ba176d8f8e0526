/** Rollbacks that are asked for at the hub, and what their nodes make of them. */
import { expect, test } from 'vitest'
import { reportOf } from '../support/node-reports.ts'
import { POINT, announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const DUMP = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('rows\n') } as const
const ASKED = { node: 'web1', app: 'shop' }

/** A node that runs build 2 and has a point of build 1, which had this schema. */
async function upgraded(
  hub: TestHub,
  schemaVersion: number | null,
  recipe = 'schema: {version: 3, reversible_from: 2}\n',
) {
  for (const build of [1, 2]) {
    const bytes = tarball({ 'shop/run': String(build) })
    const reply = await hub.upload('shop', bytes, { build: String(build), version: '1.0.0', recipe })
    if (reply.status !== 201) throw new Error(reply.text)
  }
  const token = await enrolNode(hub, 'web1')
  const points = pointsOf(hub, 'web1', token)
  await points.announce(announcementOf([DUMP], { encrypted: true, schemaVersion }))
  await points.put(DUMP)
  await points.complete()
  const reply = await hub
    .as(token)
    .post('/api/v1/nodes/web1/report')
    .send(reportOf(['app-hub/shop-1.0.0_p2']))
  if (reply.status !== 200) throw new Error(reply.text)
  return token
}

async function ask(hub: TestHub, changes: object = {}, path = '/api/v1/rollbacks') {
  return await hub
    .as()
    .post(path)
    .send({ ...ASKED, ...changes })
}

test('a rollback is shown before, asked for once, taken by its node, and ended by its word', async () => {
  await using hub = await createTestHub()
  const token = await upgraded(hub, 2)
  const preview = await ask(hub, {}, '/api/v1/rollbacks?dryRun=true')
  expect(preview.body).toMatchObject({
    ...{ dryRun: true, restorePoint: POINT, withDump: false, force: false, state: 'requested' },
    preview: {
      ...{ from: 'app-hub/shop-1.0.0_p2', to: 'app-hub/shop-1.0.0_p1', takenAt: '2026-01-02T03:04:05Z' },
      ...{ dumps: ['shop.dump'], schemaRefusal: null },
    },
  })
  expect((await hub.as().get('/api/v1/rollbacks')).body.items).toEqual([])

  const asked = await ask(hub, { withDump: true })
  expect(asked.status, asked.text).toBe(201)
  const id = asked.body.id as string
  expect((await ask(hub)).body).toMatchObject({ status: 409, code: 'rollback.open' })
  const waiting = await hub.as(token).get('/api/v1/nodes/web1/rollbacks?state=requested')
  expect(waiting.body.items).toMatchObject([{ id, restorePoint: POINT, withDump: true }])

  const result = `/api/v1/nodes/web1/rollbacks/${id}/result`
  expect((await hub.as(token).post(result).send({ status: 0 })).body).toMatchObject({ state: 'done' })
  expect((await hub.as(token).post(result).send({ status: 0 })).body).toMatchObject({ state: 'done' })
  expect((await hub.as(token).post(result).send({ status: 22 })).body).toMatchObject({
    code: 'rollback.ended',
  })
  expect((await hub.as().get(`/api/v1/rollbacks/${id}`)).body).toMatchObject({
    ...{ state: 'done', detail: 'hub-node ended with status 0', requestedBy: 'HUB_ADMIN_TOKEN' },
  })
  expect((await ask(hub)).status).toBe(201)
})

test.each([
  ['is older than one may go back to', 1],
  ['is not known', null],
])(
  'a point whose schema %s is refused, with a way out, unless it is forced',
  async (_what, schemaVersion) => {
    await using hub = await createTestHub()
    await upgraded(hub, schemaVersion)
    const reply = await ask(hub)
    expect(reply.body).toMatchObject({ status: 409, code: 'rollback.impossible' })
    expect(reply.body.detail).toContain('send a hotfix instead')
    const forced = await ask(hub, { force: true })
    expect([forced.status, forced.body.preview.schemaRefusal]).toEqual([201, reply.body.detail])
  },
)

test('what cannot be is refused, and another node sees nothing of it', async () => {
  await using hub = await createTestHub()
  await upgraded(hub, null, 'description: no schema at all\n')
  const other = await enrolNode(hub, 'web2')
  const codes = async (changes: object) => (await ask(hub, changes)).body.code as string
  expect(await codes({ node: 'web3' })).toBe('node.unknown')
  expect(await codes({ app: 'other' })).toBe('restore_point.unknown')
  expect(await codes({ app: 'other', restorePoint: POINT })).toBe('rollback.impossible')
  expect(await codes({ restorePoint: 'rp_none' })).toBe('restore_point.unknown')
  expect(await codes({ withDump: 'yes' })).toBe('request.invalid')
  const asked = await ask(hub)
  const id = asked.body.id as string
  expect((await hub.as(other).get('/api/v1/nodes/web1/rollbacks')).status).toBe(403)
  const foreign = await hub.as(other).post(`/api/v1/nodes/web2/rollbacks/${id}/result`).send({ status: 0 })
  expect(foreign.body).toMatchObject({ status: 404, code: 'rollback.unknown' })
  const cancelled = await hub.as().delete(`/api/v1/rollbacks/${id}`)
  expect(cancelled.body).toMatchObject({ state: 'cancelled' })
  expect((await hub.as(other).get('/api/v1/rollbacks')).status).toBe(403)
})
