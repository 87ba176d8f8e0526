/** Pins: builds that no retention takes away. */
import { expect, test } from 'vitest'
import { cliOf } from '../cli/support.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { findingsOf } from '../support/verify.ts'

async function upload(hub: TestHub, ...builds: readonly number[]): Promise<void> {
  for (const build of builds) {
    const reply = await hub.upload('shop', tarball({ f: String(build) }), { build: String(build) })
    expect(reply.status, reply.text).toBe(201)
  }
}
const say = async (hub: TestHub, verb: 'pin' | 'unpin', build: number, body: object = {}, query = '') =>
  await hub
    .as()
    .post(`/api/v1/apps/shop/builds/${String(build)}/${verb}${query}`)
    .send(body)
async function listed(hub: TestHub, environment = 'staging'): Promise<readonly string[]> {
  const { body } = await hub.as().get(`/overlays/${environment}/tree/app-hub/shop`)
  const names = ((body.items ?? []) as { readonly name: string }[]).map(({ name }) => name)
  return names.flatMap((name) => /_p(\d+)\.ebuild$/.exec(name)?.[1] ?? [])
}

test('a pinned build stays listed beside the newest, until somebody unpins it', async () => {
  await using hub = await createTestHub({ HUB_KEEP_RELEASES: '2' })
  await upload(hub, 1, 2)
  const pinned = await say(hub, 'pin', 1, { reason: 'what the auditors saw' })
  expect(pinned.status, pinned.text).toBe(201)
  expect(pinned.body).toEqual({
    ...{ app: 'shop', build: 1, reason: 'what the auditors saw', pinnedBy: 'HUB_ADMIN_TOKEN' },
    ...{ pinnedAt: '2026-01-02T03:04:05Z', published: [] },
  })
  await upload(hub, 3, 4)
  expect(await listed(hub)).toEqual(['1', '3', '4'])
  expect((await hub.as().get('/overlays/staging/tree/app-hub/shop/Manifest')).text).toContain('shop-0_p1.tar')
  expect((await hub.as().get('/api/v1/apps/shop/builds/1')).body.pinned).toEqual({
    ...{ reason: 'what the auditors saw', by: 'HUB_ADMIN_TOKEN', at: '2026-01-02T03:04:05Z' },
  })
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
  const unpinned = await say(hub, 'unpin', 1)
  expect(unpinned.body.published).toMatchObject([{ environment: 'staging', revision: 6 }])
  expect(await listed(hub)).toEqual(['3', '4'])
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
})

test('one that had left the list comes back where it was released, and nowhere else', async () => {
  await using hub = await createTestHub({ HUB_KEEP_RELEASES: '1' })
  await upload(hub, 1, 2)
  expect((await hub.promote('shop', 2, 'production')).status).toBe(201)
  expect(await listed(hub)).toEqual(['2'])
  const dry = await say(hub, 'pin', 1, { reason: 'x' }, '?dryRun=true')
  expect(dry.body).toMatchObject({ dryRun: true, published: [{ environment: 'staging', commit: null }] })
  expect([(await hub.as().get('/api/v1/apps/shop/builds/1')).body.pinned, await listed(hub)]).toEqual([
    null,
    ['2'],
  ])
  await say(hub, 'pin', 1, { reason: 'x' })
  expect(await listed(hub)).toEqual(['1', '2'])
  expect(await listed(hub, 'production')).toEqual(['2'])
})

test('a withdrawn or yanked build that is pinned is listed and masked', async () => {
  await using hub = await createTestHub({ HUB_KEEP_RELEASES: '1' })
  await upload(hub, 1, 2)
  await hub.as().post('/api/v1/apps/shop/builds/1/yank').send({ reason: 'it loses orders' })
  const mask = '/overlays/staging/tree/profiles/package.mask/portage-hub-held'
  expect((await hub.as().get(mask)).status).toBe(404)
  await say(hub, 'pin', 1, { reason: 'evidence' })
  expect((await hub.as().get(mask)).text).toContain('# Yanked: it loses orders\n=app-hub/shop-0_p1\n')
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
})

test('a build is pinned once and unpinned once, also by two at the same time; a reason is needed', async () => {
  await using hub = await createTestHub()
  await upload(hub, 1)
  expect((await say(hub, 'pin', 1)).body).toMatchObject({ status: 400, code: 'request.invalid' })
  expect((await say(hub, 'pin', 9, { reason: 'x' })).body).toMatchObject({ code: 'build.unknown' })
  const pins = [say(hub, 'pin', 1, { reason: 'x' }), say(hub, 'pin', 1, { reason: 'y' })]
  expect((await Promise.all(pins)).map(({ status }) => status).toSorted()).toEqual([201, 409])
  expect((await say(hub, 'pin', 1, { reason: 'x' })).body).toMatchObject({ status: 409, code: 'pin.exists' })
  const ends = await Promise.all([say(hub, 'unpin', 1), say(hub, 'unpin', 1)])
  expect(ends.map(({ status }) => status).toSorted()).toEqual([200, 404])
  expect((await say(hub, 'unpin', 1, { reason: 'x' })).body).toMatchObject({ code: 'pin.unknown' })
})

test('the command line pins and unpins', async () => {
  await using hub = await createTestHub({ HUB_KEEP_RELEASES: '1' })
  await upload(hub, 1, 2)
  const cli = cliOf(hub)
  expect((await cli('pin', 'shop', '2', '--reason', 'audit')).stdout).toBe(
    'shop build 2 is pinned; no overlay changes.\n',
  )
  expect((await cli('pin', 'shop', '1', '--reason', 'audit')).stdout).toBe(
    'shop build 1 is pinned:\n  staging: revision 4 of its overlay\n',
  )
  expect((await cli('build', 'shop', '1')).stdout).toMatch(/pinned +by HUB_ADMIN_TOKEN at .* UTC: audit/)
  expect((await cli('unpin', 'shop', '1')).stdout).toContain('shop build 1 is pinned no more:')
  expect((await cli('unpin', 'shop', '1')).stderr).toContain('pin.unknown')
})
