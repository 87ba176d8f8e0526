/** Upgrades on the real Portage: the backup comes first and can stop them, and edited configuration stays. */
import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import { POINTS, hubNode, installHubNode, pointIds } from './support/hub-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const DUMPS = 'var/lib/portage-hub/dumps'
const NOTE_RESTART = '#!/bin/sh\necho "$@" >> /tmp/rc-service.log\n'

const tests = (): void => {
  test('an upgrade saves what the backup commands save while the old files are in place, and keeps edited configuration', async () => {
    await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' })
    await using node = await openNode('upgrade')
    await node.write('usr/local/bin/rc-service', NOTE_RESTART, 0o755)
    await upload(hub, 1)
    await client.follow(node, hub, { environment: 'staging' })
    await client.emerge(node, 'app-acme/shop')
    expect(await dumps(node)).toEqual([])
    expect((await node.run('cat', '/tmp/rc-service.log')).status).not.toBe(0)

    await node.bash(
      'echo mine > /etc/shop.toml; echo mine > /opt/shop/live.toml; echo live > /var/lib/shop/data',
    )
    await upload(hub, 2)
    await client.sync(node, 'staging')
    await client.emerge(node, '--update', 'app-acme/shop')
    expect(await client.installedPackages(node)).toEqual(['app-acme/shop-1.0.0_p2'])
    const [dump, ...more] = await dumps(node)
    expect(more).toEqual([])
    expect(dump).toMatch(/^1\.0\.0_p1-\d{8}T\d{6}Z$/)
    const folder = `${DUMPS}/app-acme/shop/${dump ?? ''}`
    expect((await readdir(node.path(folder))).filter(isVisible).sort()).toEqual([
      'complete',
      'data',
      'home',
      'shop',
    ])
    expect(await node.read(`${folder}/shop`)).toBe('build 1')
    expect(await node.read(`${folder}/data`)).toBe('live\n')
    expect(await node.read(`${folder}/home`)).toBe('/root\n')
    expect(await node.must('find', `/${DUMPS}`, '-perm', '/077')).toBe('')

    expect(await node.read('opt/shop/bin/shop')).toBe('build 2')
    expect(await node.read('etc/shop.toml')).toBe('mine\n')
    expect(await node.read('opt/shop/live.toml')).toBe('mine\n')
    expect(await node.read('etc/._cfg0000_shop.toml')).toBe('default of 2')
    expect(await node.read('opt/shop/._cfg0000_live.toml')).toBe('default of 2')
    expect(await node.read('tmp/rc-service.log')).toBe('--ifexists --ifstarted shop restart\n')
  })

  test('a backup command that fails, or takes too long, stops the upgrade with the old version untouched', async () => {
    await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' })
    await using node = await openNode('no-upgrade')
    await upload(hub, 1)
    await upload(hub, 2, 'false | cat')
    await upload(hub, 3, 'sleep 60')
    await client.follow(node, hub, { environment: 'staging' })
    await client.emerge(node, '=app-acme/shop-1.0.0_p1')
    const before = await node.bash(STATE)
    for (const build of [2, 3]) {
      const { status, output } = await node.run('emerge', '--quiet-build=n', `=app-acme/shop-1.0.0_p${build}`)
      expect(status, output).toBe(1)
      expect(output).toContain('backup command 2 of 2 failed: nothing was replaced')
      expect(await node.bash(STATE)).toBe(before)
      expect(await node.must('portageq', 'match', '/', 'app-acme/shop')).toBe('app-acme/shop-1.0.0_p1\n')
    }
    const incomplete = await node.must('find', `/${DUMPS}`, '-type', 'f', '-printf', '%f\n')
    expect(incomplete.split('\n').filter((name) => name === 'complete')).toEqual([])

    // hub-node's mark that it has saved everything counts from root and for an hour.
    const saved = '/var/lib/portage-hub/saved/app-acme/shop-1.0.0_p1'
    for (const mark of ['touch "$1"; chown 1:1 "$1"', 'touch -d "-61 min" "$1"', 'mkdir "$1"']) {
      await node.bash(`mkdir -p "\${1%/*}"; rm -f "$1"; ${mark}`, saved)
      expect((await node.run('emerge', '=app-acme/shop-1.0.0_p2')).status).toBe(1)
    }
    await node.bash('rmdir "$1"; touch "$1"', saved)
    await client.emerge(node, '=app-acme/shop-1.0.0_p2')
    expect(await node.read('opt/shop/bin/shop')).toBe('build 2')

    await upload(hub, 4)
    await client.sync(node, 'staging')
    await client.emerge(node, '--update', 'app-acme/shop')
    expect(await node.read('opt/shop/bin/shop')).toBe('build 4')
    expect(await client.installedPackages(node)).toEqual(['app-acme/shop-1.0.0_p4'])
  })

  test('an emerge without hub-node leaves a restore point with the dump of the same merge, which goes back with it', async () => {
    await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' })
    await using node = await openNode('plain-emerge')
    await installHubNode(node, hub)
    await upload(hub, 1)
    await client.follow(node, hub, { environment: 'staging' })
    await node.bash(`echo 'FEATURES="\${FEATURES} unmerge-backup"' >> /etc/portage/make.conf`)
    await client.emerge(node, 'app-acme/shop')
    await node.bash('echo live > /var/lib/shop/data')
    await upload(hub, 2)
    await client.sync(node, 'staging')
    await client.emerge(node, '--update', 'app-acme/shop')
    await node.bash('echo written since > /var/lib/shop/data')

    // This hub does not take reports: the points are taken before it is asked.
    await hubNode(node, 'report')
    const [point = '', ...more] = await pointIds(node)
    expect(more).toEqual([])
    const { points } = (await hubNode(node, 'points')).result as { points: readonly unknown[] }
    expect(points).toEqual([
      expect.objectContaining({
        ...{ id: point, cpv: 'app-acme/shop-1.0.0_p1', reason: 'portage' },
        dump: expect.arrayContaining(['data', 'home', 'shop']) as unknown,
      }),
    ])
    expect(
      await node.must('find', `/${DUMPS}`, `/${POINTS}`, '-maxdepth', '3', '-type', 'd', '-perm', '/077'),
    ).toBe('')
    const back = await hubNode(node, 'rollback', point, '--yes', '--with-dump')
    expect(back.status, back.output).toBe(0)
    expect(await client.installedPackages(node)).toEqual(['app-acme/shop-1.0.0_p1'])
    expect(await node.read('opt/shop/bin/shop')).toBe('build 1')
    expect(await node.read('var/lib/shop/data')).toBe('live\n')
  })
}

describeWithPortage('upgrade and backup', tests, { concurrent: true })

/** What is installed and what the installed-package database says, but for marks of merges that were broken off. */
const STATE = `
  cd /
  find opt/shop etc/shop.toml var/lib/shop var/db/pkg/app-acme/shop-1.0.0_p1 -type f -exec sha256sum {} + | sort
  ls var/db/pkg/app-acme | grep -v '^-MERGING-'
`

async function upload(
  hub: TestHub,
  build: number,
  lastCommand = 'echo ~ > "$HUB_BACKUP_DIR/home"',
): Promise<void> {
  const bytes = tarball({
    'shop-1/bin/shop': `build ${build}`,
    'shop-1/shop.toml': `default of ${build}`,
    'shop-1/shop.initd': '#!/sbin/openrc-run\ncommand=/opt/shop/bin/shop\n',
  })
  const recipe = {
    install: {
      files: [
        { from: 'shop.toml', to: '/etc/shop.toml', config: true },
        { from: 'shop.toml', to: '/opt/shop/live.toml', config: true },
      ],
      keepdirs: ['/var/lib/shop'],
    },
    service: { openrc: 'shop.initd', restart: true },
    backup: {
      commands: ['cp -r /opt/shop/bin/shop /var/lib/shop/. "$HUB_BACKUP_DIR/"', lastCommand],
      timeout: '2s',
    },
    restore: { commands: ['cp "$HUB_BACKUP_DIR/data" /var/lib/shop/data'], timeout: '2s' },
  }
  const fields = { build: String(build), version: '1.0.0', recipe: JSON.stringify(recipe) }
  const reply = await hub.upload('shop', bytes, fields)
  expect(reply.status, reply.text).toBe(201)
}

function isVisible(name: string): boolean {
  return !name.startsWith('.')
}

async function dumps(node: GentooNode): Promise<readonly string[]> {
  return await readdir(node.path(`${DUMPS}/app-acme/shop`)).catch(() => [])
}
