import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Migration } from 'kysely/migration'
import { describe, expect, test } from 'vitest'
import { openSqlite } from '../../src/records/database.ts'
import { migrate } from '../../src/records/migrate.ts'
import { Records } from '../../src/records/records.ts'
import type { BuildRow } from '../../src/records/builds.ts'
import type { TokenRow } from '../../src/records/tokens.ts'
import type { ReleaseRow } from '../../src/records/releases.ts'
import type { DeliveryRow, WebhookRow } from '../../src/records/webhooks.ts'

const MIGRATIONS = new URL('../../migrations/', import.meta.url)

async function openRecords(): Promise<Records> {
  const db = openSqlite(':memory:')
  await migrate(db)
  return new Records(db)
}

function build(app: string, number: number, change: Partial<BuildRow> = {}): BuildRow {
  const pv = `0_p${String(number)}`
  const digest = (length: number) => `${app.length.toString(16)}${String(number)}`.padEnd(length, '0')
  return {
    ...{ app, build: number, semver: null, category: 'app-hub', pn: app, pv },
    ...{ distfileName: `hub-${app}-${pv}.tar.gz`, format: 'tar.gz', topDirectory: null, entryCount: 1 },
    ...{ unpackedBytes: 1, sizeBytes: 1, blake2b: digest(128), sha512: digest(128), sha256: digest(64) },
    ...{ recipe: '{}', recipeSource: 'default', ebuildOid: 'e'.repeat(40), cacheOid: null, commitId: null },
    ...{ branch: null, ciUrl: null, uploadedBy: 'ci', receivedAt: '2026-01-02T03:04:05Z' },
    ...change,
  }
}

function release(id: string, app: string, number: number, change: Partial<ReleaseRow> = {}): ReleaseRow {
  return {
    ...{ id, environment: 'staging', app, build: number, state: 'released', releasedBy: 'policy' },
    ...{ releasedAt: '2026-01-02T03:04:05Z', revision: 1, withdrawnBy: null, withdrawnAt: null },
    ...{ withdrawnRevision: null, reason: null },
    ...change,
  }
}

async function withApps(...apps: readonly string[]): Promise<Records> {
  const records = await openRecords()
  for (const name of apps)
    await records.apps.ensure({ name, category: 'app-hub', versionPolicy: '{}', createdAt: 'x' })
  return records
}

const FIRST_PAGE = { limit: 50, cursor: null }

describe('builds', () => {
  test('have a number once in an app, and a distfile’s name once in the hub', async () => {
    await using records = await withApps('shop', 'desk')
    await records.builds.add(build('shop', 1))
    await expect(records.builds.add(build('shop', 1))).rejects.toThrow(/UNIQUE/)
    const sameName = build('desk', 1, { distfileName: 'hub-shop-0_p1.tar.gz' })
    await expect(records.builds.add(sameName)).rejects.toThrow(/UNIQUE/)
  })

  test('belong to an app that is there', async () => {
    await using records = await openRecords()
    await expect(records.builds.add(build('shop', 1))).rejects.toThrow(/FOREIGN KEY/)
  })

  test('are all given, app by app, also where there are more than one reading takes', async () => {
    await using records = await withApps('a', 'b')
    await records.transaction(async (inside) => {
      for (let number = 1; number <= 1100; number++) await inside.builds.add(build('a', number))
      await inside.builds.add(build('b', 1))
    })
    const all: BuildRow[] = []
    for await (const row of records.builds.all()) all.push(row)
    expect(all).toHaveLength(1101)
    expect(all.at(-1)).toMatchObject({ app: 'b', build: 1 })
  })

  test('of nobody’s apps and of no environment are none', async () => {
    await using records = await withApps('shop')
    await records.builds.add(build('shop', 1))
    const none = { items: [], nextCursor: null }
    expect(await records.builds.list({ sight: [{ apps: [], environments: null }] }, FIRST_PAGE)).toEqual(none)
    expect(await records.builds.list({ sight: [{ apps: null, environments: [] }] }, FIRST_PAGE)).toEqual(none)
    expect(await records.apps.list({ ...FIRST_PAGE, search: null, names: [] })).toEqual(none)
    expect(await records.releases.appsOf([])).toEqual([])
    expect(
      await records.promotions.list({ app: null, environment: null, sight: [], open: null }, FIRST_PAGE),
    ).toEqual(none)
  })
})

test('the last number of an app only rises', async () => {
  await using records = await withApps('shop')
  for (const number of [5, 3, 7, 1]) await records.apps.raiseLastBuild('shop', number)
  expect((await records.apps.find('shop'))?.lastBuild).toBe(7)
})

test('a transaction that fails keeps none of its rows', async () => {
  await using records = await withApps('shop')
  const work = records.transaction(async (inside) => {
    await inside.builds.add(build('shop', 1))
    throw new Error('halfway')
  })
  await expect(work).rejects.toThrow('halfway')
  expect(await records.builds.find('shop', 1)).toBeUndefined()
  await records.transaction(async (inside) => {
    await inside.builds.add(build('shop', 1))
  })
  expect(await records.builds.find('shop', 1)).toBeDefined()
})

describe('releases', () => {
  test('of one build live once in an environment, whatever two requests believe', async () => {
    await using records = await withApps('shop')
    await records.builds.add(build('shop', 1))
    await records.releases.add(release('rel_1', 'shop', 1))
    await expect(records.releases.add(release('rel_2', 'shop', 1))).rejects.toThrow(/UNIQUE/)
    await records.releases.add(release('rel_3', 'shop', 1, { environment: 'production' }))
    const withdrawal = { withdrawnBy: 'ada', withdrawnAt: 'x', withdrawnRevision: 2, reason: 'bad' }
    await records.releases.withdraw('rel_1', withdrawal)
    await records.releases.add(release('rel_4', 'shop', 1))
    expect((await records.releases.living('staging', 'shop', 1))?.id).toBe('rel_4')
  })

  test('that were withdrawn and came back are not withdrawn', async () => {
    await using records = await withApps('shop')
    for (const number of [1, 2]) await records.builds.add(build('shop', number))
    await records.releases.add(release('rel_1', 'shop', 1, { state: 'withdrawn' }))
    await records.releases.add(release('rel_2', 'shop', 2, { state: 'withdrawn' }))
    await records.releases.add(release('rel_3', 'shop', 1))
    expect((await records.releases.withdrawn('staging')).map((row) => row.build)).toEqual([2])
    const states = (await records.releases.buildsOf('staging', 'shop')).map((row) => [row.build, row.state])
    expect(Object.fromEntries(states)).toEqual({ 1: 'released', 2: 'withdrawn' })
  })
})

describe('the overlay’s history', () => {
  const revision = (number: number) => ({
    ...{ environment: 'staging', number, commitOid: `c${String(number)}`, treeOid: 't', parentOid: null },
    ...{ timeSec: 0, authorName: 'a', authorEmail: 'a', message: 'm', signature: 's' },
  })
  const change = (path: string, oid: string | null) => ({ path, oid, byHand: false })

  test('gives the tree of every revision, and what was there before', async () => {
    await using records = await openRecords()
    await records.overlays.addRevision(revision(1), [change('a', '1'), change('b', '1')])
    await records.overlays.addRevision(revision(2), [change('a', '2')])
    await records.overlays.addRevision(revision(3), [change('a', null), change('c', '3')])
    const at = async (number: number) => Object.fromEntries(await records.overlays.filesAt('staging', number))
    expect(await at(1)).toEqual({ a: '1', b: '1' })
    expect(await at(2)).toEqual({ a: '2', b: '1' })
    expect(await at(3)).toEqual({ b: '1', c: '3' })
    expect(await at(0)).toEqual({})
    const newest = await records.overlays.files('staging')
    expect(newest.map(({ path, oid }) => [path, oid]).sort()).toEqual([['b', '1'], ['c', '3']]) // prettier-ignore
    expect(await records.overlays.oidBefore('staging', 'a', 2)).toBe('1')
    expect(await records.overlays.oidBefore('staging', 'a', 1)).toBeUndefined()
    expect(await records.overlays.oidBefore('staging', 'c', 3)).toBeUndefined()
  })

  test('keeps a text once', async () => {
    await using records = await openRecords()
    await records.overlays.addBlob('x', Buffer.from([0, 255]))
    await records.overlays.addBlob('x', Buffer.from([0, 255]))
    expect(await records.overlays.findBlob('x')).toEqual(Buffer.from([0, 255]))
    expect(await records.overlays.findBlob('y')).toBeUndefined()
  })

  test('takes a revision of many files', async () => {
    await using records = await openRecords()
    const many = Array.from({ length: 1300 }, (_, index) => change(`f${String(index)}`, 'x'))
    await records.overlays.addRevision(revision(1), many)
    expect(await records.overlays.changesOf('staging', 1)).toHaveLength(1300)
    expect(await records.overlays.files('staging')).toHaveLength(1300)
  })
})

describe('the database', () => {
  async function temporaryFile(): Promise<{ path: string } & AsyncDisposable> {
    const folder = await mkdtemp(join(tmpdir(), 'portage-hub-db-'))
    return {
      path: join(folder, 'var', 'hub.db'),
      async [Symbol.asyncDispose]() {
        await rm(folder, { recursive: true })
      },
    }
  }

  test('is brought up to date once; a second start finds nothing to do', async () => {
    await using file = await temporaryFile()
    for (let start = 0; start < 2; start++) {
      const db = openSqlite(file.path)
      await migrate(db)
      await db.destroy()
    }
    using raw = closing(new Database(file.path))
    const applied = raw.database.prepare('select name from kysely_migration order by name').pluck().all()
    expect(applied.map((name) => `${String(name)}.ts`)).toEqual(readdirSync(MIGRATIONS).sort())
    expect(raw.database.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(raw.database.pragma('integrity_check', { simple: true })).toBe('ok')
  })

  test('keeps its tokens when these learn of nodes', async () => {
    const db = openSqlite(':memory:')
    for (const name of ['0001-main-job', '0002-partial-uploads', '0003-large-archives'])
      await ((await import(new URL(`${name}.ts`, MIGRATIONS).href)) as Migration).up(db)
    const token = {
      ...{ id: 'tok_1', name: 'ci', role: 'uploader', apps: '["shop"]', environments: null },
      ...{ maySendCommands: 1, secretSha256: 'a'.repeat(64), createdBy: 'x' },
      ...{ createdAt: '2026-01-02T03:04:05Z', expiresAt: '2027-01-02T03:04:05Z', revokedAt: null },
    }
    await db
      .insertInto('tokens')
      .values(token as TokenRow)
      .execute()
    await ((await import(new URL('0004-nodes.ts', MIGRATIONS).href)) as Migration).up(db)
    await using records = new Records(db)
    expect(await records.tokens.find('tok_1')).toEqual({ ...token, node: null })
    await expect(records.tokens.add({ ...token, id: 'tok_2', node: null } as TokenRow)).rejects.toThrow(
      /UNIQUE/,
    )
    const bound = { ...token, id: 'tok_3', secretSha256: 'b'.repeat(64), node: 'web1' }
    await expect(records.tokens.add(bound as TokenRow)).rejects.toThrow(/CHECK/)
  })

  test('gets the present names of roles, and who is behind tokens, requests and approvals', async () => {
    const db = openSqlite(':memory:')
    for (const name of readdirSync(MIGRATIONS).sort())
      if (name < '0019') await ((await import(new URL(name, MIGRATIONS).href)) as Migration).up(db)
    const insert = async (table: string, row: object) =>
      await db
        .insertInto(table as 'tokens')
        .values(row as TokenRow)
        .execute()
    const at = '2026-01-02T03:04:05Z'
    const token = { createdBy: 'x', createdAt: at, maySendCommands: 1, apps: null, environments: null }
    for (const [id, name, role] of [
      ['tok_1', 'ci', 'uploader'],
      ['tok_2', 'ada', 'promoter'],
      ['tok_3', 'ada', 'administrator'],
    ] as const)
      await insert('tokens', { ...token, id, name, role, secretSha256: id })
    await insert('apps', { name: 'shop', category: 'a', versionPolicy: '{}', lastBuild: 1, createdAt: at })
    await insert('builds', { ...build('shop', 1), uploadedBy: 'ci' })
    const asked = { app: 'shop', build: 1, environment: 'staging', state: 'refused', liftWithdrawal: 0 }
    await insert('promotions', { ...asked, id: 'pro_1', requestedBy: 'policy', requestedAt: at })
    const byAda = { ...asked, requestedBy: 'ada', requestedWith: 'tok_3', requestedAt: at }
    await insert('promotions', { ...byAda, id: 'pro_2', overrideReason: 'now', overrideBy: 'ada' })
    const approval = { promotion: 'pro_1', by: 'ada', role: 'promoter', policyVersion: 1, at }
    await insert('approvals', { ...approval, id: 'apr_1', tokenId: 'tok_2' })
    const body = {
      approvals: { count: 1, roles: ['promoter', 'approver'] },
      override: { roles: ['promoter'] },
    }
    await insert('policies', {
      environment: 'staging',
      version: 1,
      body: JSON.stringify(body),
      setBy: 'x',
      setAt: at,
    })
    const entry = { seq: 1, id: 'aud_1', at, type: 'policy.set', subject: 'staging', actor: 'ada' }
    const told = {
      ...entry,
      actorRole: 'promoter',
      after: JSON.stringify(body),
      previousHash: '0',
      hash: '1',
    }
    await insert('audit', { ...told, tokenId: 'tok_2' })

    await ((await import(new URL('0019-roles.ts', MIGRATIONS).href)) as Migration).up(db)
    await using records = new Records(db)
    const tokens = (await records.tokens.list({ limit: 9, cursor: null })).items
    expect(tokens.map(({ role, owner }) => `${role} ${owner}`)).toEqual([
      ...['developer tok_1', 'release-manager tok_2', 'administrator tok_2'],
    ])
    expect(await records.promotions.find('pro_1')).toMatchObject({
      requestedOwner: 'tok_1',
      overrideOwner: null,
    })
    expect(await records.promotions.find('pro_2')).toMatchObject({
      ...{ requestedOwner: 'tok_2', overrideOwner: 'tok_2' },
    })
    expect(await records.approvals.of('pro_1')).toMatchObject([
      { approver: 'tok_2', owner: 'tok_2', role: 'release-manager' },
    ])
    expect(JSON.parse((await records.policies.newest('staging'))?.body ?? '')).toEqual({
      ...{ approvals: { count: 1, roles: ['release-manager', 'approver'] } },
      override: { roles: ['release-manager'] },
    })
    // What was said stays said.
    expect(await records.audit.after(0, 9)).toMatchObject([{ ...told, actorId: 'tok_2' }])
  })

  test('keeps its webhooks and their deliveries when one may be an e-mail address', async () => {
    const db = openSqlite(':memory:')
    const mail = readdirSync(MIGRATIONS).find((name) => name.endsWith('-mail.ts')) ?? ''
    for (const name of readdirSync(MIGRATIONS).sort())
      if (name < mail) await ((await import(new URL(name, MIGRATIONS).href)) as Migration).up(db)
    const at = '2026-01-02T03:04:05Z'
    const webhook: WebhookRow = {
      ...{ id: 'whk_1', url: 'https://ci.acme.example/', format: 'slack', types: null, app: 'shop' },
      ...{ environment: null, enabled: 1, afterSeq: 7, createdBy: 'ada', createdAt: at },
    }
    const delivery: DeliveryRow = {
      ...{
        id: 'whd_1',
        webhook: 'whk_1',
        seq: 8,
        type: 'hold.set',
        state: 'waiting',
        attempts: 2,
        createdAt: at,
      },
      ...{ nextAt: at, lastAt: at, lastStatus: 500, lastError: 'it answers 500' },
    }
    await db.insertInto('webhooks').values(webhook).execute()
    await db.insertInto('webhookDeliveries').values(delivery).execute()
    await ((await import(new URL(mail, MIGRATIONS).href)) as Migration).up(db)
    await using records = new Records(db)
    expect(await records.webhooks.find('whk_1')).toEqual(webhook)
    expect(await records.webhooks.nextDue('whk_1', at)).toEqual(delivery)
    await records.webhooks.add({ ...webhook, id: 'whk_2', url: 'mailto:ops@acme.example', format: 'email' })
    const wrong = { ...webhook, id: 'whk_3', format: 'email' } as const
    await expect(records.webhooks.add(wrong)).rejects.toThrow(/CHECK/)
    await expect(records.webhooks.addDelivery({ ...delivery, id: 'whd_2' })).rejects.toThrow(/UNIQUE/)
    await records.webhooks.remove('whk_1')
    expect(await records.webhooks.findDelivery('whk_1', 'whd_1')).toBeUndefined()
  })

  test('of a newer hub is refused', async () => {
    await using file = await temporaryFile()
    const db = openSqlite(file.path)
    await migrate(db)
    await db.destroy()
    {
      using raw = closing(new Database(file.path))
      raw.database.exec("insert into kysely_migration values ('9999-from-the-future', '2030-01-01')")
    }
    const again = openSqlite(file.path)
    await expect(migrate(again)).rejects.toThrow(/cannot be brought to the newest form/)
    await again.destroy()
  })

  test('refuses states that there are not', async () => {
    await using records = await withApps('shop')
    await records.builds.add(build('shop', 1))
    const strange = release('rel_1', 'shop', 1, { state: 'lost' as 'released' })
    await expect(records.releases.add(strange)).rejects.toThrow(/CHECK/)
  })

  test('that is closed is not reachable', async () => {
    const records = await openRecords()
    expect(await records.isReachable()).toBe(true)
    await records[Symbol.asyncDispose]()
    expect(await records.isReachable()).toBe(false)
  })
})

function closing(database: Database.Database): Disposable & { readonly database: Database.Database } {
  return { database, [Symbol.dispose]: () => void database.close() }
}

test('a token is read once, and never again as it was before a change', async () => {
  const records = await openRecords()
  const token = {
    ...{ id: 'tok_1', name: 'a node', role: 'node', apps: null, environments: null, node: null },
    ...{ maySendCommands: 0 },
    ...{ secretSha256: 'a'.repeat(64), createdBy: 'x', owner: 'tok_1', createdAt: '2026-01-02T03:04:05Z' },
    ...{ expiresAt: null, revokedAt: null },
  }
  await records.tokens.add(token)
  const read = async () => await records.tokens.findBySecret(token.secretSha256)
  expect(await read()).toBe(await read())
  await records.transaction(async (inside) => {
    await inside.tokens.revoke('tok_1', '2026-01-03T00:00:00Z')
  })
  expect((await read())?.revokedAt).toBe('2026-01-03T00:00:00Z')
  // One that was being read while it was changed is not kept.
  const reading = read()
  await records.tokens.revokeOthersBy('y', '', '2026-01-04T00:00:00Z')
  await reading
  expect(await records.tokens.findBySecret('b'.repeat(64))).toBeUndefined()
})
