/** Retention: who sets rules, which builds they would let go of, and everything that keeps a build against them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judgeRetention, keyOf } from '../../src/environments/retention.ts'
import type { Keepers } from '../../src/environments/retention.ts'
import { ebuildPath } from '../../src/overlays/plan-overlay.ts'
import type { JudgedBuild } from '../../src/records/retention.ts'
import { reportOf } from '../support/node-reports.ts'
import { announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

interface Item {
  readonly build: number
  readonly reasons: readonly string[]
}
interface Plan {
  readonly wouldGo: { readonly builds: number; readonly bytes: number }
  readonly keptByRules: number
  readonly keptAgainstRules: number
  readonly items: readonly Item[]
  readonly nextCursor: string | null
}

async function hubWithBuilds(builds: number, env: Readonly<Record<string, string>> = {}): Promise<TestHub> {
  const hub = await createTestHub({ HUB_ENVIRONMENTS: 'staging:request production:request', ...env })
  for (let build = 1; build <= builds; build++) {
    const fields = { build: String(build), version: '1.0.0' }
    const reply = await hub.upload('shop', tarball({ 'shop/run': 'x'.repeat(build * 1000) }), fields)
    expect(reply.status, reply.text).toBe(201)
  }
  return hub
}

async function setRules(hub: TestHub, rules: object, path = '/retention'): Promise<void> {
  const reply = await hub.as().put(`/api/v1${path}`).send(rules)
  expect(reply.status, reply.text).toBe(200)
}

async function planOf(hub: TestHub, query = ''): Promise<Plan> {
  const reply = await hub.as().get(`/api/v1/retention/plan${query}`)
  expect(reply.status, reply.text).toBe(200)
  return reply.body as Plan
}

const reasonsOf = async (hub: TestHub) =>
  Object.fromEntries((await planOf(hub)).items.map(({ build, reasons }) => [build, reasons]))
const ONLY_NEWEST = { keepNewest: 1, keepDays: null, keepRevisions: 0 }

describe('the rules', () => {
  test('keep everything until somebody sets some, and each change is in the audit', async () => {
    await using hub = await hubWithBuilds(2)
    expect((await hub.as().get('/api/v1/retention')).body).toEqual({
      ...{ keepNewest: null, keepDays: null, keepRevisions: 10, setBy: null, setAt: null },
    })
    expect(await planOf(hub)).toMatchObject({ items: [], keptByRules: 2, wouldGo: { builds: 0, bytes: 0 } })
    const dry = await hub.as().put('/api/v1/retention?dryRun=true').send(ONLY_NEWEST)
    expect(dry.body).toMatchObject({ keepNewest: 1, dryRun: true })
    expect(await planOf(hub)).toMatchObject({ items: [] })
    await setRules(hub, ONLY_NEWEST)
    await setRules(hub, ONLY_NEWEST)
    await setRules(hub, { ...ONLY_NEWEST, keepNewest: 5 }, '/apps/shop/retention')
    expect((await hub.as().get('/api/v1/apps/shop/retention')).body).toMatchObject({
      ...{ app: 'shop', own: { keepNewest: 5, setBy: 'HUB_ADMIN_TOKEN' }, hub: { keepNewest: 1 } },
    })
    expect(await planOf(hub)).toMatchObject({ items: [] })
    const removed = await hub.as().delete('/api/v1/apps/shop/retention')
    expect(removed.body).toMatchObject({ keepNewest: 1 })
    expect(await planOf(hub)).toMatchObject({ items: [{ build: 1, reasons: [] }], keptByRules: 1 })
    const { body } = await hub.as().get('/api/v1/audit?type=retention.set')
    expect((body as { items: object[] }).items).toMatchObject([
      { app: 'shop', before: { keepNewest: 5 }, after: null },
      { app: 'shop', before: null, after: { keepNewest: 5 } },
      { app: null, before: { keepNewest: null }, after: { keepNewest: 1, keepDays: null, keepRevisions: 0 } },
    ])
  })

  test('are refused where they make no sense, and of an app that is not there', async () => {
    await using hub = await hubWithBuilds(1)
    for (const wrong of [
      {},
      { ...ONLY_NEWEST, keepNewest: 0 },
      { ...ONLY_NEWEST, keepDays: 1.5 },
      { keepNewest: 'x' },
    ])
      expect((await hub.as().put('/api/v1/retention').send(wrong)).status).toBe(400)
    for (const path of ['/apps/none/retention', '/retention/plan?app=none'])
      expect((await hub.as().get(`/api/v1${path}`)).body).toMatchObject({ code: 'app.unknown' })
    expect((await hub.as().put('/api/v1/apps/none/retention').send(ONLY_NEWEST)).status).toBe(404)
    expect((await hub.as().get('/api/v1/retention/plan?what=x')).status).toBe(400)
  })
})

describe('the plan', () => {
  test('lets old builds go, and says how many bytes that would free', async () => {
    await using hub = await hubWithBuilds(5)
    await setRules(hub, { keepNewest: 2, keepDays: null, keepRevisions: 0 })
    const { body } = await hub.as().get('/api/v1/apps/shop/builds')
    const sizes = (body as { items: { build: number; tarball: { sizeBytes: number } }[] }).items
    const bytes = sizes
      .filter(({ build }) => build <= 3)
      .reduce((sum, { tarball: { sizeBytes } }) => sum + sizeBytes, 0)
    expect(await planOf(hub)).toMatchObject({
      wouldGo: { builds: 3, bytes },
      keptByRules: 2,
      keptAgainstRules: 0,
    })
    const first = await planOf(hub, '?limit=2&what=goes')
    const rest = await planOf(hub, `?limit=2&what=goes&cursor=${first.nextCursor ?? ''}`)
    expect([...first.items, ...rest.items].map(({ build }) => build)).toEqual([3, 2, 1])
    expect(rest.nextCursor).toBe(null)
    expect((await planOf(hub, '?what=stays')).items).toEqual([])
    await setRules(hub, { keepNewest: null, keepDays: 30, keepRevisions: 0 })
    expect((await planOf(hub)).items).toEqual([])
    hub.clock.set('2026-03-02T00:00:00Z')
    expect((await planOf(hub)).items).toHaveLength(5)
  })

  test('a tarball that a build that stays has too frees nothing', async () => {
    await using hub = await hubWithBuilds(1)
    const fields = { build: '2', version: '1.0.0' }
    expect((await hub.upload('shop', tarball({ 'shop/run': 'x'.repeat(1000) }), fields)).status).toBe(201)
    await setRules(hub, ONLY_NEWEST)
    expect(await planOf(hub)).toMatchObject({
      items: [{ build: 1, reasons: [] }],
      wouldGo: { builds: 1, bytes: 0 },
    })
  })

  test('keeps what is listed, pinned, held, asked for, run by a node or in a restore point, and says which', async () => {
    await using hub = await hubWithBuilds(8)
    const post = async (path: string, body: object, token?: string) => {
      const reply = await hub.as(token).post(`/api/v1${path}`).send(body)
      expect(reply.status, reply.text).toBeLessThan(300)
      return reply.body as { readonly id: string }
    }
    await hub.promote('shop', 1, 'staging')
    await post('/apps/shop/builds/2/pin', { reason: 'audit' })
    await post('/apps/shop/builds/3/yank', { reason: 'bad' })
    await hub
      .as()
      .put('/api/v1/environments/staging/policy')
      .send({
        ...{ promote: 'request', approvals: { count: 1, roles: ['approver'] } },
      })
    await post('/promotions', { app: 'shop', build: 4, environment: 'staging' })
    const token = await enrolNode(hub, 'web1')
    await post('/nodes/web1/report', reportOf(['app-hub/shop-1.0.0_p5']), token)
    const dump = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('x') } as const
    const points = pointsOf(hub, 'web1', token)
    await points.announce(announcementOf([dump], { cpv: 'app-hub/shop-1.0.0_p6', encrypted: true }))
    await setRules(hub, ONLY_NEWEST)
    expect(await reasonsOf(hub)).toEqual({
      ...{
        1: ['listed'],
        2: ['pinned'],
        3: ['held'],
        4: ['promotion'],
        5: ['node'],
        6: ['restore-point'],
        7: [],
      },
    })
    expect(await planOf(hub)).toMatchObject({ keptAgainstRules: 6, keptByRules: 1, wouldGo: { builds: 1 } })
    await post('/environments/production/holds', { app: 'shop', reason: 'all of it' })
    expect((await planOf(hub)).wouldGo.builds).toBe(0)
  })

  test('keeps what was listed within the revisions that a rollback may need', async () => {
    await using hub = await hubWithBuilds(3, { HUB_KEEP_RELEASES: '1' })
    for (const build of [1, 2, 3])
      expect((await hub.promote('shop', build, 'staging')).status).toBeLessThan(300)
    await setRules(hub, { ...ONLY_NEWEST, keepRevisions: 1 })
    expect(await reasonsOf(hub)).toEqual({ 2: ['revision'], 1: [] })
    await setRules(hub, { ...ONLY_NEWEST, keepRevisions: 2 })
    expect(await reasonsOf(hub)).toEqual({ 2: ['revision'], 1: ['revision'] })
  })
})

test('whatever the rules say, nothing that stands, is pinned, held, asked for, run or kept by a node would go', () => {
  const number = fc.integer({ min: 1, max: 30 })
  const some = fc.uniqueArray(number, { maxLength: 8 })
  const rule = fc.option(fc.integer({ min: 1, max: 40 }))
  const scene = fc.record({
    ...{
      keepNewest: rule,
      keepDays: rule,
      keepRevisions: fc.nat(5),
      count: fc.nat(30),
      appIsHeld: fc.boolean(),
    },
    ...{ pinned: some, held: some, promoted: some, onNodes: some, inPoints: some, listed: some, gone: some },
  })
  const now = new Date('2026-11-29T12:00:00Z')
  fc.assert(
    fc.property(scene, (said) => {
      const builds = Array.from({ length: said.count }, (_, at): JudgedBuild => {
        const build = said.count - at
        const receivedAt = new Date(now.getTime() - at * 86_400_000 - 1).toISOString()
        const named = { app: 'shop', category: 'app-hub', pn: 'shop', pv: `1.0_p${String(build)}` }
        return { ...named, build, receivedAt, sizeBytes: 1, sha512: String(build) }
      })
      const of = (numbers: readonly number[]) => builds.filter(({ build }) => numbers.includes(build))
      const keys = (numbers: readonly number[]) => new Set(of(numbers).map(keyOf))
      const keepers: Keepers = {
        ...{ pinned: keys(said.pinned), held: keys(said.held), promoted: keys(said.promoted) },
        ...{ onNodes: keys(said.onNodes), heldApps: new Set(said.appIsHeld ? ['shop'] : []) },
        inPoints: new Set(of(said.inPoints).map(({ category, pn, pv }) => `${category}/${pn}-${pv}`)),
        listed: new Set(of(said.listed).map(ebuildPath)),
        gone: new Map(of(said.gone).map((build) => [ebuildPath(build), said.keepRevisions])),
      }
      const judged = judgeRetention(builds, said, keepers, now)
      expect(judged).toHaveLength(said.count)
      for (const [at, { build, reasons }] of judged.entries()) {
        if (reasons.length > 0) continue
        const kept = [
          said.pinned,
          said.held,
          said.promoted,
          said.onNodes,
          said.inPoints,
          said.listed,
          said.gone,
        ]
        expect(kept.flat()).not.toContain(build.build)
        expect(said.appIsHeld).toBe(false)
        expect(said.keepNewest !== null || said.keepDays !== null).toBe(true)
        expect(at).toBeGreaterThanOrEqual(said.keepNewest ?? 0)
        expect(at).toBeGreaterThanOrEqual(said.keepDays ?? 0)
      }
    }),
  )
})
