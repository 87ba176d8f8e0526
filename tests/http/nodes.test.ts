/** `/nodes`: from an enrolment token to a machine that the hub knows, and what it is told by it. */
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../git/support.ts'
import { gpgWith } from '../support/gpg.ts'
import { tarball } from '../support/tarballs.ts'
import { COMMIT, packageOf, reportOf } from '../support/node-reports.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const MACHINE = '0123456789abcdef'.repeat(2)

async function enrolToken(hub: TestHub, scope: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return await hub.token('enrol', { environments: ['staging'], ...scope })
}

async function post(hub: TestHub, token: string | undefined, body: Readonly<Record<string, unknown>>) {
  return await hub
    .as(token)
    .post('/api/v1/nodes')
    .send({ environment: 'staging', ...body })
}

/** Enrols a node and gives its token. */
async function enrol(
  hub: TestHub,
  name: string,
  body: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const reply = await post(hub, undefined, { name, ...body })
  if (reply.status !== 201) throw new Error(reply.text)
  return (reply.body as { token: string }).token
}

async function report(hub: TestHub, name: string, token: string, body: unknown) {
  return await hub
    .as(token)
    .post(`/api/v1/nodes/${name}/report`)
    .send(body as object)
}

async function upload(hub: TestHub, build: number, version = '1.0.0'): Promise<void> {
  const bytes = tarball({ 'shop/run': String(build) })
  const reply = await hub.upload('shop', bytes, { build: String(build), version })
  if (reply.status !== 201) throw new Error(reply.text)
}

describe('enrolment', () => {
  test('makes a node and its token, by an administrator or by a token that is good for one', async () => {
    await using hub = await createTestHub()
    const secret = await enrolToken(hub)
    const reply = await post(hub, secret, { name: 'web1', machineId: MACHINE })
    expect(reply.status, reply.text).toBe(201)
    expect(reply.headers).toMatchObject({ location: '/api/v1/nodes/web1', 'cache-control': 'no-store' })
    expect(reply.body.node).toEqual({
      ...{ id: 'web1', name: 'web1', environment: 'staging', state: 'enrolled', machineId: MACHINE },
      ...{ enrolledBy: 'a enrol', enrolledAt: '2026-01-02T03:04:05Z', leftAt: null },
      ...{ reportedAt: null, syncedCommit: null },
    })
    const token = (reply.body as { token: string }).token
    const whoami = (await hub.as(token).get('/api/v1/whoami')).body
    expect(whoami).toMatchObject({ role: 'node', node: 'web1', environments: ['staging'] })
    const again = await post(hub, secret, { name: 'web2' })
    expect(again.body).toMatchObject({ status: 401, code: 'auth.invalid' })
    expect((await post(hub, undefined, { name: 'web2' })).status).toBe(201)
  })

  test('of two at once with one token succeeds once', async () => {
    await using hub = await createTestHub()
    const secret = await enrolToken(hub)
    const replies = await Promise.all(['web1', 'web2', 'web3'].map((name) => post(hub, secret, { name })))
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 401, 401])
    expect((await hub.as().get('/api/v1/nodes')).body.items).toHaveLength(1)
  })

  test('that is refused leaves the token good', async () => {
    await using hub = await createTestHub()
    await enrol(hub, 'web1')
    const secret = await enrolToken(hub)
    const refusals = [
      await post(hub, secret, { name: 'web1' }),
      await post(hub, secret, { name: 'web2', environment: 'production' }),
      await post(hub, secret, { name: 'web 2' }),
      await post(hub, secret, { name: 'web2', machineId: 'x' }),
    ]
    expect(refusals.map(({ body }) => body.code as string)).toEqual([
      'node.exists',
      'auth.forbidden',
      'node.invalid_name',
      'request.invalid',
    ])
    const tried = await hub
      .as(secret)
      .post('/api/v1/nodes?dryRun=true')
      .send({ name: 'web2', environment: 'staging' })
    expect(tried.body).toMatchObject({ dryRun: true, node: { name: 'web2' } })
    expect(tried.body).not.toHaveProperty('token')
    expect((await post(hub, secret, { name: 'web2' })).status).toBe(201)
  })

  test('a token for one node enrols no other; an unknown environment is none', async () => {
    await using hub = await createTestHub()
    const bound = await enrolToken(hub, { node: 'web1' })
    expect((await post(hub, bound, { name: 'web2' })).body.code).toBe('auth.forbidden')
    expect((await post(hub, bound, { name: 'web1' })).status).toBe(201)
    expect((await post(hub, undefined, { name: 'x', environment: 'none' })).body.code).toBe(
      'environment.unknown',
    )
  })

  test.each([
    [{ role: 'enrol' }],
    [{ role: 'enrol', environments: ['staging', 'production'] }],
    [{ role: 'enrol', environments: ['staging'], node: '../x' }],
    [{ role: 'reader', node: 'web1' }],
    [{ role: 'node', environments: ['staging'], node: 'web1' }],
  ])('no token can be made of %j', async (body) => {
    await using hub = await createTestHub()
    const reply = await hub
      .as()
      .post('/api/v1/tokens')
      .send({ name: 'x', ...body })
    expect(reply.status).toBeGreaterThanOrEqual(400)
    expect(reply.status).toBeLessThan(500)
  })

  test('a name that was another machine’s goes to nobody who only may enrol: its restore points would go along', async () => {
    await using hub = await createTestHub()
    await enrol(hub, 'web1', { machineId: MACHINE })
    await hub.as().delete('/api/v1/nodes/web1')
    const secret = await enrolToken(hub)
    const other = await post(hub, secret, { name: 'web1', machineId: 'f'.repeat(32) })
    expect(other.body.code).toBe('node.exists')
    expect((await post(hub, secret, { name: 'web1' })).body.code).toBe('node.exists')
    expect((await post(hub, secret, { name: 'web1', machineId: MACHINE })).status).toBe(201)
    await hub.as().delete('/api/v1/nodes/web1')
    expect((await post(hub, await enrolToken(hub, { node: 'web1' }), { name: 'web1' })).status).toBe(201)
    await hub.as().delete('/api/v1/nodes/web1')
    expect((await post(hub, undefined, { name: 'web1' })).status).toBe(201)
  })

  test.each([
    '',
    'Web1',
    '-web',
    'web-',
    '.x',
    'a/b',
    '../x',
    'web1\n',
    'é',
    'a'.repeat(64),
    "x';id",
    '$(id)',
    '%s',
  ])('the name %j is refused, and nothing is left', async (name) => {
    await using hub = await createTestHub()
    const reply = await post(hub, undefined, { name })
    expect(reply.body).toMatchObject({ status: 422, code: 'node.invalid_name' })
    expect((await hub.as().get('/api/v1/nodes')).body.items).toEqual([])
    expect((await hub.as().get('/api/v1/tokens')).body.items).toHaveLength(1)
  })

  test('a repeated request with an Idempotency-Key gets its node again, but no second look at the token', async () => {
    await using hub = await createTestHub()
    const ask = async () =>
      await hub
        .as()
        .post('/api/v1/nodes')
        .set('Idempotency-Key', 'k')
        .send({ name: 'web1', environment: 'staging' })
    expect((await ask()).body.token).toMatch(/^phub_/)
    expect(await ask()).toMatchObject({ status: 201, body: { node: { name: 'web1' }, token: null } })
  })
})

describe('an enrolment token', () => {
  test.each([
    'GET /apps',
    'GET /builds',
    'GET /environments',
    'GET /promotions',
    'GET /nodes',
    'GET /nodes/web1',
  ])('may not %s', async (call) => {
    await using hub = await createTestHub()
    const [, path = ''] = call.split(' ')
    const reply = await hub.as(await enrolToken(hub)).get(`/api/v1${path}`)
    expect(reply.body).toMatchObject({ status: 403, code: 'auth.forbidden' })
  })
})

describe('a node', () => {
  test('acts for itself and for no other', async () => {
    await using hub = await createTestHub()
    const [first] = [await enrol(hub, 'web1'), await enrol(hub, 'web2')]
    const as = hub.as(first)
    const own = [
      (await report(hub, 'web1', first, reportOf([]))).status,
      (await as.get('/api/v1/nodes/web1')).status,
      (await as.get('/nodes/web1/etc/portage/hub/hub-node.json')).status,
      (await as.get('/overlays/staging.zip')).status,
    ]
    expect(own).toEqual([200, 200, 200, 200])
    const others = [
      await report(hub, 'web2', first, reportOf([])),
      await as.get('/api/v1/nodes/web2'),
      await as.get('/api/v1/nodes/none'),
      await as.delete('/api/v1/nodes/web2'),
      await as.get('/nodes/web2/etc/portage/hub/hub-node.json'),
      await as.get('/overlays/production.zip'),
    ]
    expect(others.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 403])
    expect((await as.get('/api/v1/nodes')).body.items.map(({ name }: { name: string }) => name)).toEqual([
      'web1',
    ])
  })

  test('that leaves has a dead token, and its records stay', async () => {
    await using hub = await createTestHub()
    const token = await enrol(hub, 'web1')
    await upload(hub, 45)
    await report(hub, 'web1', token, reportOf(['app-hub/shop-1.0.0_p45']))
    expect((await hub.as(token).delete('/api/v1/nodes/web1?dryRun=true')).body).toMatchObject({
      dryRun: true,
    })
    expect((await hub.as(token).delete('/api/v1/nodes/web1')).body).toMatchObject({ state: 'left' })
    expect((await hub.as(token).get('/api/v1/whoami')).body.code).toBe('auth.invalid')
    hub.clock.set('2026-01-05T00:00:00Z')
    const node = (await hub.as().delete('/api/v1/nodes/web1')).body
    expect(node.leftAt).toBe('2026-01-02T03:04:05Z')
    const shown = (await hub.as().get('/api/v1/nodes/web1')).body
    expect(shown).toMatchObject({ state: 'left', notSeenSince: null, packages: [{ app: 'shop' }] })
    const late = await hub.as().post('/api/v1/nodes/web1/report').send(reportOf([]))
    expect(late.body.code).toBe('node.left')
    for (const [state, count] of [
      ['left', 1],
      ['enrolled', 0],
    ] as const)
      expect((await hub.as().get(`/api/v1/nodes?state=${state}`)).body.items).toHaveLength(count)
  })

  test('copied to another machine is refused there', async () => {
    await using hub = await createTestHub()
    const token = await enrol(hub, 'web1', { machineId: MACHINE })
    const same = await report(hub, 'web1', token, reportOf([], { machineId: MACHINE }))
    expect(same.body).toEqual({ accepted: true })
    const copy = await report(hub, 'web1', token, reportOf([], { machineId: 'f'.repeat(32) }))
    expect(copy.body).toMatchObject({ status: 409, code: 'node.cloned' })
  })

  test('that is not there is unknown to who may see it', async () => {
    await using hub = await createTestHub()
    for (const reply of [
      await hub.as().get('/api/v1/nodes/none'),
      await hub.as().delete('/api/v1/nodes/none'),
      await hub.as().post('/api/v1/nodes/none/report').send(reportOf([])),
    ])
      expect(reply.body).toMatchObject({ status: 404, code: 'node.unknown' })
  })
})

describe('a report', () => {
  test('is an event when what the node runs changed, and only then', async () => {
    await using hub = await createTestHub()
    for (const build of [45, 46]) await upload(hub, build)
    const token = await enrol(hub, 'web1')
    const send = async (cpvs: readonly string[], repo = 'hub-staging') => {
      const packages = cpvs.map((cpv) => packageOf(cpv, { repo }))
      const sent = await report(hub, 'web1', token, reportOf([], { packages }))
      expect(sent.status, sent.text).toBe(200)
    }
    const changes = async () => {
      const { body } = await hub.as().get('/api/v1/audit?type=node.changed')
      const { items } = body as { items: { before: unknown; after: unknown; actor: string }[] }
      return items.toReversed().map(({ before, after }) => [before, after])
    }
    const [old, wanted] = ['app-hub/shop-1.0.0_p45', 'app-hub/shop-1.0.0_p46']
    await send([])
    await send(['sys-apps/portage-3.0.82'])
    expect(await changes()).toEqual([])
    for (const _again of [1, 2]) await send([old])
    // That something newer stands there is told by its release.
    for (const _again of [1, 2]) await send([wanted, 'sys-apps/portage-3.0.82'])
    await send([wanted], 'elsewhere')
    await send([])
    const nothing = { packages: [], drifted: false }
    const behind = { packages: [old], drifted: true }
    const right = { packages: [wanted], drifted: false }
    const foreign = { packages: [wanted], drifted: true }
    expect(await changes()).toEqual([
      [nothing, behind],
      [behind, right],
      [right, foreign],
      [foreign, nothing],
    ])
    const dry = reportOf([], { packages: [packageOf(old)] })
    await hub.as(token).post('/api/v1/nodes/web1/report?dryRun=true').send(dry)
    expect(await changes()).toHaveLength(4)
  })

  test('tells what is wanted, what runs, and where the two part', async () => {
    await using hub = await createTestHub()
    await upload(hub, 45)
    await upload(hub, 46)
    const token = await enrol(hub, 'web1')
    const restorePoint = 'rp_20260102T030000Z_k3j9x2'
    const packages = [
      packageOf('app-hub/shop-1.0.0_p45', { binpkgBuildId: 1, restorePoint }),
      packageOf('acct-user/shop-0'),
    ]
    expect((await report(hub, 'web1', token, reportOf([], { packages }))).body).toEqual({ accepted: true })
    hub.clock.set('2026-01-02T06:00:00Z')
    const changed = [packages[0], packageOf('app-hub/new-1_p1')]
    await report(hub, 'web1', token, reportOf([], { packages: changed }))
    const shown = (await hub.as().get('/api/v1/nodes/web1')).body
    expect(shown).toMatchObject({
      ...{ reportedAt: '2026-01-02T06:00:00Z', syncedCommit: COMMIT, notSeenSince: null, drifted: true },
      report: { portage: '3.0.82', configPending: ['/etc/shop/._cfg0000_shop.toml'] },
    })
    expect(shown.packages).toEqual([
      {
        ...{ app: null, wanted: null, drifted: false, reasons: [], changedFiles: null },
        reported: {
          ...{ cpv: 'app-hub/new-1_p1', build: null, repository: 'hub-staging', binpkgBuildId: null },
          ...{ restorePoint: null, since: '2026-01-02T06:00:00Z' },
        },
      },
      {
        ...{ app: 'shop', wanted: { cpv: 'app-hub/shop-1.0.0_p46', build: 46 }, drifted: true },
        reasons: [{ code: 'behind', detail: '1.0.0_p46 is released' }],
        changedFiles: null,
        reported: {
          ...{ cpv: 'app-hub/shop-1.0.0_p45', build: 45, repository: 'hub-staging', binpkgBuildId: 1 },
          ...{ restorePoint, since: '2026-01-02T03:04:05Z' },
        },
      },
    ])
  })

  test('that does not come is missed', async () => {
    await using hub = await createTestHub()
    await enrol(hub, 'web1')
    hub.clock.set('2026-01-03T03:04:05Z')
    expect((await hub.as().get('/api/v1/nodes/web1')).body.notSeenSince).toBeNull()
    hub.clock.set('2026-01-03T03:04:06Z')
    expect((await hub.as().get('/api/v1/nodes/web1')).body.notSeenSince).toBe('2026-01-02T03:04:05Z')
  })

  const HOSTILE: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ['a package that is none', { packages: [packageOf('no package')] }],
    ['a package without a version', { packages: [packageOf('app-hub/shop')] }],
    ['a name with an escape', { packages: [packageOf('app-hub/shop-1.0\u001b[2J')] }],
    ['a package twice', { packages: [packageOf('app-hub/shop-1'), packageOf('app-hub/shop-1')] }],
    [
      'too many packages',
      { packages: Array.from({ length: 2001 }, (_, at) => packageOf(`a/b-${String(at)}`)) },
    ],
    ['a relative path', { configPending: ['etc/x'] }],
    ['a path with a line end', { configPending: ['/etc/x\ny'] }],
    ['a text that reorders', { portage: '3.0\u202e' }],
    ['a long text', { portage: 'x'.repeat(101) }],
    ['a commit that is none', { sync: { at: null, revision: null, commit: 'HEAD' } }],
    ['a restore point that is none', { packages: [packageOf('a/b-1', { restorePoint: '../../x' })] }],
    ['a number that is none', { disk: [{ path: '/', freeBytes: -1, totalBytes: 1.5 }] }],
    ['a tree in a rehearsal', { rehearsed: [{ a: { b: [1] } }] }],
    ['no packages at all', { packages: null }],
  ]
  test.each(HOSTILE)('with %s is refused and changes nothing', async (_what, change) => {
    await using hub = await createTestHub()
    const token = await enrol(hub, 'web1')
    const reply = await report(hub, 'web1', token, reportOf([], change))
    expect(reply.body, reply.text.slice(0, 300)).toMatchObject({ status: 400, code: 'request.invalid' })
    expect((await hub.as().get('/api/v1/nodes/web1')).body).toMatchObject({ reportedAt: null, packages: [] })
  })

  test('of more than a megabyte is not read', async () => {
    await using hub = await createTestHub()
    const token = await enrol(hub, 'web1')
    const reply = await report(hub, 'web1', token, reportOf([], { portage: 'x'.repeat(2 ** 20) }))
    expect(reply.body).toMatchObject({ status: 413, code: 'request.too_large' })
  })

  test('may say more than this hub knows', async () => {
    await using hub = await createTestHub()
    const token = await enrol(hub, 'web1')
    expect((await report(hub, 'web1', token, reportOf([], { later: [1] }))).status).toBe(200)
    const dry = await hub
      .as(token)
      .post('/api/v1/nodes/web1/report?dryRun=true')
      .send(reportOf(['a/b-1']))
    expect(dry.body).toEqual({ accepted: true, dryRun: true })
    expect((await hub.as().get('/api/v1/nodes/web1')).body.packages).toEqual([])
  })
})

test('the inventory is paged, by environment, and shows a reader its environments', async () => {
  await using hub = await createTestHub()
  for (const name of ['c', 'a', 'b']) await enrol(hub, name)
  await enrol(hub, 'p', { environment: 'production' })
  const names = async (path: string, token?: string) =>
    (await hub.as(token).get(path)).body.items.map(({ name }: { name: string }) => name) as string[]
  const first = await hub.as().get('/api/v1/nodes?environment=staging&limit=2')
  expect(first.body).toMatchObject({ items: [{ name: 'a' }, { name: 'b' }], nextCursor: 'b' })
  expect(first.headers['link']).toContain('cursor=b')
  expect(await names('/api/v1/nodes?environment=staging&limit=2&cursor=b')).toEqual(['c'])
  expect(await names('/api/v1/nodes')).toEqual(['a', 'b', 'c', 'p'])
  const reader = await hub.token('reader', { environments: ['production'] })
  expect(await names('/api/v1/nodes', reader)).toEqual(['p'])
  expect((await hub.as(reader).get('/api/v1/nodes?environment=staging')).status).toBe(403)
  expect((await hub.as(reader).get('/api/v1/nodes/a')).status).toBe(403)
  expect((await hub.as().get('/api/v1/nodes?environment=none')).body.code).toBe('environment.unknown')
  expect((await hub.as().get('/api/v1/nodes?state=x')).body.code).toBe('request.invalid')
})

describe('what a node fetches', () => {
  test('is its own settings', async () => {
    await using hub = await createTestHub()
    await upload(hub, 45)
    const token = await enrol(hub, 'web1')
    const get = async (path: string) => await hub.as(token).get(`/nodes/web1/etc/portage/${path}`)
    expect(JSON.parse((await get('hub/hub-node.json')).text)).toEqual({
      ...{ hub: hub.url, node: 'web1', environment: 'staging', overlay: 'hub-staging' },
      ...{ categories: ['app-hub'], encryptTo: [] },
    })
    expect((await get('repos.conf/portage-hub.conf')).text).toContain(
      `sync-uri = ${hub.url}/git/staging.git\n`,
    )
    expect((await get('binrepos.conf/portage-hub.conf')).text).toContain(
      `sync-uri = ${hub.url}/binhost/nodes/web1\n`,
    )
    expect((await get('hub/hub.asc')).text).toBe(hub.hub.overlayKeys.publicKeys)
    for (const path of ['hub/.netrc', 'hub/__proto__', '../passwd', 'make.conf'])
      expect((await get(path)).body.code).toBe('request.unknown_route')
  })

  test('begins with a script that knows the hub’s address and keys, and no token', async () => {
    await using hub = await createTestHub()
    const script = await hub.as(null).get('/enroll.sh')
    expect(script.status).toBe(200)
    expect(script.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(script.text).toContain(`\nhub='${hub.url}'\n`)
    expect(script.text).toContain(`\nhub_keys='${hub.hub.overlayKeys.current.fingerprint}'\n`)
    expect(script.text).not.toMatch(/@[A-Z_]+@/)
    const signed = await hub.as(null).get('/enroll.sh.asc').buffer(true)
    expect(signed.headers['content-type']).toBe('application/pgp-signature')
    await using folder = await temporaryFolder()
    const gpg = gpgWith(folder.path, hub.hub.overlayKeys.publicKeys)
    expect(gpg.verify(signed.text, Buffer.from(script.text))).toBe(true)
    expect(gpg.verify(signed.text, Buffer.from(`${script.text}#`))).toBe(false)
    // Whoever asks again and again makes the hub sign once.
    expect((await hub.as(null).get('/enroll.sh.asc').buffer(true)).text).toBe(signed.text)
  })
})
