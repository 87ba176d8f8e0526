/** Rehearsals of restore points: reported by their node, shown with the point, and missed where there is none. */
import { expect, test } from 'vitest'
import { reportOf } from '../support/node-reports.ts'
import { announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import type { PackedFile } from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const DUMP: PackedFile = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('rows') }
const PLAN: PackedFile = { kind: 'info', name: 'plan.txt', bytes: Buffer.from('plan') }
const [FIRST, SECOND, DUMPLESS, OPEN] = ['aaaaaa', 'bbbbbb', 'cccccc', 'dddddd'].map(
  (tail, day) => `rp_2026010${String(day + 1)}T030405Z_${tail}`,
) as [string, string, string, string]

/** A node with two points that have a dump, one that has none, and one that is not complete. */
async function openNode(hub: TestHub, name = 'web1') {
  const token = await enrolNode(hub, name)
  const points = pointsOf(hub, name, token)
  const announce = async (id: string, file: PackedFile) => {
    const announced = await points.announce(announcementOf([file], { id, encrypted: true }))
    expect(announced.status, announced.text).toBe(201)
  }
  for (const [id, file] of [
    [FIRST, DUMP],
    [SECOND, DUMP],
    [DUMPLESS, PLAN],
  ] as const) {
    await announce(id, file)
    await points.put(file, id)
    expect((await points.complete(id)).status).toBe(200)
  }
  await announce(OPEN, { ...DUMP, bytes: Buffer.from('others') })
  const address = `/api/v1/nodes/${name}`
  return {
    points,
    report: async (...rehearsed: readonly object[]) => {
      const reply = await hub.as(token).post(`${address}/report`).send(reportOf([], { rehearsed }))
      expect(reply.status, reply.text).toBe(200)
    },
    listed: async (query = '') => {
      const reply = await hub.as(token).get(`${address}/restore-points${query}`)
      expect(reply.status, reply.text).toBe(200)
      return (reply.body as { items: { id: string; rehearsed: unknown }[] }).items
    },
    never: async () =>
      ((await hub.as(token).get(address)).body as { neverRehearsed: readonly string[] }).neverRehearsed,
  }
}

const ids = (points: readonly { readonly id: string }[]): readonly string[] => points.map(({ id }) => id)

test('a rehearsal that a node reports is shown with its point; points with a dump and without one are named', async () => {
  await using hub = await createTestHub()
  const web1 = await openNode(hub)
  const web2 = await openNode(hub, 'web2')
  expect(await web1.never()).toEqual([SECOND, FIRST])
  expect(ids(await web1.listed('?rehearsed=never'))).toEqual([SECOND, FIRST])

  await web1.report(
    {
      restorePoint: FIRST,
      app: 'shop',
      cpv: 'app-hub/shop-1.0.0_p1',
      at: '2026-01-02T05:00:00+01:00',
      ok: true,
    },
    {
      restorePoint: SECOND,
      at: '2026-01-02T05:00:00Z',
      ok: false,
      detail: 'rehearse command 2 ended with 1',
    },
  )
  const passed = { at: '2026-01-02T04:00:00Z', ok: true, detail: '' }
  const failed = { at: '2026-01-02T05:00:00Z', ok: false, detail: 'rehearse command 2 ended with 1' }
  expect((await web1.points.show(FIRST)).body).toMatchObject({ rehearsed: passed })
  expect((await web1.listed()).map(({ rehearsed }) => rehearsed)).toEqual([null, null, failed, passed])
  expect(ids(await web1.listed('?rehearsed=passed'))).toEqual([FIRST])
  expect(ids(await web1.listed('?rehearsed=failed&app=shop'))).toEqual([SECOND])
  expect(await web1.never()).toEqual([])
  // The other node has points of the same ids.
  expect(await web2.never()).toEqual([SECOND, FIRST])
})

test('the newest rehearsal counts, and stays when a node forgets it', async () => {
  await using hub = await createTestHub()
  const { points, report } = await openNode(hub)
  const at = (time: string, ok: boolean) => ({ restorePoint: FIRST, at: `2026-01-02T${time}Z`, ok })
  await report(at('05:00:00', true), at('04:00:00', false))
  expect((await points.show(FIRST)).body).toMatchObject({ rehearsed: { ok: true } })
  await report(at('04:30:00', false))
  await report()
  expect((await points.show(FIRST)).body).toMatchObject({ rehearsed: { ok: true } })
  await report(at('06:00:00', false))
  expect((await points.show(FIRST)).body).toMatchObject({ rehearsed: { ok: false } })
})

test('what is no rehearsal, or of no point here, is passed over with the rest of the report kept', async () => {
  await using hub = await createTestHub()
  const { never, report } = await openNode(hub)
  await report(
    { restorePoint: 'rp_20260109T030405Z_zzzzzz', at: '2026-01-02T05:00:00Z', ok: true },
    { restorePoint: FIRST, at: 'yesterday', ok: true },
    { restorePoint: FIRST, at: '2026-01-02T05:00:00Z', ok: 'yes' },
    { restorePoint: '../x', at: '2026-01-02T05:00:00Z', ok: true },
    {},
  )
  expect(await never()).toEqual([SECOND, FIRST])
})

test('another question than never, passed and failed is refused', async () => {
  await using hub = await createTestHub()
  await enrolNode(hub, 'web1')
  const reply = await hub.as().get('/api/v1/nodes/web1/restore-points?rehearsed=soon')
  expect([reply.status, (reply.body as { code: string }).code]).toEqual([400, 'request.invalid'])
})
