/** Rollbacks of a whole environment: every node shown before, all or none, and what they leave is held. */
import { expect, test } from 'vitest'
import { runCli } from '../cli/support.ts'
import { holdsTable } from '../support/holds.ts'
import { reportOf } from '../support/node-reports.ts'
import { POINT, announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import { tarball } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const ONE = 'app-hub/shop-1.0.0_p1'
const TWO = 'app-hub/shop-1.0.0_p2'
const DUMP = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('rows\n') } as const
const WISH = { environment: 'staging', app: 'shop', build: 1, reason: 'it charges twice' }
const MASK = '/overlays/staging/tree/profiles/package.mask/portage-hub-held'

async function uploadShops(hub: TestHub, builds: readonly number[]): Promise<void> {
  for (const build of builds) {
    const fields = { version: '1.0.0', recipe: 'schema: {version: 3, reversible_from: 2}\n' }
    const reply = await hub.upload('shop', tarball({ f: String(build) }), { build: String(build), ...fields })
    if (reply.status !== 201) throw new Error(reply.text)
  }
}

/** A node that runs `cpv`; with a schema it has a point of build 1, which had that one. */
async function nodeWith(
  hub: TestHub,
  name: string,
  cpv: string | null,
  schemaVersion?: number,
): Promise<string> {
  const token = await enrolNode(hub, name)
  if (schemaVersion !== undefined) {
    const points = pointsOf(hub, name, token)
    await points.announce(announcementOf([DUMP], { encrypted: true, schemaVersion }))
    await points.put(DUMP)
    await points.complete()
  }
  const reply = await hub
    .as(token)
    .post(`/api/v1/nodes/${name}/report`)
    .send(reportOf(cpv === null ? [] : [cpv]))
  if (reply.status !== 200) throw new Error(reply.text)
  return token
}

async function ask(hub: TestHub, changes: object = {}, query = '') {
  return await hub
    .as()
    .post(`/api/v1/rollbacks${query}`)
    .send({ ...WISH, ...changes })
}

/** Neither a wish, nor a hold, nor a mask. */
async function expectNothing(hub: TestHub): Promise<void> {
  expect((await hub.as().get('/api/v1/rollbacks')).body.items).toEqual([])
  expect(await holdsTable(hub)).toEqual([])
  expect((await hub.as().get(MASK)).status).toBe(404)
}

async function states(hub: TestHub, id: string) {
  const { body } = await hub.as().get(`/api/v1/rollbacks/${id}`)
  return Object.fromEntries((body.nodes as { node: string; state: string }[]).map((n) => [n.node, n.state]))
}

test('each node is shown before; those that have a point get a wish, what they leave is held, in one revision', async () => {
  await using hub = await createTestHub()
  await uploadShops(hub, [1, 2])
  const token = await nodeWith(hub, 'web1', TWO, 2)
  await nodeWith(hub, 'web2', TWO)
  await nodeWith(hub, 'web3', ONE)
  await nodeWith(hub, 'web4', null)
  const before = { web1: 'goes_back', web2: 'no_point', web3: 'is_there', web4: 'not_installed' }

  const preview = await ask(hub, {}, '?dryRun=true')
  expect(preview.status, preview.text).toBe(200)
  expect(preview.body).toMatchObject({ id: null, dryRun: true, published: { revision: 4, commit: null } })
  expect(Object.fromEntries(preview.body.nodes.map((n: typeof preview.body) => [n.node, n.state]))).toEqual(
    before,
  )
  expect(preview.body.nodes[0]).toEqual({
    ...{ node: 'web1', state: 'goes_back', rollback: null, finishedAt: null, detail: null, from: TWO },
    ...{ restorePoint: POINT, takenAt: '2026-01-02T03:04:05Z', dumps: ['shop.dump'], schemaRefusal: null },
  })
  await expectNothing(hub)

  const asked = await ask(hub)
  expect(asked.status, asked.text).toBe(201)
  const id = asked.body.id as string
  expect(asked.headers['location']).toBe(`/api/v1/rollbacks/${id}`)
  expect(await states(hub, id)).toEqual({ ...before, web1: 'requested' })
  expect(asked.body.holds).toMatchObject([
    { build: 2, environment: 'staging', mask: true, newer: false, rollback: id, heldRevision: 4 },
  ])
  expect((await hub.as().get(MASK)).text).toBe(
    `# HUB_ADMIN_TOKEN (2026-01-02)\n# it charges twice\n=${TWO}\n`,
  )
  expect((await hub.promote('shop', 2, 'staging')).status).toBe(409)
  const waiting = await hub.as(token).get('/api/v1/nodes/web1/rollbacks?state=requested')
  expect(waiting.body.items).toMatchObject([{ restorePoint: POINT, environmentRollback: id, force: false }])
  expect((await ask(hub)).body).toMatchObject({ status: 409, code: 'rollback.open' })

  const rollback = waiting.body.items[0].id as string
  await hub.as(token).post(`/api/v1/nodes/web1/rollbacks/${rollback}/result`).send({ status: 0 })
  expect(await states(hub, id)).toEqual({ ...before, web1: 'done' })
  // What is wanted of a node is the build that it went back to.
  const nodes = (await hub.as().get('/api/v1/nodes')).body.items as { name: string; packages: object[] }[]
  expect(nodes.find(({ name }) => name === 'web3')?.packages).toMatchObject([{ drifted: false }])
  expect(nodes.find(({ name }) => name === 'web2')?.packages).toMatchObject([
    { wanted: { build: 1 }, reasons: [{ code: 'held' }, { code: 'ahead' }] },
  ])
})

test('every release above the target is held; with newer ones it is one hold', async () => {
  await using hub = await createTestHub()
  await uploadShops(hub, [1, 2, 3])
  await nodeWith(hub, 'web1', 'app-hub/shop-1.0.0_p3', 2)
  const dry = await ask(hub, { newer: true }, '?dryRun=true')
  expect(dry.body.holds).toMatchObject([{ build: 2, newer: true }])
  expect((await ask(hub)).body.holds).toMatchObject([
    { build: 2, newer: false },
    { build: 3, newer: false },
  ])
})

test('a schema that forbids it on one node refuses all, with a way out, unless it is forced', async () => {
  await using hub = await createTestHub()
  await uploadShops(hub, [1, 2])
  await nodeWith(hub, 'web1', TWO, 2)
  await nodeWith(hub, 'web2', TWO, 1)
  const refused = await ask(hub)
  expect(refused.body).toMatchObject({ status: 409, code: 'rollback.impossible', nodes: [{ node: 'web2' }] })
  expect(refused.body.detail).toMatch(/^web2: .*send a hotfix instead/)
  await expectNothing(hub)
  const forced = await ask(hub, { force: true })
  expect(forced.status).toBe(201)
  const { items } = (await hub.as().get('/api/v1/rollbacks')).body
  expect(items).toMatchObject([{ force: true }, { force: true }])
  const { body } = await hub.as().get(`/api/v1/rollbacks/${forced.body.id}`)
  expect(body).toMatchObject({
    force: true,
    nodes: [{ schemaRefusal: null }, { schemaRefusal: expect.any(String) }],
  })
})

test('a fault before the revision leaves nothing, neither wish nor hold', async () => {
  await using hub = await createTestHub()
  await uploadShops(hub, [1, 2])
  await nodeWith(hub, 'web1', TWO, 2)
  const signingKey = hub.hub.overlayKeys.current
  signingKey.sign = () => Promise.reject(new Error('the process died here'))
  expect((await ask(hub)).status).toBe(500)
  await expectNothing(hub)
  await using again = await hub.restart()
  expect((await ask(again)).status).toBe(201)
})

test('a wish that comes between judging and recording refuses all of it', async () => {
  await using hub = await createTestHub()
  await uploadShops(hub, [1, 2])
  await nodeWith(hub, 'web1', TWO, 2)
  const signingKey = hub.hub.overlayKeys.current
  const sign = signingKey.sign.bind(signingKey)
  signingKey.sign = async (...args) => {
    const one = await hub.as().post('/api/v1/rollbacks').send({ node: 'web1', app: 'shop' })
    expect(one.status).toBe(201)
    return await sign(...args)
  }
  expect((await ask(hub)).body).toMatchObject({ code: 'rollback.open' })
  expect(await holdsTable(hub)).toEqual([])
  expect((await hub.as().get(MASK)).status).toBe(404)
})

test.each([
  [{ build: 9 }, 404, 'build.unknown'],
  [{ environment: 'moon' }, 404, 'environment.unknown'],
  [{ environment: 'production' }, 409, 'rollback.impossible'],
  [{ build: 2 }, 409, 'rollback.impossible'],
  [{ reason: '' }, 400, 'request.invalid'],
  [{ reason: 'a\n=*/*' }, 400, 'request.invalid'],
  [{ node: 'web1' }, 400, 'request.invalid'],
])('%j is refused and leaves nothing', async (changes, status, code) => {
  await using hub = await createTestHub()
  await uploadShops(hub, [1, 2])
  expect((await ask(hub, changes)).body).toMatchObject({ status, code })
  await expectNothing(hub)
})

test('the command shows every node first, and goes on with --yes', async () => {
  await using hub = await createTestHub()
  await uploadShops(hub, [1, 2])
  await nodeWith(hub, 'web1', TWO, 2)
  await nodeWith(hub, 'web2', TWO)
  const env = { HUB_URL: hub.url, HUB_TOKEN: ADMIN_TOKEN }
  const wanted = ['rollback', 'shop', '--everywhere', '--environment', 'staging', '--to', '1', '-r', 'twice']
  const shown = await runCli(wanted, { env })
  expect(shown.status).toBe(2)
  expect(shown.stderr).toContain(`=${TWO} would be held and masked`)
  expect(shown.stderr).toContain('1 node has no restore point of that build')
  await expectNothing(hub)
  const done = await runCli([...wanted, '--yes'], { env })
  expect(done.status, done.stderr).toBe(0)
  expect(done.stdout).toMatch(/^shop goes back to build 1 in staging \(rbe_\w+\): twice\n/)
  expect(done.stdout).toMatch(/\nweb1 +requested .*\nweb2 +no point /)
  const [held] = await holdsTable(hub)
  const lifted = await runCli(['hold', 'lift', String(held?.['id']), '-r', 'mended'], { env })
  expect(lifted.stdout).toMatch(/^shop build 2 is held no more in staging \(hld_\w+\): revision 5 /)
  expect((await hub.as().get(MASK)).status).toBe(404)
})
