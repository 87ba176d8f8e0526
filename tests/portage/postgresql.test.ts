/** A real PostgreSQL on a real-Portage host: what an upgrade saves of it, and what a rollback does with that. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { ORDERS, TWO_ORDERS, databaseRecipe } from '../support/postgresql.ts'
import { folderOf } from '../support/programs.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { SOCKET, installDatabase, sql } from './support/database.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import { POINTS, hubNode, installHubNode, pointIds } from './support/hub-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const HUB = { HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' }
const ONE = 'app-acme/shop-1.0.0_p1'
const TWO = 'app-acme/shop-1.0.0_p2'
const THREE = 'app-acme/shop-1.0.0_p3'
const SAVED = `1|bread\n2|it's "cheese"`
const SINCE = `2|it's "cheese"\n3|wine\n4|salt`
const WRITE_SINCE = `INSERT INTO orders VALUES (3, 'wine'), (4, 'salt'); DELETE FROM orders WHERE id = 1`

const tests = (): void => {
  test('an upgrade dumps the database first; a rollback with the dump brings the rows back, and loses none', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('postgresql')
    await nodeWithOrders(node, hub)
    await upload(hub, 2, { version: 2, reversible_from: 1 })
    const upgraded = await hubNode(node, 'upgrade', 'shop')
    expect(upgraded.status, upgraded.output).toBe(0)
    expect(upgraded.result).toMatchObject({ from: ONE, to: TWO, warnings: [] })
    const [point = ''] = await pointIds(node)
    const dump = await readFile(node.path(`${POINTS}/${point}/dump/shop.dump`))
    expect(dump.subarray(0, 5).toString()).toBe('PGDMP')
    await sql(node, WRITE_SINCE)

    const rehearsed = await hubNode(node, 'rehearse', point)
    expect(rehearsed.status, rehearsed.output).toBe(0)
    expect(await sql(node, ORDERS)).toBe(SINCE)
    const rehearsal = {
      restorePoint: point,
      cpv: ONE,
      ok: true,
      at: expect.stringMatching(/^20.*Z$/) as string,
    }
    const report = (await hubNode(node, 'report', '--print')).result['report']
    expect(report).toMatchObject({ rehearsed: [rehearsal] })
    expect((await hubNode(node, 'points')).result['points']).toMatchObject([
      { id: point, rehearsed: rehearsal },
    ])

    const preview = await hubNode(node, 'rollback', '--preview')
    expect(preview.result['preview']).toMatchObject({
      written: '3',
      dump: ['shop.dump'],
      schemaRefusal: null,
    })
    const back = await hubNode(node, 'rollback', '--yes', '--with-dump')
    expect(back.status, back.output).toBe(0)
    expect(await client.installedPackages(node)).toEqual([ONE])
    expect(await sql(node, ORDERS)).toBe(SAVED)

    // One dump each: the ebuilds made none besides.
    expect(await node.must('ls', '/var/lib/portage-hub')).toBe('restore-points\nstate\n')

    const present = String(back.result['restorePoint'])
    const again = await hubNode(node, 'rollback', present, '--yes', '--with-dump')
    expect(again.status, again.output).toBe(0)
    expect(await client.installedPackages(node)).toEqual([TWO])
    expect(await sql(node, ORDERS)).toBe(SINCE)
  })

  test('a rollback leaves the rows alone unless asked, and is refused where the older build cannot read them', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('postgresql-schema')
    await nodeWithOrders(node, hub)
    await upload(hub, 2, { version: 2, reversible_from: 1 })
    expect((await hubNode(node, 'upgrade', 'shop')).status).toBe(0)
    await sql(node, WRITE_SINCE)
    const back = await hubNode(node, 'rollback', '--yes')
    expect(back.status, back.output).toBe(0)
    expect(await sql(node, ORDERS)).toBe(SINCE)

    await upload(hub, 3, { version: 3, reversible_from: 3 })
    const lifted = await hubNode(node, 'upgrade', '--lift', 'shop=3')
    expect(lifted.status, lifted.output).toBe(0)
    await sql(node, 'ALTER TABLE orders RENAME COLUMN item TO thing')
    const points = await pointIds(node)
    const refused = await hubNode(node, 'rollback', String(points.at(-1)), '--yes', '--with-dump')
    expect(refused.status, refused.output).toBe(23)
    expect(refused.result).toMatchObject({ result: 'refused', code: 'schema.irreversible' })
    expect(refused.result['detail']).toContain('build a hotfix on top instead')
    expect(await client.installedPackages(node)).toEqual([THREE])
    expect(await pointIds(node)).toEqual(points)
    expect(await sql(node, 'SELECT id, thing FROM orders ORDER BY id')).toBe(SINCE)

    const forced = await hubNode(node, 'rollback', String(points.at(-1)), '--yes', '--force', '--with-dump')
    expect(forced.status, forced.output).toBe(0)
    expect(forced.result['forced']).toEqual([expect.stringContaining('schema 3')])
    expect(await client.installedPackages(node)).toEqual([ONE])
    expect(await sql(node, ORDERS)).toBe(SINCE)
  })

  test('with the database down there is no upgrade, and going back is refused unless forced; then no dump hinders it', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('postgresql-down')
    await nodeWithOrders(node, hub)
    await upload(hub, 2, { version: 2, reversible_from: 1 })
    expect((await hubNode(node, 'upgrade', 'shop')).status).toBe(0)
    await upload(hub, 3, { version: 3, reversible_from: 1 })
    const points = await pointIds(node)

    await node.must('rm', '/usr/local/bin/hub-node')
    for (const command of [
      ['upgrade', 'shop'],
      ['rollback', '--yes'],
    ]) {
      const { status, result, output } = await hubNode(node, ...command)
      expect(status, output).toBe(20)
      expect(result).toMatchObject({ code: 'backup.failed' })
      expect(await client.installedPackages(node)).toEqual([TWO])
      expect(await pointIds(node)).toEqual(points)
    }
    // The ebuild that comes back would make a dump itself, and die without one.
    const forced = await hubNode(node, 'rollback', '--yes', '--force')
    expect(forced.status, forced.output).toBe(0)
    expect(forced.result['forced']).toEqual([expect.stringContaining('the present state was not saved')])
    expect(await client.installedPackages(node)).toEqual([ONE])
    // Nobody has saved anything for a plain emerge.
    expect((await hubNode(node, 'lift', 'shop')).status).toBe(0)
    const byEmerge = await node.run('emerge', '--oneshot', `=${THREE}`)
    expect(byEmerge.output).toContain('backup command 1 of 1 failed: nothing was replaced')
    expect(await client.installedPackages(node)).toEqual([ONE])
  })
}

/** A host where the first build is installed and its database has two rows. */
async function nodeWithOrders(node: GentooNode, hub: TestHub): Promise<void> {
  await installHubNode(node, hub)
  await installDatabase(node)
  await upload(hub, 1, { version: 1 })
  await client.follow(node, hub, { environment: 'staging' })
  await node.must('emerge', '--oneshot', 'app-acme/shop')
  await sql(node, TWO_ORDERS)
}

interface Schema {
  readonly version: number
  readonly reversible_from?: number
}

async function upload(hub: TestHub, build: number, schema: Schema): Promise<void> {
  const recipe = { ...databaseRecipe(SOCKET), schema }
  const fields = { build: String(build), version: '1.0.0', recipe: JSON.stringify(recipe) }
  const reply = await hub.upload('shop', tarball({ 'shop-1/bin/shop': `build ${String(build)}` }), fields)
  expect(reply.status, reply.text).toBe(201)
}

if (folderOf('initdb') === undefined) test.skip('PostgreSQL on a node [skipped: no initdb]', tests)
else describeWithPortage('PostgreSQL on a node', tests, { concurrent: true, timeoutMs: 600_000 })
