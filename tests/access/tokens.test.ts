import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { send } from '../support/raw-http.ts'
import { tarball } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const BYTES = tarball({ f: '' })

describe('making a token', () => {
  test('shows its secret once and lists it without', async () => {
    await using hub = await createTestHub()
    const made = await hub
      .as()
      .post('/api/v1/tokens')
      .send({ name: 'ci of shop', role: 'developer', apps: ['shop'], expiresIn: '90d' })
    expect(made.status).toBe(201)
    expect(made.headers['cache-control']).toBe('no-store')
    const { token, ...record } = made.body
    expect(token).toMatch(/^phub_[A-Za-z0-9_-]{43}$/)
    expect(record).toMatchObject({
      name: 'ci of shop',
      role: 'developer',
      apps: ['shop'],
      environments: null,
      createdBy: 'HUB_ADMIN_TOKEN',
      expiresAt: '2026-04-02T03:04:05Z',
    })
    const listed = (await hub.as().get('/api/v1/tokens')).body.items
    expect(listed).toContainEqual(record)
  })

  test.each([
    [{ role: 'reader' }, 400, 'request.invalid'],
    [{ name: 'x', role: 'king' }, 400, 'request.invalid'],
    [{ name: 'a\nb', role: 'reader' }, 400, 'request.invalid'],
    [{ name: 'x', role: 'reader', expiresIn: '0d' }, 400, 'request.invalid'],
    [{ name: 'x', role: 'reader', expiresIn: '1y' }, 400, 'request.invalid'],
    [{ name: 'x', role: 'node', apps: ['shop'] }, 400, 'request.invalid'],
    [{ name: 'x', role: 'enrol' }, 400, 'request.invalid'],
    [{ name: 'x', role: 'enrol', environment: 'moon' }, 404, 'environment.unknown'],
    [{ name: 'x', role: 'enrol', environment: 'staging', environments: ['staging'] }, 400, 'request.invalid'],
    [{ name: 'x', role: 'reader', environment: 'staging' }, 400, 'request.invalid'],
    [{ name: 'x', role: 'developer', environments: ['staging'] }, 400, 'request.invalid'],
    [{ name: 'x', role: 'administrator', apps: ['shop'] }, 400, 'request.invalid'],
    [{ name: 'x', role: 'node', environments: [] }, 400, 'request.invalid'],
    [{ name: 'x', role: 'node', environments: ['moon'] }, 404, 'environment.unknown'],
    [{ name: 'x', role: 'developer', apps: ['Shop'] }, 422, 'app.invalid_name'],
    [{ name: 'x', role: 'reader', more: 1 }, 400, 'request.invalid'],
  ])('of %j is refused', async (body, status, code) => {
    await using hub = await createTestHub()
    const reply = await hub.as().post('/api/v1/tokens').send(body)
    expect(reply.body).toMatchObject({ status, code })
    expect((await hub.as().get('/api/v1/tokens')).body.items).toHaveLength(1)
  })

  test('in a dry run makes none', async () => {
    await using hub = await createTestHub()
    const reply = await hub.as().post('/api/v1/tokens?dryRun=true').send({ name: 'x', role: 'reader' })
    expect(reply.body).toMatchObject({ dryRun: true, name: 'x' })
    expect(reply.body.token).toBeUndefined()
    expect((await hub.as().get('/api/v1/tokens')).body.items).toHaveLength(1)
  })

  test('that is not there is not revoked', async () => {
    await using hub = await createTestHub()
    expect((await hub.as().delete('/api/v1/tokens/tok_none')).body).toMatchObject({
      status: 404,
      code: 'token.unknown',
    })
  })
})

test('the names that roles had before are taken, and answered by those that they have now', async () => {
  await using hub = await createTestHub()
  const make = async (body: object) =>
    (
      await hub
        .as()
        .post('/api/v1/tokens')
        .send({ name: 'x', ...body })
    ).body as { role: string }
  expect(await make({ role: 'uploader', apps: ['shop'] })).toMatchObject({ role: 'developer' })
  expect(await make({ role: 'promoter', apps: ['shop'], environments: ['staging'] })).toMatchObject({
    ...{ role: 'release-manager', apps: ['shop'], environments: ['staging'] },
  })
  expect(await make({ role: 'enrol', environment: 'staging' })).toMatchObject({ environments: ['staging'] })
  const policy = { approvals: { count: 1, roles: ['promoter'] }, override: { roles: ['promoter'] } }
  expect((await hub.as().put('/api/v1/environments/production/policy').send(policy)).body).toMatchObject({
    ...{ approvals: { roles: ['release-manager'] }, override: { roles: ['release-manager'] } },
  })
})

test('an administrator’s token is of whoever made it; another stands for somebody of its own', async () => {
  await using hub = await createTestHub()
  const { id } = (await hub.as().get('/api/v1/whoami')).body
  const second = await hub.token('administrator')
  const make = async (role: string) =>
    (await hub.as(second).post('/api/v1/tokens').send({ name: 'x', role })).body as Record<string, string>
  expect(await make('administrator')).toMatchObject({ owner: id, createdBy: 'a administrator' })
  const made = await make('reader')
  expect(made).toMatchObject({ owner: made['id'], createdBy: 'a administrator' })
  expect((await hub.as(made['token']).get('/api/v1/whoami')).body).toEqual({
    ...{ kind: 'token', id: made['id'], name: 'x', role: 'reader', apps: null, environments: null },
    ...{ node: null, grants: [{ role: 'reader', apps: null, environments: null }] },
  })
})

describe('the first administrator', () => {
  test('is made at the first start, told once, and not made again', async () => {
    await using hub = await createTestHub({ HUB_ADMIN_TOKEN: 'the-first-of-all' })
    expect((await hub.as('the-first-of-all').get('/api/v1/whoami')).body.role).toBe('administrator')
    await using again = await hub.restart({ HUB_ADMIN_TOKEN: 'the-second' })
    const tokens = (await again.as('the-second').get('/api/v1/tokens')).body.items
    expect(tokens).toHaveLength(2)
    expect((await again.as('the-first-of-all').get('/api/v1/whoami')).status).toBe(401)
  })

  test('of the settings, once revoked, does not come back with the next start', async () => {
    await using hub = await createTestHub()
    await hub.as().post('/api/v1/tokens').send({ name: 'other', role: 'administrator' })
    const { id } = (await hub.as().get('/api/v1/whoami')).body
    await hub.as().delete(`/api/v1/tokens/${id}`)
    await using again = await hub.restart()
    expect((await again.as().get('/api/v1/whoami')).status).toBe(401)
  })
})

describe('what somebody sees', () => {
  async function openScene(): Promise<TestHub> {
    const hub = await createTestHub()
    await hub.upload('shop', tarball({ f: '1' }), { build: '1' })
    await hub.upload('shop', tarball({ f: '2' }), { build: '2', promote: 'false' })
    await hub.upload('desk', tarball({ f: '3' }), { build: '1' })
    await hub.promote('desk', 1, 'production')
    return hub
  }

  async function ids(hub: TestHub, token: string, path: string): Promise<readonly string[]> {
    const { body } = await hub.as(token).get(`/api/v1${path}`)
    return body.items.map(({ id }: { id: string }) => id).sort()
  }

  test('as a developer of one app is that app, wherever it is', async () => {
    await using hub = await openScene()
    const token = await hub.token('developer', { apps: ['shop'] })
    expect(await ids(hub, token, '/apps')).toEqual(['shop'])
    expect(await ids(hub, token, '/builds')).toEqual(['shop/1', 'shop/2'])
    expect(await ids(hub, token, '/environments')).toEqual(['production', 'staging'])
    const releases = (await hub.as(token).get('/api/v1/environments/staging/releases')).body.items
    expect(releases.map(({ app }: { app: string }) => app)).toEqual(['shop'])
    for (const path of ['/environments/staging/revisions', '/environments/staging/feed.atom'])
      expect((await hub.as(token).get(`/api/v1${path}`)).status, path).toBe(403)
    const promotions = (await hub.as(token).get('/api/v1/promotions')).body.items
    expect(promotions.map(({ app }: { app: string }) => app)).toEqual(['shop'])
    const ofDesk = (await hub.as().get('/api/v1/promotions?app=desk')).body.items[0].id
    expect((await hub.as(token).get(`/api/v1/promotions/${ofDesk}`)).status).toBe(404)
    for (const path of [
      '/apps/desk',
      '/apps/desk/builds',
      '/apps/desk/builds/1',
      '/apps/desk/builds/1/tarball',
    ])
      expect((await hub.as(token).get(`/api/v1${path}`)).status, path).toBe(404)
    expect((await hub.upload('desk', BYTES, {}, token)).body).toMatchObject({
      status: 403,
      code: 'auth.forbidden',
    })
  })

  test.each(['node', 'reader'])('as a %s of production is what production released', async (role) => {
    await using hub = await openScene()
    const token = await hub.token(role, { environments: ['production'] })
    expect(await ids(hub, token, '/apps')).toEqual(['desk'])
    expect(await ids(hub, token, '/builds')).toEqual(['desk/1'])
    expect(await ids(hub, token, '/environments')).toEqual(['production'])
    const { body } = await hub.as(token).get('/api/v1/promotions')
    expect(body.items.map((p: { environment: string }) => p.environment)).toEqual(['production'])
    for (const path of [
      '/apps/shop',
      '/apps/shop/builds',
      '/apps/shop/builds/1',
      '/apps/shop/builds/1/files/f',
    ])
      expect((await hub.as(token).get(`/api/v1${path}`)).status, path).toBe(404)
    expect((await hub.as(token).get('/api/v1/environments/staging/releases')).status).toBe(403)
    const shop = (await hub.as().get('/api/v1/apps/shop/builds/1')).body
    expect((await hub.as(token).get(`/api/v1/digests/${shop.tarball.sha512}`)).status).toBe(404)
    const promotion = (await hub.as().get('/api/v1/promotions?app=shop')).body.items[0].id
    expect((await hub.as(token).get(`/api/v1/promotions/${promotion}`)).status).toBe(404)
  })

  test.each(['node', 'reader'])('as a %s of production are the files of production', async (role) => {
    await using hub = await openScene()
    const token = await hub.token(role, { environments: ['production'] })
    const paths = (environment: string) => [
      `/overlays/${environment}.zip`,
      `/overlays/${environment}@1.zip`,
      `/overlays/${environment}/tree`,
      `/overlays/${environment}@1/tree/profiles/repo_name`,
      `/git/${environment}.git/info/refs?service=git-upload-pack`,
      `/distfiles/${environment}/hub-desk-0_p1.tar.gz`,
      `/distfiles/${environment}/layout.conf`,
    ]
    for (const path of paths('production')) expect((await hub.as(token).get(path)).status, path).toBe(200)
    for (const path of [...paths('staging'), ...paths('moon')]) {
      const reply = await hub.as(token).get(path)
      expect(reply.body, path).toMatchObject({ status: 403, code: 'auth.forbidden' })
    }
  })

  test.each(['administrator', 'release-manager'])('as a %s is everything', async (role) => {
    await using hub = await openScene()
    const token = await hub.token(role)
    expect(await ids(hub, token, '/builds')).toEqual(['desk/1', 'shop/1', 'shop/2'])
    expect(await ids(hub, token, '/environments')).toEqual(['production', 'staging'])
  })

  test('as a reader of one app in one environment is what became of it there', async () => {
    await using hub = await openScene()
    const token = await hub.token('reader', { apps: ['desk'], environments: ['production'] })
    expect(await ids(hub, token, '/apps')).toEqual(['desk'])
    expect(await ids(hub, token, '/builds')).toEqual(['desk/1'])
    expect(await ids(hub, token, '/environments')).toEqual(['production'])
    const { body: build } = await hub.as(token).get('/api/v1/apps/desk/builds/1')
    expect(build.releases.map((r: { environment: string }) => r.environment)).toEqual(['production'])
    const { body } = await hub.as(token).get('/api/v1/promotions')
    expect(body.items.map((p: object) => p)).toMatchObject([{ app: 'desk', environment: 'production' }])
    for (const path of ['/overlays/production.zip', '/distfiles/production/hub-desk-0_p1.tar.gz'])
      expect((await hub.as(token).get(path)).body, path).toMatchObject({ code: 'auth.forbidden' })
  })

  test('as a release manager of one app in staging, neither another app nor production can be changed', async () => {
    await using hub = await openScene()
    const token = await hub.token('release-manager', { apps: ['shop'], environments: ['staging'] })
    await hub.upload('desk', tarball({ f: '4' }), { build: '2', promote: 'false' })
    expect((await hub.promote('desk', 2, 'staging', token)).body).toMatchObject({ code: 'auth.forbidden' })
    expect((await hub.promote('shop', 1, 'production', token)).body).toMatchObject({ code: 'auth.forbidden' })
    expect((await hub.promote('shop', 2, 'staging', token)).status).toBe(201)
    const releases = (await hub.as().get('/api/v1/environments/staging/releases')).body.items
    const withdraw = async (app: string) => {
      const { id } = releases.find((release: { app: string }) => release.app === app)
      const path = `/api/v1/environments/staging/releases/${id}/withdraw`
      return (await hub.as(token).post(path).send({ reason: 'x' })).status
    }
    expect(await withdraw('desk')).toBe(403)
    expect(await withdraw('shop')).toBe(200)
    const hold = async (path: string, app: string) =>
      (await hub.as(token).post(`/api/v1${path}`).send({ app, reason: 'x' })).status
    expect(await hold('/environments/staging/holds', 'desk')).toBe(403)
    expect(await hold('/holds', 'shop')).toBe(403)
    expect(await hold('/environments/staging/holds', 'shop')).toBe(201)
    expect((await hub.as(token).get('/overlays/staging.zip')).status).toBe(403)
    expect(await ids(hub, token, '/apps')).toEqual(['shop'])
  })

  test('as a release manager of staging only, production cannot be changed', async () => {
    await using hub = await openScene()
    const token = await hub.token('release-manager', { environments: ['staging'] })
    expect((await hub.promote('shop', 1, 'production', token)).body).toMatchObject({ code: 'auth.forbidden' })
    expect((await hub.promote('shop', 2, 'staging', token)).status).toBe(201)
    const release = (await hub.as().get('/api/v1/environments/production/releases')).body.items[0].id
    const path = `/api/v1/environments/production/releases/${release}/withdraw`
    expect((await hub.as(token).post(path).send({ reason: 'x' })).status).toBe(403)
  })
})

test('no secret is in an answer, in the log or in any file of the hub', async () => {
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) })
  await using hub = await createTestHub({}, { log })
  const secrets = [ADMIN_TOKEN]
  for (const role of ['developer', 'release-manager', 'reader']) secrets.push(await hub.token(role))
  const made = await hub
    .as()
    .post('/api/v1/tokens')
    .set('Idempotency-Key', 'k')
    .send({ name: 'x', role: 'reader' })
  secrets.push(made.body.token as string)
  const answers: string[] = []
  for (const secret of secrets) {
    const basic = { Authorization: `Basic ${Buffer.from(`u:${secret}`).toString('base64')}` }
    for (const path of [
      '/api/v1/whoami',
      '/api/v1/tokens',
      '/api/v1/none',
      '/overlays/staging.zip?x=1',
      '/%',
    ])
      answers.push(
        (await send(hub.url, { path, token: secret })).text,
        (await send(hub.url, { path, token: null, headers: basic })).text,
      )
  }
  hub.hub.records.apps.find = () => Promise.reject(new Error('a fault, logged'))
  answers.push((await send(hub.url, { path: '/api/v1/apps/x', token: secrets[1] ?? '' })).text)
  await hub.hub.settled()
  const files = await everyFile(hub.directory)
  for (const secret of secrets) {
    expect(answers.join('\n')).not.toContain(secret)
    expect(lines.join('\n')).not.toContain(secret)
    expect(files.filter(({ bytes }) => bytes.includes(secret)).map(({ path }) => path)).toEqual([])
  }
  expect(lines.join('\n')).toContain('a fault, logged')
  expect(files.map(({ path }) => path)).toContain('var/hub.db-wal')
})

async function everyFile(root: string): Promise<readonly { path: string; bytes: Buffer }[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        return { path: path.slice(root.length + 1), bytes: await readFile(path) }
      }),
  )
}

test('another HUB_ADMIN_TOKEN ends the one before, and one that was revoked does not come back', async () => {
  await using hub = await createTestHub()
  await using again = await hub.restart({ HUB_ADMIN_TOKEN: 'another-administrator' })
  expect((await again.as(ADMIN_TOKEN).get('/api/v1/whoami')).status).toBe(401)
  expect((await again.as('another-administrator').get('/api/v1/whoami')).status).toBe(200)
  await using back = await again.restart({ HUB_ADMIN_TOKEN: ADMIN_TOKEN })
  expect((await back.as(ADMIN_TOKEN).get('/api/v1/whoami')).status).toBe(401)
})
