/** A node that was enrolled before a rotation goes on through it, with every signature checked, and nobody touches it. */
import { expect, test } from 'vitest'
import { readHubNodeProgram } from '../../src/hub-node-program.ts'
import { signersOf } from '../../src/storage/signing-key.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { enrolledNode, hubNode } from './support/enrolled-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const cpvOf = (build: number): string => `app-acme/shop-1.0.0_p${String(build)}`

async function upload(hub: TestHub, build: number): Promise<void> {
  const bytes = tarball({ 'shop/run': `build ${String(build)}\n` })
  const reply = await hub.upload('shop', bytes, { build: String(build), version: '1.0.0' })
  if (reply.status !== 201) throw new Error(reply.text)
}

/** A revision is synced and installed; then the build before comes back from the binhost, by Portage alone. */
async function upgradeAndReturn(hub: TestHub, node: GentooNode, build: number): Promise<void> {
  await upload(hub, build)
  expect(await client.sync(node, 'staging')).toContain('Trusted signature found on top commit')
  await hubNode(node, 'upgrade', 'shop', '--yes')
  expect(await client.installedPackages(node)).toContain(cpvOf(build))
  await node.must('emerge', '--oneshot', '--getbinpkgonly', `=${cpvOf(build - 1)}`)
  expect(await client.installedPackages(node)).toContain(cpvOf(build - 1))
}

async function signerOfTip(hub: TestHub): Promise<string | undefined> {
  const newest = await hub.hub.records.overlays.newestRevision('staging')
  return (await signersOf(newest?.signature ?? ''))[0]
}

const tests = (): void => {
  test('before, during and after a rotation of both keys a node syncs and installs', async () => {
    await using hub = await createTestHub({ HUB_CATEGORY: 'app-acme' }, { hubNode: readHubNodeProgram() })
    await upload(hub, 1)
    await using node = await enrolledNode(hub, 'web1')
    expect(await node.bash('cat /etc/portage/binrepos.conf/*')).toMatch(/^verify-signature = true$/m)
    await client.emerge(node, 'app-acme/shop')
    await upgradeAndReturn(hub, node, 2)
    const [old] = hub.hub.overlayKeys.fingerprints

    for (const purpose of ['overlay', 'binhost']) {
      const reply = await hub.as().post('/api/v1/keys').send({ purpose })
      expect(reply.status, reply.text).toBe(201)
    }
    await hubNode(node, 'run', '--once')
    await upgradeAndReturn(hub, node, 3)
    expect(await signerOfTip(hub)).toBe(old?.slice(-16))

    hub.clock.set('2026-01-10T03:04:05Z')
    await upgradeAndReturn(hub, node, 4)
    await upgradeAndReturn(hub, node, 5)
    const { overlayKeys, binhostKeys } = hub.hub
    expect(await signerOfTip(hub)).toBe(overlayKeys.current.fingerprint.slice(-16))
    expect(overlayKeys.current.fingerprint).not.toBe(old)
    expect(binhostKeys.keys.map((key) => binhostKeys.stateOf(key))).toEqual(['retiring', 'active'])
    // What the retired key has signed is still good.
    await node.must('emerge', '--oneshot', '--getbinpkgonly', `=${cpvOf(1)}`)
    expect(await client.installedPackages(node)).toContain(cpvOf(1))
  }, 540_000)
}

describeWithPortage('a rotation of keys', tests)
