/** A rollback of a whole environment on real hosts: every node goes back by itself, and nothing brings the build back. */
import { expect, test } from 'vitest'
import { readHubNodeProgram } from '../../src/hub-node-program.ts'
import { cliOf } from '../cli/support.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { enrolledNode, hubNode } from './support/enrolled-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const ONE = 'app-acme/shop-1.0.0_p1'
const TWO = 'app-acme/shop-1.0.0_p2'
const UPDATE = ['emerge', '--update', '--oneshot', '--quiet', 'app-acme/shop']

async function upload(hub: TestHub, build: number): Promise<void> {
  const fields = { build: String(build), version: '1.0.0' }
  const reply = await hub.upload('shop', tarball({ 'shop/run': `build ${String(build)}\n` }), fields)
  if (reply.status !== 201) throw new Error(reply.text)
}

/** An enrolled host with build 1. */
async function nodeWithBuildOne(hub: TestHub, name: string): Promise<GentooNode> {
  const node = await enrolledNode(hub, name)
  await client.emerge(node, 'app-acme/shop')
  return node
}

const tests = (): void => {
  test('every node goes back at its next contact, and neither an update nor a new node has the build before the hold is lifted', async () => {
    await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme' }, { hubNode: readHubNodeProgram() })
    await upload(hub, 1)
    await using web1 = await nodeWithBuildOne(hub, 'web1')
    await using web2 = await nodeWithBuildOne(hub, 'web2')
    await using web3 = await nodeWithBuildOne(hub, 'web3')
    await upload(hub, 2)
    for (const node of [web1, web2]) {
      await hubNode(node, 'upgrade', 'shop', '--yes')
      expect(await client.installedPackages(node)).toContain(TWO)
    }
    // The hub goes by what each node reported last.
    for (const node of [web1, web2, web3]) await hubNode(node, 'report')

    const cli = cliOf(hub)
    const wish = ['rollback', 'shop', '--everywhere', '--environment', 'staging', '--to', '1']
    const asked = await cli(...wish, '--reason', 'it charges twice', '--yes')
    expect(asked.status, asked.stderr).toBe(0)
    for (const node of [web1, web2]) {
      await hubNode(node, 'run', '--once')
      expect(await client.installedPackages(node)).toContain(ONE)
    }
    const { items } = (await hub.as().get('/api/v1/rollbacks')).body as {
      readonly items: readonly { readonly node: string; readonly state: string }[]
    }
    expect(items.map(({ node, state }) => `${node} ${state}`).sort()).toEqual(['web1 done', 'web2 done'])

    // web3 never had build 2: its ordinary update does not bring it.
    for (const node of [web1, web2, web3]) {
      await client.sync(node, 'staging')
      await node.must(...UPDATE)
      expect(await client.installedPackages(node)).toContain(ONE)
    }
    const holds = (await hub.as().get('/api/v1/holds')).body as { readonly items: readonly { id: string }[] }
    const lifted = await cli('hold', 'lift', holds.items[0]?.id ?? '', '--reason', 'it charges once')
    expect(lifted.status, lifted.stderr).toBe(0)
    await client.sync(web3, 'staging')
    await web3.must(...UPDATE)
    expect(await client.installedPackages(web3)).toContain(TWO)
  })
}

describeWithPortage('a rollback of a whole environment', tests, { concurrent: true, timeoutMs: 600_000 })
