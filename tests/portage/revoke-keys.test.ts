/** A node whose hub revokes both of its keys: it refuses what they signed, and takes what the hub signed again. */
import { expect, test } from 'vitest'
import { readHubNodeProgram } from '../../src/hub-node-program.ts'
import { tendKeys } from '../../src/jobs/tend-keys.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { enrolAs, enrolledNode, hubNode } from './support/enrolled-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const cpvOf = (build: number): string => `app-acme/shop-1.0.0_p${String(build)}`

async function upload(hub: TestHub, build: number): Promise<void> {
  const bytes = tarball({ 'shop/run': `build ${String(build)}\n` })
  const reply = await hub.upload('shop', bytes, { build: String(build), version: '1.0.0' })
  if (reply.status !== 201) throw new Error(reply.text)
}

/** The keys of a keyring, by their validity: `r` is revoked. */
async function keysIn(node: GentooNode, keyring: string): Promise<Readonly<Record<string, string>>> {
  const listed = await node.must('gpg', '--homedir', keyring, '--batch', '--list-keys', '--with-colons')
  const found = listed.matchAll(/^pub:(.):.*\nfpr:+([0-9A-F]{40}):/gm)
  return Object.fromEntries(Array.from(found, ([, validity = '', name = '']) => [name, validity]))
}

/** Both keys give way to new ones and are revoked; the fingerprints of old and new by purpose. */
async function revokeBoth(hub: TestHub) {
  const pairs: (readonly [string, string])[] = []
  for (const purpose of ['overlay', 'binhost'] as const) {
    const old = hub.hub.keys[purpose].current.fingerprint
    const made = await hub.as().post('/api/v1/keys').send({ purpose, overlap: '0s' })
    expect(made.status, made.text).toBe(201)
    const reply = await hub.as().post(`/api/v1/keys/${old}/revoke`).send({ reason: 'compromised' })
    expect(reply.status, reply.text).toBe(200)
    pairs.push([old, hub.hub.keys[purpose].current.fingerprint])
  }
  return { overlay: pairs[0] ?? ['', ''], binhost: pairs[1] ?? ['', ''] } as const
}

const tests = (): void => {
  test('a package of the revoked key is refused, and the same signed again is installed', async () => {
    await using hub = await createTestHub(
      { HUB_CATEGORY: 'app-acme' },
      { hubNode: readHubNodeProgram(), jobs: false },
    )
    await upload(hub, 1)
    await using node = await enrolledNode(hub, 'web1')
    await client.emerge(node, 'app-acme/shop')
    await upload(hub, 2)
    await client.sync(node, 'staging')
    await hubNode(node, 'upgrade', 'shop', '--yes')
    const goBack = ['emerge', '--oneshot', '--getbinpkgonly', `=${cpvOf(1)}`]
    await node.must(...goBack)
    await node.must('emerge', '--oneshot', `=${cpvOf(2)}`)

    const { overlay, binhost } = await revokeBoth(hub)
    await hubNode(node, 'keys')
    expect(await keysIn(node, '/etc/portage/hub/gnupg')).toEqual({ [overlay[0]]: 'r', [overlay[1]]: 'u' })
    expect(await keysIn(node, '/etc/portage/gnupg')).toMatchObject({ [binhost[0]]: 'r', [binhost[1]]: 'u' })
    // The overlay is signed anew, the package not yet: neither the hub's nor the copy in PKGDIR is taken.
    expect(await client.sync(node, 'staging')).toContain('Trusted signature found on top commit')
    const refused = await node.run(...goBack)
    expect(refused.status, refused.output).not.toBe(0)
    expect(refused.output).toMatch(/GnuPG verification failed|not usable \(verification failed\)/)
    expect(await client.installedPackages(node)).toContain(cpvOf(2))

    await tendKeys(hub.hub)
    await node.must(...goBack)
    expect(await client.installedPackages(node)).toContain(cpvOf(1))
    expect(await enrolAs(node, hub, 'web1', 'none')).toContain('Nothing changed')
  }, 540_000)
}

describeWithPortage('a revocation of keys', tests)
