/** The program of nodes in the overlays. */
import { describe, expect, test } from 'vitest'
import { planHubNode } from '../../src/overlays/plan-hub-node.ts'
import { parseMd5Cache } from '../../src/gentoo/md5-cache.ts'
import { EMPTY_TREE } from '../../src/git/tree.ts'
import { send } from '../support/raw-http.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { tarball } from '../support/tarballs.ts'
import { findingsOf } from '../support/verify.ts'
import { HUB_VERSION } from '../../src/version.ts'

const FOLDER = 'app-portage/hub-node'
const FIRST = Buffer.from('#!/usr/bin/env python3\nprint(1)\n')
const SECOND = Buffer.from('#!/usr/bin/env python3\nprint(2)\n')

async function shown(hub: TestHub, path: string): Promise<string | null> {
  const reply = await send(hub.url, { path: `/overlays/staging/tree/${path}` })
  return reply.status === 404 ? null : reply.text
}

async function listed(hub: TestHub, path: string): Promise<readonly string[]> {
  const text = await shown(hub, path)
  const { items } = JSON.parse(text ?? '{"items":[]}') as { items: readonly { name: string }[] }
  return items.map(({ name }) => name)
}

async function put(hub: TestHub, path: string, content: string | null): Promise<string> {
  const method = content === null ? 'DELETE' : 'PUT'
  const body = content === null ? {} : { body: Buffer.from(content) }
  const reply = await send(hub.url, { method, path: `/api/v1/environments/staging/files/${path}`, ...body })
  return reply.status === 200 ? 'done' : (reply.json as { code: string }).code
}

const revision = (hub: TestHub) => hub.hub.overlays.get('staging')?.state?.revision

test('is in the first revision, whole, and every check of the hub passes', async () => {
  await using hub = await createTestHub({}, { hubNode: FIRST })
  expect(revision(hub)).toBe(1)
  expect(await listed(hub, FOLDER)).toEqual(['files', `hub-node-${HUB_VERSION}.ebuild`, 'metadata.xml'])
  expect(await shown(hub, `${FOLDER}/files/hub-node`)).toBe(FIRST.toString())
  expect(await listed(hub, `${FOLDER}/files`)).toEqual(['hub-node', 'hub-node.initd', 'hub-node.service'])
  const ebuild = (await shown(hub, `${FOLDER}/hub-node-${HUB_VERSION}.ebuild`)) ?? ''
  expect(ebuild).toContain(`newinitd "\${FILESDIR}/"'hub-node.initd' 'hub-node'\n`)
  expect(ebuild).toContain(`insinto /usr/lib/systemd/system\n\tdoins "\${FILESDIR}/"'hub-node.service'\n`)
  expect(await shown(hub, 'profiles/categories')).toContain('app-portage\n')
  const cache = parseMd5Cache((await shown(hub, `metadata/md5-cache/${FOLDER}-${HUB_VERSION}`)) ?? '')
  expect(cache.get('DEFINED_PHASES')).toBe('install')
  await hub.upload('shop', tarball({ a: '' }), { build: '1' })
  expect(await shown(hub, 'profiles/categories')).toBe('app-hub\napp-portage\n')
  expect(await findingsOf(hub.directory)).toEqual([])
})

test('gets the next revision when its text changed, and makes none when it did not', async () => {
  await using first = await createTestHub({ HUB_PUBLIC_URL: 'https://hub.example' }, { hubNode: FIRST })
  await using same = await first.restart()
  expect(revision(same)).toBe(1)
  await using changed = await same.restart(undefined, { hubNode: SECOND })
  expect(revision(changed)).toBe(2)
  expect(await listed(changed, FOLDER)).toEqual([
    'files',
    `hub-node-${HUB_VERSION}-r1.ebuild`,
    'metadata.xml',
  ])
  expect(await shown(changed, `${FOLDER}/files/hub-node`)).toBe(SECOND.toString())
  expect(await listed(changed, 'metadata/md5-cache/app-portage')).toEqual([`hub-node-${HUB_VERSION}-r1`])
  await using back = await changed.restart(undefined, { hubNode: FIRST })
  expect(await listed(back, FOLDER)).toContain(`hub-node-${HUB_VERSION}-r2.ebuild`)
})

test('leaves other packages of its category as they are', async () => {
  await using hub = await createTestHub({ HUB_PUBLIC_URL: 'https://hub.example' })
  for (const path of ['app-portage/mine/mine-1.ebuild', 'app-portage/hub-node-extra/metadata.xml'])
    expect(await put(hub, path, 'EAPI=8\n')).toBe('done')
  await using later = await hub.restart(undefined, { hubNode: FIRST })
  expect(await listed(later, 'app-portage')).toEqual(['hub-node-extra', 'hub-node', 'mine'])
  expect(await shown(later, 'app-portage/mine/mine-1.ebuild')).toBe('EAPI=8\n')
  expect(await put(later, 'app-portage/mine/mine-2.ebuild', 'EAPI=8\n')).toBe('done')
})

test('cannot be changed by hand; what was kept there by hand before stays, until it is taken away', async () => {
  await using hub = await createTestHub({ HUB_PUBLIC_URL: 'https://hub.example' })
  const mine = `${FOLDER}/hub-node-9.ebuild`
  expect(await put(hub, mine, 'EAPI=8\n')).toBe('done')
  await using later = await hub.restart(undefined, { hubNode: FIRST })
  expect(await listed(later, FOLDER)).toEqual(['hub-node-9.ebuild'])
  expect(await put(later, mine, 'EAPI=7\n')).toBe('overlay.path_refused')
  expect(await put(later, mine, null)).toBe('done')
  await using last = await later.restart()
  expect(await listed(last, FOLDER)).toContain(`hub-node-${HUB_VERSION}.ebuild`)
  expect(await put(last, `${FOLDER}/files/hub-node`, null)).toBe('overlay.path_refused')
  expect(await put(last, `${FOLDER}/files/hub-node`, 'x')).toBe('overlay.path_refused')
})

describe('its version', () => {
  test.each([
    ['0.1.0', '0.1.0'],
    ['1.2.0-rc.3', '1.2.0_rc3'],
    ['2.0.0-beta+abc', '2.0.0_beta'],
  ])('is %s of the hub: %s', (version, pv) => {
    const plan = planHubNode(EMPTY_TREE, { content: FIRST, version }, ['amd64'])
    expect([...plan.keys()]).toContain(`${FOLDER}/hub-node-${pv}.ebuild`)
  })
})
