/** What cuts an upgrade on the real Portage after its first change: kills, and disks without room. */
import { expect, test } from 'vitest'
import { UPGRADE_ENDS, UPGRADE_WAITS } from '../support/hub-node-steps.ts'
import { createTestHub } from '../support/test-hub.ts'
import { openNode } from './support/gentoo-node.ts'
import {
  hostWithShop,
  hubNode,
  hubNodeKilledAt,
  pointFolders,
  pointIds,
  shopState,
} from './support/hub-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const HUB = { HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' }
const ONE = 'app-acme/shop-1.0.0_p1'
const HOOK = 'var/lib/shop-test/hooks/preinst-2'
const TWO = 'app-acme/shop-1.0.0_p2'

const tests = (): void => {
  test('killed once the build is in, an upgrade is ended by the next run, or waits for its confirmation', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('killed-late')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
    const before = await shopState(node)
    for (const step of [...UPGRADE_ENDS, ...UPGRADE_WAITS]) {
      const waits = UPGRADE_WAITS.some((name) => name === step)
      const how = waits ? ['--lift', '--confirm-within', '10m'] : ['--lift']
      const killed = await hubNodeKilledAt(node, step, 'upgrade', 'shop', ...how)
      expect(killed.status, killed.output).toBe(137)
      expect(await node.read('opt/shop/bin/shop')).toBe('build 2')
      const next = await hubNode(node, 'confirm')
      const ended = waits ? next.result : next.result['recovered']
      expect(ended, next.output).toMatchObject({ result: 'upgraded', from: ONE, to: TWO })
      expect(await client.installedPackages(node)).toEqual([TWO])
      const back = await hubNode(node, 'rollback', '--yes')
      expect(back.status, back.output).toBe(0)
      expect(await shopState(node)).toBe(before)
    }
  })

  test('a disk that is full stops an upgrade: at its backup nothing is changed, and while it merges one version is whole', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('disk-full')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
    const before = await shopState(node)
    const refused = await node.bash(upgradeOnFullDisk('/var/lib/portage-hub'))
    // Whether there is a page left for the journal, the size of the disk decides.
    expect(refused).toMatch(/"result": "unchanged", .*"code": "(backup\.failed|node\.no_room)"/)
    expect(refused).not.toContain('Traceback')
    expect(await shopState(node)).toBe(before)
    expect(await pointFolders(node)).toEqual([])

    const merged = await node.bash(upgradeOnFullDisk('/opt/shop'))
    expect(merged).toMatch(/"code": "(merge|revert)\.failed"/)
    expect(merged).toMatch(/^same files$/m)
    expect(await client.installedPackages(node)).toEqual([ONE])
    // With room again, the point that the upgrade made brings the rest back.
    const [point = ''] = await pointIds(node)
    const back = await hubNode(node, 'rollback', point, '--yes')
    expect(back.status, back.output).toBe(0)
    expect(await shopState(node)).toBe(before)
    await hubNode(node, 'lift', 'shop')
    expect((await hubNode(node, 'upgrade', 'shop')).status).toBe(0)
  })

  test('of a merge that ran out of room no configuration is left: what is new goes, and what was replaced comes back', async () => {
    await using hub = await createTestHub(HUB)
    await using node = await openNode('half-merged')
    await hostWithShop(node, hub, [{ build: 1 }, { build: 2 }])
    const original = await node.read('etc/shop/plain.toml')
    await node.bash('for name in plain only-1; do echo mine > /etc/shop/$name.toml; done')
    const edited = await node.bash(ETC)
    // The program's own file is not among what is merged: nothing but configuration could be replaced.
    await node.write(HOOK, `${LINK_AT_LAST}rm -r "$D/opt/shop/bin"\n`, 0o755)
    const unchanged = await node.bash(UPGRADE_WITHOUT_ROOM)
    expect(unchanged).toContain('"code": "merge.failed"')
    expect(unchanged).toContain('"status": 20')
    expect(unchanged).toContain('files of app-acme/shop-1.0.0_p2 are left behind, such as /opt/shop/only-2')
    expect(await node.bash(ETC)).toBe(edited)

    await node.write('etc/shop/plain.toml', original)
    const unedited = await node.bash(ETC)
    await node.write(HOOK, LINK_AT_LAST, 0o755)
    const back = await node.bash(UPGRADE_WITHOUT_ROOM)
    expect(back).toContain('but overwrote /etc/shop/plain.toml')
    expect(back).toContain('"status": 21')
    expect(await node.bash(ETC)).toBe(unedited)
    expect(await client.installedPackages(node)).toEqual([ONE])
    await node.bash(`rm /${HOOK}`)
    expect((await hubNode(node, 'upgrade', '--lift', 'shop')).status).toBe(0)
  })
}

/** A phase of build 2 that adds a link to nothing, which Portage merges after everything else. */
const LINK_AT_LAST = '#!/bin/sh -e\nln -s nowhere "$D/var/lib/shop/last"\n'

/** An upgrade on a host where there is no room for that link. */
const UPGRADE_WITHOUT_ROOM = `
  mkdir -p /tmp/shop; cp -a /var/lib/shop/. /tmp/shop
  mount -t tmpfs -o nr_inodes=8 none /var/lib/shop; cp -a /tmp/shop/. /var/lib/shop
  while mkdir "$(mktemp -u /var/lib/shop/XXXXXX)"; do :; done 2> /dev/null
  hub-node upgrade --lift shop --json || true
`

/** All configuration of the app, its proposals, and Portage's memory of them. */
const ETC = `
  shopt -s nullglob
  find /etc/shop.toml /etc/shop /etc/._cfg* -printf '%p %y %m %U:%G %l\\n' | sort
  find /etc/shop.toml /etc/shop /etc/._cfg* -type f -exec sha256sum {} + | sort -k 2
  cat /var/lib/portage/config || true
`

/** An upgrade while a folder is on a disk that has no room, and whether the files that are there stayed the same. */
function upgradeOnFullDisk(folder: string): string {
  return `
    mkdir -p ${folder} /tmp/copy; cp -a ${folder}/. /tmp/copy
    mount -t tmpfs -o size=1m none ${folder}; cp -a /tmp/copy/. ${folder}
    head -c 2m /dev/zero > ${folder}/fills-the-disk || true
    hub-node upgrade shop --json || true
    rm ${folder}/fills-the-disk; rm -rf ${folder}/state
    if diff -r --no-dereference /tmp/copy ${folder}; then echo; echo same files; fi
    rm -r /tmp/copy`
}

describeWithPortage('upgrades that are cut', tests, { concurrent: true, timeoutMs: 600_000 })
