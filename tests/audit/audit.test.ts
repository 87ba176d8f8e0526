/** The audit of a whole hub: every kind of change is in it, nobody can alter it unseen, and no secret is anywhere. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CHANGES } from '../../src/audit/changes.ts'
import { tendKeys } from '../../src/jobs/tend-keys.ts'
import { queueDeliveries } from '../../src/events/deliver-event.ts'
import { cliOf, localCliOf } from '../cli/support.ts'
import { CHEAP, openBrowser, PASSWORD } from '../support/browser.ts'
import { reportOf } from '../support/node-reports.ts'
import { BINPKG, POINT, announcementOf, enrolNode, pointsOf } from '../support/restore-points.ts'
import { openIdentityProvider } from '../support/identity-provider.ts'
import { tarball } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

interface Entry {
  readonly [field: string]: unknown
  readonly seq: number
  readonly type: string
  readonly hash: string
  readonly previousHash: string
}

const DUMP = { kind: 'dump', name: 'shop.dump', bytes: Buffer.from('rows\n') } as const
const REFUSED = { kind: 'binpkg', name: BINPKG, bytes: Buffer.from('no package') } as const
const SECOND = 'rp_20260103T000000Z_aaaaaa'
const BAD = 'rp_20260104T000000Z_aaaaaa'

let hub: TestHub
const logged: string[] = []
const answers: string[] = []
const secrets: string[] = [ADMIN_TOKEN]

beforeAll(async () => {
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
  hub = await createTestHub({ HUB_IDENTITY_ALLOW: '127.0.0.1' }, { ...CHEAP, log })
  await changeEverything()
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

async function post(path: string, body: object, token?: string) {
  const reply = await hub.as(token).post(`/api/v1/${path}`).send(body)
  expect(reply.status, `${path}: ${reply.text}`).toBeLessThan(300)
  answers.push(reply.text)
  return reply.body as { readonly id: string }
}

/** Makes each kind of change at least once. */
async function changeEverything(): Promise<void> {
  const uploader = await hub.token('developer')
  secrets.push(uploader)
  for (const build of ['1', '2']) {
    const reply = await hub.upload('shop', tarball({ f: build }), { build, version: '1.0.0' }, uploader)
    expect(reply.status, reply.text).toBe(201)
  }
  await hub.as().patch('/api/v1/apps/shop').send({ description: 'A shop' })
  await post('apps/shop/builds/1/checks', { stage: 'commit', name: 'unit', status: 'passed' }, uploader)
  const approvals = { count: 2, roles: ['administrator'] }
  await hub.as().put('/api/v1/environments/production/policy').send({ approvals })
  const { id: promotion } = await post('promotions', { app: 'shop', build: 1, environment: 'production' })
  const second = await hub.tokenOf('another', 'administrator')
  secrets.push(second)
  await post(`promotions/${promotion}/approve`, {}, second)
  const override = { reason: 'the shop is down' }
  await post('promotions', { app: 'shop', build: 1, environment: 'production', override })
  const files = '/api/v1/environments/staging/files/profiles/mine'
  await hub.as().put(files).set('Content-Type', 'application/octet-stream').send(Buffer.from('x\n'))
  await hub.as().delete(files)
  const { id: hold } = await post('environments/staging/holds', { app: 'shop', reason: 'wait' })
  await post(`holds/${hold}/lift`, { reason: 'go on' })
  await post('apps/shop/builds/1/yank', { reason: 'it charges twice' })
  await post('apps/shop/builds/1/unyank', { reason: 'it does not' })
  await post('apps/shop/builds/1/pin', { reason: 'kept' })
  await post('apps/shop/builds/1/unpin', {})
  await hub.as().put('/api/v1/retention').send({ keepNewest: 50, keepDays: 90 })
  // It stands for an address that no webhook goes to.
  const made = await hub.as().post('/api/v1/webhooks').send({ url: 'http://localhost:9/secret-path' })
  const { id: webhook, secret } = made.body as { readonly id: string; readonly secret: string }
  secrets.push(secret)
  const token = await enrolNode(hub, 'web1')
  secrets.push(token)
  const points = pointsOf(hub, 'web1', token)
  for (const [id, file, encrypted] of [
    [POINT, DUMP, true],
    [SECOND, DUMP, true],
    [BAD, REFUSED, false],
  ] as const) {
    const announced = await points.announce(announcementOf([file], { id, encrypted }))
    expect(announced.status, announced.text).toBe(201)
    await points.put(file, id)
    answers.push((await points.complete(id)).text)
  }
  await hub.as().put(`/api/v1/nodes/web1/restore-points/${SECOND}/pin`)
  const removed = await hub.as().delete(`/api/v1/nodes/web1/restore-points/${POINT}?newest=true`)
  expect(removed.status, removed.text).toBe(200)
  const rehearsed = [{ restorePoint: SECOND, at: '2026-01-04T00:00:00Z', ok: true }]
  await post('nodes/web1/report', reportOf(['app-hub/shop-1.0.0_p2'], { rehearsed }), token)
  const { id: rollback } = await post('rollbacks', { node: 'web1', app: 'shop', force: true })
  await hub.as().delete(`/api/v1/rollbacks/${rollback}`)
  const wish = { environment: 'staging', app: 'shop', build: 1, reason: 'it charges twice', force: true }
  await post('rollbacks', wish)
  const release = (await hub.as().get('/api/v1/environments/staging/releases?app=shop')).body as {
    readonly items: readonly { readonly id: string }[]
  }
  await post(`environments/staging/releases/${release.items[0]?.id ?? ''}/withdraw`, { reason: 'no' })
  const old = hub.hub.overlayKeys.current.fingerprint
  await post('keys', { purpose: 'overlay' })
  await post(`keys/${old}/revoke`, { reason: 'superseded', note: 'a trial' })
  await post('keys', { purpose: 'binhost', overlap: '0s' })
  hub.clock.set('2026-01-09T03:04:05Z')
  await tendKeys(hub.hub)
  await signInAndOut()
  const { id: reader } = await post('tokens', { name: 'r', role: 'reader' })
  await hub.as().delete(`/api/v1/tokens/${reader}`)
  await hub.as().delete('/api/v1/nodes/web1')
  await queueDeliveries(hub.hub)
  const deliveries = await hub.as().get(`/api/v1/webhooks/${webhook}/deliveries`)
  answers.push(deliveries.text, (await hub.as().get('/api/v1/webhooks')).text)
  const [delivery] = (deliveries.body as { readonly items: readonly { readonly id: string }[] }).items
  await post(`webhooks/${webhook}/deliveries/${delivery?.id ?? ''}/replay`, {})
  await hub.as().patch(`/api/v1/webhooks/${webhook}`).send({ enabled: false })
  await hub.as().delete(`/api/v1/webhooks/${webhook}`)
  await publishByTrust()
}

async function publishByTrust(): Promise<void> {
  await using ci = await openIdentityProvider([hub.hub.config.publicUrl])
  const job = { sub: 'pipeline:shop' }
  const trust = { provider: 'other', issuer: ci.issuer, claims: job }
  const { id } = await post('apps/shop/trusted-publishers', trust)
  // The provider lives by the time of the day.
  hub.clock.set(new Date().toISOString())
  const identity = await ci.identity(job)
  const exchanged = await hub
    .as(null)
    .post('/api/v1/trusted-publishing/token')
    .send({ app: 'shop', identity })
  expect(exchanged.status, exchanged.text).toBe(201)
  secrets.push(identity, (exchanged.body as { token: string }).token)
  await hub.as().delete(`/api/v1/apps/shop/trusted-publishers/${id}`)
}

/** What people do, and is done to their accounts. */
async function signInAndOut(): Promise<void> {
  await post('people', { name: 'anna', grants: [{ role: 'reader' }] })
  const made = await hub.as().post('/api/v1/people/anna/link').send({})
  const { link } = made.body as { readonly link: string }
  const anna = openBrowser(hub)
  answers.push((await anna.agent.post('/api/v1/sign-in/link').send({ link })).text)
  await anna.send('put', '/api/v1/password', { password: PASSWORD })
  expect((await anna.signIn('anna', 'not the password')).status).toBe(403)
  expect((await anna.send('post', '/api/v1/sign-out')).status).toBe(200)
  await hub.as().patch('/api/v1/people/anna').send({ disabled: true })
  secrets.push(link.split('/').at(-1) ?? '', PASSWORD)
}

async function exported(): Promise<readonly Entry[]> {
  const { stdout } = await cliOf(hub)('audit', 'export')
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry)
}

describe('what is in it', () => {
  test('every kind of change that the table names', async () => {
    const seen = new Set((await exported()).map(({ type }) => type))
    expect(Object.keys(CHANGES).filter((type) => !seen.has(type))).toEqual([])
  })

  test('who changed it, from where, by which request, why, and what it was', async () => {
    const reply = await hub.as().get('/api/v1/audit?type=hold.lifted')
    expect((reply.body as { items: unknown }).items).toMatchObject([
      {
        ...{ type: 'hold.lifted', app: 'shop', environment: 'staging', reason: 'go on' },
        ...{ actor: 'HUB_ADMIN_TOKEN', actorRole: 'administrator', before: { reason: 'wait', mask: false } },
        address: expect.stringMatching(/127\.0\.0\.1$/) as string,
        requestId: expect.stringMatching(/^req_/) as string,
      },
    ])
  })

  test('what the hub does by itself, as done by the hub or on behalf of the one who caused it', async () => {
    const [first] = await exported()
    expect(first).toMatchObject({ type: 'overlay.settings_published', actor: 'hub', requestId: null })
    const promotions = await hub
      .as()
      .get('/api/v1/audit?type=promotion.requested&build=1&environment=staging')
    expect((promotions.body as { items: unknown }).items).toMatchObject([
      { actor: 'a developer', after: { requestedBy: 'policy' } },
    ])
  })

  test('a dry run and a refusal are in it as little as they change anything', async () => {
    const before = (await exported()).length
    await hub.as().post('/api/v1/holds?dryRun=true').send({ app: 'shop', reason: 'x' })
    await hub.as().post('/api/v1/holds').send({ app: 'none', reason: 'x' })
    expect(await exported()).toHaveLength(before)
  })

  test.each([
    ['app=shop&type=hold.set', 1],
    ['node=web1&type=node.enrolled', 1],
    ['actor=a%20developer&type=build.archived', 2],
    ['environment=production&type=policy.set', 1],
    ['since=2027-01-01', 0],
    ['until=2026-01-01T00:00:00Z', 0],
  ])('%s finds as many as there are', async (filter, atLeast) => {
    const reply = await hub.as().get(`/api/v1/audit?${filter}`)
    const { items } = reply.body as { readonly items: readonly Entry[] }
    if (atLeast === 0) expect(items).toEqual([])
    else expect(items.length).toBeGreaterThanOrEqual(atLeast)
  })

  test.each(['type=none', 'since=yesterday', 'build=x', 'cursor=x', 'build=1&build=2'])(
    '%s is refused',
    async (filter) => {
      const reply = await hub.as().get(`/api/v1/audit?${filter}`)
      expect(reply.status).toBeGreaterThanOrEqual(400)
      expect(reply.status).toBeLessThan(500)
    },
  )
})

describe('the chain', () => {
  test('holds, also for somebody who knows nothing but the sentence in the manual', async () => {
    const order =
      'seq id at type subject app build environment node actor actorRole actorId address requestId reason before after previousHash'
    let previous = '0'.repeat(64)
    for (const row of await exported()) {
      const text = JSON.stringify(order.split(' ').map((field) => row[field]))
      expect(row.previousHash).toBe(previous)
      expect(createHash('sha256').update(text).digest('hex')).toBe(row.hash)
      previous = row.hash
    }
  })

  test('cannot be altered by a statement that slipped in', () => {
    using file = { db: open(), [Symbol.dispose]: () => file.db.close() }
    expect(() => file.db.prepare("update audit set actor = 'Eve'").run()).toThrow('the audit only grows')
    expect(() => file.db.prepare('delete from audit where seq > 3').run()).toThrow('the audit only grows')
  })

  test('that somebody altered in the file is found by "audit verify" and by "verify"', async () => {
    const cli = cliOf(hub)
    const whole = await cli('audit', 'verify')
    expect(whole.status, whole.stderr).toBe(0)
    const head = /Head: (\S+)/.exec(whole.stdout)?.[1] ?? ''
    {
      using file = { db: open(), [Symbol.dispose]: () => file.db.close() }
      file.db.exec('drop trigger audit_no_update')
      file.db.exec("update audit set actor = 'Eve' where seq = 5")
    }
    const broken = await cli('audit', 'verify', '--head', head)
    expect(broken.status).toBe(7)
    expect(broken.stdout).toContain('record 5: it is not what it was when it was written')
    const checked = await localCliOf(hub)('verify')
    expect(checked.status).toBe(7)
    expect(checked.stdout).toContain('record 5 of the audit')
  })
})

function open() {
  return new Database(join(hub.directory, 'var/hub.db'))
}

test('no secret is in the log, in an answer after the one that showed it, in the audit or in any file', () => {
  const places = new Map<string, string>([
    ['the log', logged.join('')],
    ['answers', answers.join('')],
  ])
  for (const entry of readdirSync(hub.directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) places.set(path.slice(hub.directory.length), readFileSync(path, 'latin1'))
  }
  const found = [...places].flatMap(([place, text]) =>
    secrets.filter((secret) => text.includes(secret)).map(() => place),
  )
  expect(logged.length).toBeGreaterThan(20)
  expect(secrets).toHaveLength(9)
  expect(found).toEqual([])
})
