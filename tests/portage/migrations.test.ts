/** Upgrades that migrate data, on the real Portage: the service is down meanwhile, and what fails goes back with its dump. */
import { expect, test } from 'vitest'
import { UPGRADE_MIGRATED, UPGRADE_MIGRATES } from '../support/hub-node-steps.ts'
import { createTestHub } from '../support/test-hub.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import { hostWithShop, hubNode, hubNodeKilledAt, pointIds, shopState } from './support/hub-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const HUB = { HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' }
const ONE = 'app-acme/shop-1.0.0_p1'
const TWO = 'app-acme/shop-1.0.0_p2'
const STOPPED = '/var/lib/shop-test/shop-is-stopped'
const DATA = 'var/lib/shop/data'
const ROWS = 'row 1\nrow 2\n'

/** Its build 2 changes the data with the service stopped, and then does what a test has written down. Nothing goes back by schema. */
const BUILDS = [
  { build: 1 },
  {
    build: 2,
    says: {
      schema: { version: 2, reversibleFrom: 2 },
      migrate: {
        commands: [
          `test -e ${STOPPED}; sed -i s/row/line/ /${DATA}; cat /opt/shop/bin/shop >> /var/lib/shop-test/migrations`,
          '. /var/lib/shop-test/migrate',
        ],
        timeoutSec: 2,
      },
    },
  },
] as const

const tests = (): void => {
  test('a migration that fails or hangs goes back with the dump; one that succeeds runs before the service starts', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('migration')
    await hostWithShop(node, hub, BUILDS)
    const before = await shopState(node)
    for (const [migrate, said] of [
      [`echo half >> /${DATA}; false | cat`, 'migrate command 2 ended with 1'],
      ['sleep 60 & sleep 60', 'migrate command 2 was not done after 2 s'],
    ] as const) {
      await node.write('var/lib/shop-test/migrate', migrate)
      const failed = await hubNode(node, 'upgrade', '--lift', 'shop')
      expect(failed.status, failed.output).toBe(21)
      expect(failed.result).toMatchObject({ result: 'rolled_back', code: 'migrate.failed', to: ONE })
      expect(failed.result['detail']).toContain(said)
      expect(failed.result['detail']).toContain(`The data is that of ${(await pointIds(node)).at(-1) ?? ''}`)
      await expectWhole(node, before)
    }
    expect(await node.read('var/lib/shop-test/migrations')).toBe('build 2build 2')

    await node.write('var/lib/shop-test/migrate', 'true')
    const upgraded = await hubNode(node, 'upgrade', '--lift', 'shop')
    expect(upgraded.status, upgraded.output).toBe(0)
    expect(upgraded.result).toMatchObject({ result: 'upgraded', from: ONE, to: TWO, warnings: [] })
    expect(await node.read(DATA)).toBe('line 1\nline 2\n')
    expect(await node.run('test', '-e', STOPPED)).toMatchObject({ status: 1 })
    const point = upgraded.result['restorePoint'] as string
    expect(await node.read(`var/lib/portage-hub/restore-points/${point}/dump/shop.dump`)).toBe(ROWS)
  })

  test('a backup or merge that fails starts the service again', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('migration-none')
    await hostWithShop(node, hub, BUILDS)
    const before = await shopState(node)
    await node.write('var/lib/shop-test/backup', 'false')
    expect((await hubNode(node, 'upgrade', 'shop')).result).toMatchObject({ code: 'backup.failed' })
    await expectWhole(node, before)
    await node.write('var/lib/shop-test/backup', '')
    await node.write('var/lib/shop-test/hooks/preinst-2', '#!/bin/sh\nexit 1\n', 0o755)
    expect((await hubNode(node, 'upgrade', 'shop')).result).toMatchObject({ code: 'merge.failed' })
    await expectWhole(node, before)
    expect(await node.run('test', '-e', '/var/lib/shop-test/migrations')).toMatchObject({ status: 1 })
  })

  test('a migration that is cut goes back, and is not begun again', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('migration-cut')
    await hostWithShop(node, hub, BUILDS)
    const before = await shopState(node)
    await node.write('var/lib/shop-test/migrate', 'true')
    for (const step of UPGRADE_MIGRATES) {
      expect((await hubNodeKilledAt(node, step, 'upgrade', '--lift', 'shop')).status).toBe(137)
      expect(await client.installedPackages(node)).toEqual([TWO])
      await node.bash(`echo half > /${DATA}`)
      const next = await hubNode(node, 'confirm')
      expect(next.result['recovered'], next.output).toMatchObject({ code: 'migrate.failed', status: 21 })
      await expectWhole(node, before)
      expect(await node.run('test', '-e', '/var/lib/shop-test/migrations')).toMatchObject({ status: 1 })
    }
    // Killed while its command runs, which goes on: that is ended before the dump is put back.
    await node.write('var/lib/shop-test/migrate', KILL_AND_WRITE_ON)
    expect(await node.bash(UPGRADE_AND_NEXT_RUN)).toContain('"code": "migrate.failed"')
    await expectWhole(node, before)
  })

  test('killed once the data is migrated, an upgrade goes on to its end', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('migration-ended')
    await hostWithShop(node, hub, BUILDS)
    await node.write('var/lib/shop-test/migrate', 'true')
    for (const step of UPGRADE_MIGRATED) {
      expect((await hubNodeKilledAt(node, step, 'upgrade', 'shop')).status).toBe(137)
      const next = await hubNode(node, 'confirm')
      expect(next.result['recovered'], next.output).toMatchObject({ result: 'upgraded', to: TWO })
      expect(await node.read(DATA)).toBe('line 1\nline 2\n')
      expect(await node.run('test', '-e', STOPPED)).toMatchObject({ status: 1 })
    }
  })
}

const KILL_AND_WRITE_ON = `echo more >> /${DATA}; kill -9 "$PPID"; while :; do echo more >> /${DATA}; sleep 0.1; done`
const UPGRADE_AND_NEXT_RUN = `
  hub-node upgrade --lift shop || [ $? = 137 ]
  tail -n 1 /${DATA} | grep more
  hub-node confirm --json || true
  sleep 1
`

/** All is as before the upgrade, and the service runs. */
async function expectWhole(node: GentooNode, before: string): Promise<void> {
  expect(await shopState(node)).toBe(before)
  expect(await node.read(DATA)).toBe(ROWS)
  expect(await node.run('test', '-e', STOPPED)).toMatchObject({ status: 1 })
}

describeWithPortage('migrations', tests, { timeoutMs: 600_000 })
