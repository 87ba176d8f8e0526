/** hub-node on the real Portage: restore points, upgrades that go back by themselves, rollbacks that stick. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import {
  GOING_BACK,
  ROLLBACK_CHANGES,
  ROLLBACK_PREPARES,
  UPGRADE_PREPARES,
} from '../support/hub-node-steps.ts'
import { createTestHub } from '../support/test-hub.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import {
  POINTS,
  hostWithShop,
  hubNode,
  hubNodeKilledAt,
  installHubNode,
  pointFolders,
  pointIds,
  shopState,
} from './support/hub-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'
import { uploadShop } from './support/shop-builds.ts'

const HUB = { HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' }
const MASK = 'etc/portage/package.mask/hub-node'
const ONE = 'app-acme/shop-1.0.0_p1'
const TWO = 'app-acme/shop-1.0.0_p2'
const FAIL = '#!/bin/sh\nexit 1\n'
/** A power cut: everything ends at once, but for the shell that started hub-node. */
const POWER_CUT = '#!/bin/sh\nrm "$0"\nkill -9 -1\n'

const tests = (): void => {
  test('an upgrade makes a complete point; a rollback brings everything back, and sticks until it is lifted', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('rollback')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
    const before = await shopState(node)

    const upgraded = await hubNode(node, 'upgrade', 'shop')
    expect(upgraded.status, upgraded.output).toBe(0)
    expect(upgraded.result).toMatchObject({ result: 'upgraded', from: ONE, to: TWO })
    expect(await client.installedPackages(node)).toEqual([TWO])
    const [point = '', ...more] = await pointIds(node)
    expect(more).toEqual([])
    expect(upgraded.result['restorePoint']).toBe(point)
    expect(await readPoint(node, point)).toMatchObject({
      ...{
        id: point,
        app: 'shop',
        cpv: ONE,
        slot: '0',
        repo: 'hub-staging',
        reason: 'upgrade',
        uploaded: false,
      },
      schema: { version: 1, reversibleFrom: 1 },
      configFiles: expect.arrayContaining([
        expect.objectContaining({ path: '/etc/shop.toml', modified: true, mode: 0o604, uid: 56, gid: 78 }),
        expect.objectContaining({ path: '/etc/shop/gone.toml', type: 'absent', sha256: null }),
        expect.objectContaining({ path: '/etc/shop/plain.toml', modified: false }),
      ]) as unknown,
    })
    expect(await node.read(`${POINTS}/${point}/dump/shop.dump`)).toBe('row 1\nrow 2\n')
    expect(await node.read(`${POINTS}/${point}/atoms.txt`)).toBe(`=${ONE}::hub-staging\n`)
    expect(await node.read(`${POINTS}/${point}/plan.txt`)).toContain(TWO)
    expect(await node.must('find', '/var/lib/portage-hub', '-maxdepth', '2', '-perm', '/077')).toBe('')
    expect(await node.must('ls', '/var/cache/binpkgs')).toBe('')

    await node.bash('echo row 3 >> /var/lib/shop/data; echo mine > /etc/shop/only-2.toml')
    const preview = await hubNode(node, 'rollback', '--preview')
    expect(preview.result['preview']).toMatchObject({
      ...{ from: TWO, to: ONE, written: 'row 3', schemaRefusal: null, surprises: [], dump: ['shop.dump'] },
      config: expect.arrayContaining([
        { path: '/etc/shop/plain.toml', change: 'content' },
        { path: '/etc/shop/only-1.toml', change: 'comes back' },
        { path: '/etc/shop/only-2.toml', change: 'will be removed' },
        { path: '/etc/._cfg0000_shop.toml', change: 'will be removed' },
      ]) as unknown,
    })
    expect(await client.installedPackages(node)).toEqual([TWO])
    const asked = await hubNode(node, 'rollback')
    expect([asked.status, asked.result['code']]).toEqual([23, 'not_confirmed'])

    const back = await hubNode(node, 'rollback', '--yes')
    expect(back.status, back.output).toBe(0)
    expect(back.result).toMatchObject({ result: 'rolled_back', from: TWO, to: ONE, warnings: [] })
    expect(await shopState(node)).toBe(before)
    expect(await node.read('var/lib/shop/data')).toBe('row 1\nrow 2\nrow 3\n')
    expect(await node.read('var/lib/shop-test/rc-service.log')).toMatch(/shop stop\n[^]*shop start\n/)
    expect(await node.read(MASK)).toContain(`\n>${ONE}::hub-staging\n`)
    expect((await pointIds(node)).length).toBe(2)
    await node.must('emerge', '--update', '--oneshot', 'app-acme/shop')
    expect(await shopState(node)).toBe(before)
    expect((await hubNode(node, 'upgrade', 'shop')).result).toMatchObject({
      result: 'nothing_to_do',
      status: 0,
    })
    expect((await hubNode(node, 'upgrade', 'shop=2')).result).toMatchObject({ code: 'node.held', status: 23 })

    expect((await hubNode(node, 'lift', 'shop')).result).toMatchObject({
      result: 'lifted',
      heldAt: '1.0.0_p1',
    })
    await node.must('emerge', '--update', '--oneshot', 'app-acme/shop')
    expect(await client.installedPackages(node)).toEqual([TWO])
    // Edited before, and still known as edited: the new default is a proposal again.
    expect(await node.read('etc/shop.toml')).toBe('edited\n')
    expect(await node.read('etc/._cfg0000_shop.toml')).toBe('default of 2\n')
  })

  test('a backup that fails, hangs, or does not write what it should stops the upgrade: nothing is changed', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('no-backup')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
    const before = await shopState(node)
    for (const [backup, code] of [
      ['false | cat', 'backup.failed'],
      ['sleep 60 & sleep 60', 'backup.timeout'],
      ['rm "$HUB_BACKUP_DIR/shop.dump"', 'backup.failed'],
      [': > "$HUB_BACKUP_DIR/shop.dump"', 'backup.failed'],
    ] as const) {
      await node.write('var/lib/shop-test/backup', backup)
      const { status, result, output } = await hubNode(node, 'upgrade', 'shop=2')
      expect(status, output).toBe(20)
      expect(result).toMatchObject({ result: 'unchanged', code })
      expect(await shopState(node)).toBe(before)
      expect(await pointFolders(node)).toEqual([])
    }
    await node.bash(
      'mount -t tmpfs -o size=16k none /var/lib/portage-hub; hub-node backup shop --json && exit 1; [ $? = 20 ]',
    )
    expect(await shopState(node)).toBe(before)
  })

  test('a build that is not healthy goes back by itself, and is not installed again by the next update', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('unhealthy')
    await hostWithShop(node, hub, [
      { build: 1 },
      { build: 2 },
      { build: 3, says: { schema: { version: 3, reversibleFrom: 2 } } },
    ])
    const before = await shopState(node)
    await node.bash('touch /var/lib/shop-test/unhealthy-2 /var/lib/shop-test/unhealthy-3')
    const { status, result, output } = await hubNode(node, 'upgrade', 'shop=2')
    expect(status, output).toBe(21)
    expect(result).toMatchObject({
      result: 'rolled_back',
      code: 'health.failed',
      from: ONE,
      to: ONE,
      target: TWO,
    })
    expect(await shopState(node)).toBe(before)
    expect(await node.read(MASK)).toContain(`>${ONE}::hub-staging\n`)

    const stays = await hubNode(node, 'upgrade', '--lift', 'shop=3')
    expect(stays.status, stays.output).toBe(22)
    expect(stays.result).toMatchObject({ result: 'broken', code: 'revert.failed' })
    expect(stays.result['detail']).toContain('schema.irreversible')
    expect(await client.installedPackages(node)).toEqual(['app-acme/shop-1.0.0_p3'])
  })

  test('what emerge says is not believed: a merge that failed is told from one that is in but whose last phase failed', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('merge-fails')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }, { build: 3, says: { health: undefined } }])
    const before = await shopState(node)
    await node.write('var/lib/shop-test/hooks/preinst-2', FAIL, 0o755)
    const failed = await hubNode(node, 'upgrade', 'shop=2')
    expect(failed.status, failed.output).toBe(20)
    expect(failed.result).toMatchObject({ result: 'unchanged', code: 'merge.failed' })
    expect(await shopState(node)).toBe(before)
    expect(await node.run('test', '-e', `/${MASK}`)).toMatchObject({ status: 1 })

    await node.write('var/lib/shop-test/hooks/postinst-3', FAIL, 0o755)
    const unproved = await hubNode(node, 'upgrade', 'shop=3')
    expect(unproved.status, unproved.output).toBe(21)
    expect(unproved.result).toMatchObject({ result: 'rolled_back', code: 'merge.postinst', to: ONE })
    expect(await shopState(node)).toBe(before)

    await node.bash('rm /var/lib/shop-test/hooks/*')
    await node.write('var/lib/shop-test/hooks/postinst-2', FAIL, 0o755)
    const healthy = await hubNode(node, 'upgrade', '--lift', 'shop=2')
    expect(healthy.status, healthy.output).toBe(0)
    expect(healthy.result).toMatchObject({ result: 'upgraded', to: TWO })
    expect(healthy.result['warnings']).toEqual([expect.stringContaining('merge.postinst')])
  })

  test('killed while it prepares, an upgrade is undone by the next run, and nothing is left of it', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('killed-early')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
    const before = await shopState(node)
    for (const step of UPGRADE_PREPARES) {
      const killed = await hubNodeKilledAt(node, step, 'upgrade', 'shop')
      expect(killed.status, killed.output).toBe(137)
      const next = await hubNode(node, 'confirm')
      expect(next.result['recovered'], next.output).toMatchObject({
        result: 'unchanged',
        code: 'killed',
        to: ONE,
      })
      expect(await shopState(node)).toBe(before)
      expect(await pointFolders(node)).toEqual(await pointIds(node))
    }
    expect((await hubNode(node, 'confirm')).result['recovered']).toBeNull()
  })

  test.each(['preinst-2', 'prerm-1', 'postrm-1', 'postinst-2'])(
    'after a power cut in %s of an upgrade, the next run leaves one whole version, which is healthy',
    async (phase) => {
      await using hub = await createTestHub(HUB)
      await using node = await openNode('power-cut')
      await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
      const before = await shopState(node)
      await node.write(`var/lib/shop-test/hooks/${phase}`, POWER_CUT, 0o755)
      const cut = await hubNode(node, 'upgrade', 'shop')
      expect(cut.status, cut.output).toBe(137)
      const next = await hubNode(node, 'confirm')
      expect(next.result['recovered'], next.output).toMatchObject({ result: 'upgraded', from: ONE, to: TWO })
      expect(await client.installedPackages(node)).toEqual([TWO])
      expect(await node.read('opt/shop/bin/shop')).toBe('build 2')
      expect(await node.must('ls', '/opt/shop')).toBe('bin\ncurrent\nonly-2\n')
      const back = await hubNode(node, 'rollback', '--yes')
      expect(back.status, back.output).toBe(0)
      expect(await shopState(node)).toBe(before)
    },
  )

  test('killed at each step of a rollback, the next run undoes it while it prepares, and ends it afterwards', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('killed-back')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
    const before = await shopState(node)
    expect((await hubNode(node, 'upgrade', 'shop')).status).toBe(0)
    const after = await shopState(node)
    for (const step of ROLLBACK_PREPARES) {
      const killed = await hubNodeKilledAt(node, step, 'rollback', '--yes')
      expect(killed.status, killed.output).toBe(137)
      const next = await hubNode(node, 'confirm')
      expect(next.result['recovered'], next.output).toMatchObject({ result: 'unchanged', to: TWO })
      expect(await shopState(node)).toBe(after)
      expect(await node.run('test', '-e', '/var/lib/shop-test/shop-is-stopped')).toMatchObject({ status: 1 })
    }
    for (const step of ROLLBACK_CHANGES) {
      expect((await hubNodeKilledAt(node, step, 'rollback', '--yes')).status).toBe(137)
      expect(await shopState(node)).toBe(after)
    }
    await node.write('var/lib/shop-test/hooks/postinst-1', POWER_CUT, 0o755)
    expect((await hubNode(node, 'confirm')).status).toBe(137)
    for (const step of GOING_BACK) {
      const killed = await hubNodeKilledAt(node, step, 'confirm')
      expect(killed.status, killed.output).toBe(137)
    }
    const next = await hubNode(node, 'confirm')
    expect(next.result['recovered'], next.output).toMatchObject({ result: 'rolled_back', from: TWO, to: ONE })
    expect(await shopState(node)).toBe(before)
    expect(await node.read(MASK)).toContain(`>${ONE}::hub-staging\n`)
    expect(await node.run('test', '-e', '/var/lib/shop-test/shop-is-stopped')).toMatchObject({ status: 1 })
  })

  test('with the hub down, what was synced and fetched is installed, and a rollback needs nothing; signatures asked for', async () => {
    const hub = await createTestHub(HUB)
    await using node = await openNode('hub-down')
    try {
      await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
      await client.sync(node, 'staging')
      await node.must('emerge', '--fetchonly', `=${TWO}`)
    } finally {
      await hub[Symbol.asyncDispose]()
    }
    const before = await shopState(node)
    await node.bash(`echo 'FEATURES="\${FEATURES} binpkg-request-signature"' >> /etc/portage/make.conf`)
    const upgraded = await hubNode(node, 'upgrade', 'shop')
    expect(upgraded.status, upgraded.output).toBe(0)
    expect(upgraded.result['warnings']).toEqual([
      expect.stringContaining('the hub cannot be reached: not synced'),
    ])
    expect((await hubNode(node, 'upload')).result).toMatchObject({ status: 20, code: 'upload.incomplete' })
    const back = await hubNode(node, 'rollback', '--app', 'shop', '--yes')
    expect(back.status, back.output).toBe(0)
    expect(back.output).toContain('taken by its recorded SHA-512')
    expect(await shopState(node)).toBe(before)
  })

  test('a rollback across an irreversible schema is refused, and forced it is recorded; a dump comes back if asked', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('schema')
    await hostWithShop(node, hub, [
      { build: 1 },
      { build: 2, says: { schema: { version: 2, reversibleFrom: 2 } } },
    ])
    expect((await hubNode(node, 'upgrade', 'shop')).status).toBe(0)
    await node.bash('echo migrated > /var/lib/shop/data')
    const refused = await hubNode(node, 'rollback', '--yes')
    expect([refused.status, refused.result['code']]).toEqual([23, 'schema.irreversible'])
    expect(refused.result['detail']).toContain('hotfix')
    expect(await client.installedPackages(node)).toEqual([TWO])
    expect(await node.read('var/lib/shop-test/rc-service.log')).not.toContain('stop')

    const rehearsed = await hubNode(node, 'rehearse', (await pointIds(node))[0] ?? '')
    expect(rehearsed.result).toMatchObject({ result: 'rehearsed', status: 0 })
    const report = (await hubNode(node, 'report', '--print')).result['report'] as Record<string, unknown>
    expect(report['rehearsed']).toEqual([expect.objectContaining({ ok: true, cpv: ONE })])

    const forced = await hubNode(node, 'rollback', '--yes', '--force', '--with-dump')
    expect(forced.status, forced.output).toBe(0)
    expect(forced.result['forced']).toEqual([expect.stringContaining('schema 2')])
    expect(await node.read('var/lib/shop/data')).toBe('row 1\nrow 2\n')
    expect(
      (await readFile(node.path('var/lib/portage-hub/state/history.jsonl'), 'utf8'))
        .trimEnd()
        .split('\n')
        .at(-1),
    ).toContain('schema 2')
  })

  test('an upgrade that nobody confirms in time goes back, also when whoever began it was killed', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('confirm')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
    const before = await shopState(node)
    const late = await hubNode(node, 'upgrade', 'shop', '--confirm-within', '1s')
    expect(late.status, late.output).toBe(21)
    expect(late.result).toMatchObject({ result: 'rolled_back', code: 'confirm.timeout', to: ONE })
    expect(await shopState(node)).toBe(before)

    await hubNode(node, 'lift', 'shop')
    const confirmed = await node.bash(CONFIRM)
    expect(confirmed).toContain('"result": "upgraded"')
    expect(await client.installedPackages(node)).toEqual([TWO])
    expect((await hubNode(node, 'rollback', '--yes')).status).toBe(0)

    await hubNode(node, 'lift', 'shop')
    const left = await node.bash(LEFT_ALONE)
    expect(left).toContain('rolled_back')
    expect(await shopState(node)).toBe(before)
  })

  test('what Portage packed by itself becomes a point; going back to it leaves edited files alone', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('by-portage')
    await hostWithShop(node, hub, [{ build: 1 }])
    await node.bash(`echo 'FEATURES="\${FEATURES} unmerge-backup"' >> /etc/portage/make.conf`)
    const before = await node.bash('sha256sum /opt/shop/bin/* /opt/shop/only-1')
    await uploadShop(hub, { build: 2 })
    await client.sync(node, 'staging')
    await node.must('emerge', '--oneshot', '--update', 'app-acme/shop')
    // This hub does not take reports: the points are taken before it is asked.
    await hubNode(node, 'report')
    const [point = '', ...more] = await pointIds(node)
    expect(more).toEqual([])
    expect(await readPoint(node, point)).toMatchObject({ reason: 'portage', cpv: ONE, configPacked: false })
    await hubNode(node, 'report')
    expect(await pointIds(node)).toEqual([point])

    const back = await hubNode(node, 'rollback', point, '--yes')
    expect(back.status, back.output).toBe(0)
    expect(await node.bash('sha256sum /opt/shop/bin/* /opt/shop/only-1')).toBe(before)
    expect(await node.read('etc/shop.toml')).toBe('edited\n')
    expect(await node.bash('grep -rl "empty file because" /etc/shop /etc/shop.toml || echo none')).toBe(
      'none\n',
    )
  })

  test('nothing installed is nothing to back up, and leaving takes away what the hub had put there', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('fresh')
    await installHubNode(node, hub)
    await uploadShop(hub, { build: 1, says: { health: undefined } })
    await client.follow(node, hub, { environment: 'staging' })
    await node.bash(
      'mkdir -p /var/lib/shop-test/hooks; : > /var/lib/shop-test/backup; : > /var/lib/shop-data',
    )
    const fresh = await hubNode(node, 'upgrade', 'shop')
    expect(fresh.status, fresh.output).toBe(0)
    expect(fresh.output).toContain('there is nothing to back up, and no restore point')
    expect(fresh.result).toMatchObject({ result: 'upgraded', from: null, to: ONE, restorePoint: null })
    expect((await hubNode(node, 'rollback', '--app', 'shop', '--yes')).result).toMatchObject({
      code: 'restore.none',
    })

    await node.bash(`mkdir /etc/portage/binrepos.conf; echo x > /etc/portage/binrepos.conf/portage-hub.conf
      printf '# portage-hub begin\\nA="b"\\n# portage-hub end\\n' >> /etc/portage/make.conf`)
    const makeConf = await node.read('etc/portage/make.conf')
    expect((await hubNode(node, 'leave', '--yes')).result).toMatchObject({ result: 'left', status: 0 })
    expect(await node.read('etc/portage/make.conf')).toBe(makeConf.replace(/# portage-hub begin[^]*/, ''))
    expect(await node.must('ls', '/etc/portage', '/etc/portage/binrepos.conf')).not.toContain('hub')
    expect(await client.installedPackages(node)).toEqual([ONE])
  })
}

/** Confirms from another terminal, once it is waited for. */
const CONFIRM = `
  hub-node upgrade shop --confirm-within 60s --json > /tmp/upgrade.json &
  upgrade=$!
  until grep -q confirming /var/lib/portage-hub/state/journal.json 2> /dev/null; do sleep 0.2; done
  until hub-node confirm shop; do sleep 0.5; done
  wait $upgrade
  cat /tmp/upgrade.json
`

/** Kills hub-node and not its timer. */
const LEFT_ALONE = `
  hub-node upgrade shop --confirm-within 3s --json > /tmp/upgrade.json 2>&1 &
  until grep -q confirming /var/lib/portage-hub/state/journal.json 2> /dev/null; do sleep 0.2; done
  kill -9 "$(python3 -c 'import json; print(json.load(open("/var/lib/portage-hub/state/journal.json"))["pid"])')"
  until [ ! -e /var/lib/portage-hub/state/journal.json ]; do sleep 0.5; done
  tail -n 1 /var/lib/portage-hub/state/history.jsonl
`

async function readPoint(node: GentooNode, id: string): Promise<unknown> {
  return JSON.parse(await node.read(`${POINTS}/${id}/point.json`))
}

describeWithPortage('restore points', tests, { concurrent: true, timeoutMs: 600_000 })
