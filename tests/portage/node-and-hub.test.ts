/** A node from its enrolment to a rollback through the hub's binhost: the hub's own program and Portage on a real host. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { readHubNodeProgram } from '../../src/hub-node-program.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { MODULE, enrolledNode, hubNode } from './support/enrolled-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const HAS_AGE = spawnSync('age-keygen', ['--version']).status === 0
const NO_AGE = HAS_AGE ? '' : ' [skipped: no age on PATH]'
const ONE = 'app-acme/shop-1.0.0_p1'
const TWO = 'app-acme/shop-1.0.0_p2'

const RECIPE = `
install:
  files: [{from: shop.toml, to: /etc/shop/shop.toml, config: true}]
backup: {commands: ['cp /var/lib/shop-data "$HUB_BACKUP_DIR/shop.dump"'], timeout: 30s, expect: [shop.dump]}
restore: {commands: ['cp "$HUB_BACKUP_DIR/shop.dump" /var/lib/shop-data'], timeout: 30s}
schema: {version: 1}
health: {command: 'test -x /opt/shop/run', timeout: 10s}
`

async function upload(hub: TestHub, build: number): Promise<void> {
  const bytes = tarball({
    'shop/run': `#!/bin/sh\necho ${String(build)}\n`,
    'shop/shop.toml': `build = ${String(build)}\n`,
  })
  const recipe = `${RECIPE.trim()}\n`.replace('install:', 'install:\n  executables: [run]')
  const reply = await hub.upload('shop', bytes, { build: String(build), version: '1.0.0', recipe })
  if (reply.status !== 201) throw new Error(reply.text)
}

/** All that a rollback must bring back; proposals for edited files aside, which an upgrade by Portage leaves. */
async function state(node: GentooNode): Promise<string> {
  return await node.bash(
    'find /opt/shop /etc/shop ! -name "._cfg*" -printf "%p %y %m %u:%g %l\\n" -type f -exec sha256sum {} + | sort',
  )
}

interface Listed {
  readonly body: {
    readonly items: readonly { readonly id: string; readonly state: string; readonly cpv: string }[]
  }
}

const tests = (): void => {
  test('an upgrade is kept by the hub, and its binhost brings the version before back, signatures verified', async () => {
    await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme' }, { hubNode: readHubNodeProgram() })
    await upload(hub, 1)
    await using node = await enrolledNode(hub, 'web1')
    expect(await hubNode(node, '--help')).toContain('rollback')
    await client.emerge(node, 'app-acme/shop')
    await node.bash('echo row > /var/lib/shop-data; echo "mine = 1" > /etc/shop/shop.toml')
    const before = await state(node)

    await upload(hub, 2)
    await hubNode(node, 'upgrade', 'shop', '--yes')
    expect(await client.installedPackages(node)).toContain(TWO)
    const { body } = (await hub.as().get('/api/v1/nodes/web1/restore-points')) as Listed
    expect(body.items).toMatchObject([{ cpv: ONE, state: 'complete', reason: 'upgrade', schemaVersion: 1 }])
    const point = body.items[0]?.id ?? ''
    const dump = await hub.as().get(`/api/v1/nodes/web1/restore-points/${point}/dumps/shop.dump`).buffer()
    expect(String(dump.body)).toBe('row\n')

    // By Portage alone: the local copy of the point is not looked at.
    const settings = await node.bash('cat /etc/portage/binrepos.conf/*')
    expect(settings).toMatch(/^verify-signature = true$/m)
    await node.must('emerge', '--oneshot', '--getbinpkgonly', `=${ONE}`)
    expect(await client.installedPackages(node)).toContain(ONE)
    // What was edited stays edited; the package has it as it was when it was packed.
    expect(await state(node)).toBe(before)

    await hubNode(node, 'upgrade', 'shop', '--yes')
    await node.bash('echo lost >> /var/lib/shop-data')
    await hubNode(node, 'rollback', '--app', 'shop', '--with-dump', '--yes')
    expect(await state(node)).toBe(before)
    expect(await node.must('cat', '/var/lib/shop-data')).toBe('row\n')

    await hubNode(node, 'lift', 'shop')
    await hubNode(node, 'upgrade', 'shop', '--yes')
    const asked = await hub
      .as()
      .post('/api/v1/rollbacks')
      .send({ node: 'web1', app: 'shop', restorePoint: point })
    expect(asked.status, asked.text).toBe(201)
    await hubNode(node, 'run', '--once')
    expect(await client.installedPackages(node)).toContain(ONE)
    const ended = (await hub.as().get(`/api/v1/rollbacks/${String(asked.body.id)}`)).body as object
    expect(ended).toMatchObject({ state: 'done' })
    await hubNode(node, 'report')
    const shown = (await hub.as().get('/api/v1/nodes/web1')).body as { packages: readonly object[] }
    expect(JSON.stringify(shown)).toContain(ONE)
  })

  test('a node that lost its restore points takes them back from the hub', async () => {
    await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme' }, { hubNode: readHubNodeProgram() })
    await upload(hub, 1)
    await using node = await enrolledNode(hub, 'web1')
    await client.emerge(node, 'app-acme/shop')
    await node.bash('echo row > /var/lib/shop-data; echo "mine = 1" > /etc/shop/shop.toml')
    const before = await state(node)
    await upload(hub, 2)
    await hubNode(node, 'upgrade', 'shop', '--yes')
    const { body } = (await hub.as().get('/api/v1/nodes/web1/restore-points')) as Listed
    const point = body.items[0]?.id ?? ''
    await node.bash('rm -r /var/lib/portage-hub/restore-points; echo lost >> /var/lib/shop-data')

    expect(await hubNode(node, 'points')).not.toContain(point)
    expect(await hubNode(node, 'points', '--at-hub')).toContain(
      `${point}  ${ONE}  upgrade  complete  only at`,
    )
    expect(await hubNode(node, 'points', '--fetch', point)).toContain('fetched')
    await hubNode(node, 'rollback', point, '--with-dump', '--yes')
    expect(await client.installedPackages(node)).toContain(ONE)
    expect(await state(node)).toBe(before)
    expect(await node.must('cat', '/var/lib/shop-data')).toBe('row\n')
  })

  test.skipIf(!HAS_AGE)(
    `a node takes back and opens a restore point that it sealed for the hub${NO_AGE}`,
    async () => {
      await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme' }, { hubNode: readHubNodeProgram() })
      await upload(hub, 1)
      await using node = await enrolledNode(hub, 'web1')
      await client.emerge(node, 'app-acme/shop')
      await node.bash('echo row > /var/lib/shop-data; echo "password = k9" > /etc/shop/shop.toml')
      const operator = await node.bash(
        'age-keygen -o /etc/operator.key 2> /dev/null; age-keygen -y /etc/operator.key',
      )
      await node.write('etc/portage/hub-node.json', JSON.stringify({ encryptTo: [operator.trim()] }))
      const before = await state(node)
      await upload(hub, 2)
      const said = await hubNode(node, 'upgrade', 'shop', '--yes')
      const { body } = (await hub.as().get('/api/v1/nodes/web1/restore-points')) as Listed
      expect(body.items).toMatchObject([{ cpv: ONE, state: 'complete', encrypted: true }])
      const point = body.items[0]?.id ?? ''
      const dump = await hub.as().get(`/api/v1/nodes/web1/restore-points/${point}/dumps/shop.dump`).buffer()
      expect(String(dump.body)).toMatch(/^age-encryption\.org\//)
      const token = (await node.read('etc/portage/hub/.netrc')).trim().split(' ').at(-1) ?? ''
      const index = await hub.as(token).get('/binhost/nodes/web1/Packages').buffer()
      expect([index.status, String(index.body).includes(ONE)]).toEqual([200, false])

      // Another machine in its place, without its key: only an operator's opens what the hub has.
      await node.bash(`rm -r /var/lib/portage-hub/restore-points; mv /var/lib/portage-hub/age.key /etc/own.key
      echo lost >> /var/lib/shop-data`)
      const sealed = await node.run(
        'env',
        ...MODULE,
        'hub-node',
        'rollback',
        point,
        '--with-dump',
        '--yes',
        '--json',
      )
      expect([sealed.status, sealed.output]).toEqual([23, expect.stringContaining('"code": "point.sealed"')])
      expect(await hubNode(node, 'points', '--fetch', point, '--identity', '/etc/operator.key')).toContain(
        'fetched',
      )
      await node.bash(
        'rm -r /var/lib/portage-hub/restore-points; mv /etc/own.key /var/lib/portage-hub/age.key',
      )
      const back = await hubNode(node, 'rollback', point, '--with-dump', '--yes')
      expect(await client.installedPackages(node)).toContain(ONE)
      expect(await state(node)).toBe(before)
      expect(await node.must('cat', '/var/lib/shop-data')).toBe('row\n')
      expect(
        await node.must('find', '/var/lib/portage-hub', '-maxdepth', '3', '-type', 'd', '-perm', '/077'),
      ).toBe('')
      const [, secret = ''] =
        /(AGE-SECRET-KEY-\S+)/.exec(await node.read('var/lib/portage-hub/age.key')) ?? []
      expect(secret).not.toBe('')
      expect(`${said}${back}${sealed.output}`).not.toContain(secret)
    },
    400_000,
  )

  test('neither of two nodes reads the other, and a hub that is down hinders no rollback', async () => {
    const hub = await createTestHub({ HUB_CATEGORY: 'app-acme' }, { hubNode: readHubNodeProgram() })
    try {
      await upload(hub, 1)
      await using node = await enrolledNode(hub, 'web1')
      await using other = await enrolledNode(hub, 'web2')
      await client.emerge(node, 'app-acme/shop')
      await node.bash('echo row > /var/lib/shop-data')
      await upload(hub, 2)
      await hubNode(node, 'upgrade', 'shop', '--yes')
      const token = (await other.read('etc/portage/hub/.netrc')).trim().split(' ').at(-1) ?? ''
      for (const path of ['/binhost/nodes/web1/Packages', '/api/v1/nodes/web1/restore-points'])
        expect((await hub.as(token).get(path)).status).toBe(403)
      await hub[Symbol.asyncDispose]()
      await hubNode(node, 'rollback', '--app', 'shop', '--yes')
      expect(await client.installedPackages(node)).toContain(ONE)
    } finally {
      await hub[Symbol.asyncDispose]()
    }
  })
}

describeWithPortage('a node and its hub', tests)
