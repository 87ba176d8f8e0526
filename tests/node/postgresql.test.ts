/**
 * A recipe that saves a PostgreSQL database, on a real server: hub-node's own backup, rehearsal and restore, with the commands
 * of an ebuild that the hub published. Portage's part is in tests/portage/postgresql.test.ts.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect } from 'vitest'
import { ORDERS, TWO_ORDERS, databaseRecipe, postgresqlFolder, startDatabase } from '../support/postgresql.ts'
import type { Database } from '../support/postgresql.ts'
import { testWith } from '../support/programs.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'

const PROGRAM = resolve(import.meta.dirname, '../../node/tests/without_portage.py')
const PF = 'shop-1.0.0_p1'
const TWO = `1|bread\n2|it's "cheese"`
const SINCE = `INSERT INTO orders VALUES (3, 'wine'); DELETE FROM orders WHERE id = 1`

/** Packs nothing: what stands in for quickpkg leaves a file where the package would be. */
const QUICKPKG = `#!/bin/sh
mkdir -p "$PKGDIR/app-acme/shop" && echo packed > "$PKGDIR/app-acme/shop/${PF}-1.gpkg.tar"
`

interface Node extends AsyncDisposable {
  readonly root: string
  run(...words: readonly string[]): Promise<Readonly<Record<string, unknown>>>
}

/** A folder that is a node's root, where the build of a recipe is installed as far as hub-node's backup looks. */
async function openNode(recipe: object): Promise<Node> {
  const root = await mkdtemp(join(tmpdir(), 'portage-hub-node-'))
  await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme' })
  const fields = { build: '1', version: '1.0.0', recipe: JSON.stringify(recipe) }
  const reply = await hub.upload('shop', tarball({ 'shop-1/bin/shop': 'build 1' }), fields)
  expect(reply.status, reply.text).toBe(201)
  const entry = join(root, 'var/db/pkg/app-acme', PF)
  await mkdir(entry, { recursive: true })
  const ebuild = await hub.as().get(`/overlays/staging/tree/app-acme/shop/${PF}.ebuild`)
  expect(ebuild.status).toBe(200)
  await writeFile(join(entry, `${PF}.ebuild`), ebuild.text)
  await writeFile(join(entry, 'repository'), 'hub-staging\n')
  await mkdir(join(root, 'bin'))
  await writeFile(join(root, 'bin/quickpkg'), QUICKPKG, { mode: 0o755 })
  return {
    root,
    run: async (...words) => await runHubNode(root, words),
    [Symbol.asyncDispose]: async () => await rm(root, { recursive: true, force: true }),
  }
}

async function runHubNode(
  root: string,
  words: readonly string[],
): Promise<Readonly<Record<string, unknown>>> {
  const PATH = [join(root, 'bin'), postgresqlFolder(), process.env['PATH'] ?? ''].join(':')
  const output = await new Promise<string>((settle) => {
    const args = ['-B', PROGRAM, root, ...words]
    // Any exit status: the outcome says it too.
    execFile('python3', args, { env: { PATH, LANG: 'C.UTF-8' } }, (error, stdout, stderr) => {
      settle(stdout === '' ? JSON.stringify({ error: error?.message, stderr }) : stdout)
    })
  })
  return JSON.parse(output) as Readonly<Record<string, unknown>>
}

async function points(node: Node): Promise<readonly string[]> {
  return await readdir(join(node.root, 'var/lib/portage-hub/restore-points'))
}

async function rehearsals(node: Node): Promise<Readonly<Record<string, unknown>>> {
  const path = join(node.root, 'var/lib/portage-hub/state/rehearsals.json')
  return JSON.parse(await readFile(path, 'utf8')) as Readonly<Record<string, unknown>>
}

async function openShop(backupTimeout?: string): Promise<{ database: Database; node: Node }> {
  const database = await startDatabase()
  await database.sql(TWO_ORDERS)
  return { database, node: await openNode(databaseRecipe(database.socket, backupTimeout)) }
}

/** A server is made for each test; that takes its time on a busy machine. */
const pgTest: (name: string, body: () => Promise<void>) => void = (name, body) => {
  testWith('initdb', 'python3')(name, body, 240_000)
}

pgTest('a dump brings rows back, and a rehearsal proves that without touching them', async () => {
  const shop = await openShop()
  await using database = shop.database
  await using node = shop.node
  const saved = await node.run('backup', 'app-acme/shop')
  expect(saved).toMatchObject({ result: 'backed_up', status: 0, warnings: [] })
  const id = String(saved['restorePoint'])
  expect(await points(node)).toEqual([id])
  await database.sql(SINCE)
  const since = await database.sql(ORDERS)

  expect(await node.run('rehearse', id)).toMatchObject({ result: 'rehearsed', status: 0 })
  expect(await rehearsals(node)).toMatchObject({
    [id]: {
      restorePoint: id,
      app: 'shop',
      cpv: `app-acme/${PF}`,
      ok: true,
      at: expect.stringMatching(/Z$/) as string,
    },
  })
  expect(await database.sql(ORDERS)).toBe(since)
  expect(await databases(database)).toBe('postgres\nshop')

  expect(await node.run('load-dump', id)).toMatchObject({ result: 'loaded', status: 0 })
  expect(await database.sql(ORDERS)).toBe(TWO)
})

pgTest('a rehearsal that fails is noted as one, and a dump that was changed is not restored', async () => {
  const shop = await openShop()
  await using database = shop.database
  await using node = shop.node
  await database.sql('DELETE FROM orders')
  const id = String((await node.run('backup', 'app-acme/shop'))['restorePoint'])
  expect(await node.run('rehearse', id)).toMatchObject({ status: 20, code: 'rehearse.failed' })
  expect(await rehearsals(node)).toMatchObject({
    [id]: { ok: false, detail: expect.stringContaining('rehearse command 4 ended with 1') as string },
  })

  const dump = await open(join(node.root, 'var/lib/portage-hub/restore-points', id, 'dump/shop.dump'), 'r+')
  await dump.write(Buffer.from('x'), 0, 1, 100)
  await dump.close()
  expect(await node.run('rehearse', id)).toMatchObject({ status: 23, code: 'point.damaged' })
})

pgTest('a restore that fails in the middle leaves the rows that were there', async () => {
  const shop = await openShop()
  await using database = shop.database
  await using node = shop.node
  const id = String((await node.run('backup', 'app-acme/shop'))['restorePoint'])
  await database.sql(SINCE)
  // Something depends on what the dump would replace.
  await database.sql('CREATE VIEW items AS SELECT item FROM orders')
  const since = await database.sql(ORDERS)
  expect(await node.run('load-dump', id)).toMatchObject({ status: 20, code: 'restore.failed' })
  expect(await database.sql(ORDERS)).toBe(since)
})

pgTest(
  'a dump that hangs on a lock, or finds no server, leaves neither a point nor a connection',
  async () => {
    const shop = await openShop('2s')
    await using database = shop.database
    await using node = shop.node
    const locked = database.sql('BEGIN; LOCK TABLE orders; SELECT pg_sleep(60)').catch(() => 'cut')
    await expect.poll(async () => await database.sql(LOCKS), { timeout: 10_000 }).toBe('1')
    expect(await node.run('backup', 'app-acme/shop')).toMatchObject({ status: 20, code: 'backup.timeout' })
    expect(await points(node)).toEqual([])
    await expect.poll(async () => await database.sql(DUMPS), { timeout: 10_000 }).toBe('0')

    await database.stop()
    expect(await locked).toBe('cut')
    expect(await node.run('backup', 'app-acme/shop')).toMatchObject({ status: 20, code: 'backup.failed' })
    expect(await points(node)).toEqual([])
  },
)

const LOCKS = `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'orders'::regclass`
const DUMPS = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'`

async function databases(database: Database): Promise<string> {
  return await database.sql('SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1')
}
