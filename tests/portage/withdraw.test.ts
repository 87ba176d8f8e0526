/** Masks on the real Portage: a withdrawn release, and masks kept by hand. */
import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { openNode } from './support/gentoo-node.ts'
import * as client from './support/portage-client.ts'
import { describeWithPortage } from './support/portage.ts'

const SETTINGS = { HUB_CATEGORY: 'app-acme', HUB_ANONYMOUS_READ: 'staging' }

const tests = (): void => {
  test('a withdrawn version is masked with its reason, and a host that runs it goes back to the one before', async () => {
    await using hub = await createTestHub(SETTINGS)
    await upload(hub, 1)
    await upload(hub, 2)
    await using node = await openNode('withdraw')
    await client.follow(node, hub, { environment: 'staging' })
    await client.emerge(node, 'app-acme/shop')
    expect(await node.read('opt/shop/bin/shop')).toBe('build 2')

    await withdraw(hub, 2, 'It sells everything for nothing.')
    await client.sync(node, 'staging')
    const refused = await node.run('emerge', '--pretend', '=app-acme/shop-1.0.0_p2')
    expect(refused.status).toBe(1)
    expect(refused.output).toContain('(masked by: package.mask)')
    expect(refused.output).toContain('# It sells everything for nothing.')
    expect(await node.must('emerge', '-pu', 'app-acme/shop')).toMatch(
      /ebuild +UD +\] app-acme\/shop-1\.0\.0_p1 \[1\.0\.0_p2\]/,
    )
    expect(await node.must('emerge', '-pu', '@world')).toMatch(/ebuild +UD +\] app-acme\/shop-1\.0\.0_p1/)
    await client.emerge(node, '--update', 'app-acme/shop')
    expect(await client.installedPackages(node)).toEqual(['app-acme/shop-1.0.0_p1'])
    expect(await node.read('opt/shop/bin/shop')).toBe('build 1')

    await upload(hub, 3)
    await client.sync(node, 'staging')
    expect(await node.must('emerge', '-pu', 'app-acme/shop')).toMatch(
      /ebuild +U +\] app-acme\/shop-1\.0\.0_p3/,
    )
    expect(await client.sourcedMetadata(node)).toEqual([])
  })

  test('a mask kept by hand counts beside the hub’s own, and ends when it is taken away', async () => {
    await using hub = await createTestHub(SETTINGS)
    for (const build of [1, 2, 3]) await upload(hub, build)
    await withdraw(hub, 3, 'Slow.')
    const url = '/api/v1/environments/staging/files/profiles/package.mask/extra'
    const mask = '# Jo (2026-01-02)\n# Waits for the other team.\n=app-acme/shop-1.0.0_p2\n'
    const put = await hub.as().put(url).type('text/plain').send(mask)
    expect(put.status, put.text).toBe(200)
    await using node = await openNode('mask')
    await client.follow(node, hub, { environment: 'staging' })
    expect(await node.must('emerge', '-p', 'app-acme/shop')).toContain('app-acme/shop-1.0.0_p1 ')
    const refused = await node.run('emerge', '--pretend', '=app-acme/shop-1.0.0_p2')
    expect(refused.status).toBe(1)
    expect(refused.output).toContain('# Waits for the other team.')

    expect((await hub.as().delete(url)).status).toBe(200)
    await client.sync(node, 'staging')
    expect(await node.must('emerge', '-p', 'app-acme/shop')).toContain('app-acme/shop-1.0.0_p2 ')
    expect((await node.run('emerge', '-p', '=app-acme/shop-1.0.0_p3')).output).toContain('# Slow.')
  })
}

describeWithPortage('withdraw and mask', tests, { concurrent: true })

async function upload(hub: TestHub, build: number): Promise<void> {
  const fields = { build: String(build), version: '1.0.0' }
  const reply = await hub.upload('shop', tarball({ 'shop-1/bin/shop': `build ${build}` }), fields)
  expect(reply.status, reply.text).toBe(201)
}

async function withdraw(hub: TestHub, build: number, reason: string): Promise<void> {
  const list = await hub.as().get('/api/v1/environments/staging/releases')
  const { items } = list.body as { items: readonly { id: string; build: number }[] }
  const id = items.find((release) => release.build === build)?.id ?? ''
  const reply = await hub.as().post(`/api/v1/environments/staging/releases/${id}/withdraw`).send({ reason })
  expect(reply.status, reply.text).toBe(200)
}
