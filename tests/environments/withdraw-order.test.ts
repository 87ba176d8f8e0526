import { expect, test } from 'vitest'
import { tarball } from '../support/tarballs.ts'
import { findingsOf } from '../support/verify.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

async function withdraw(hub: TestHub, build: number): Promise<void> {
  const { body } = await hub.as().get(`/api/v1/apps/shop/builds/${String(build)}`)
  const path = `/api/v1/environments/staging/releases/${body.releases[0].id}/withdraw`
  expect((await hub.as().post(path).send({ reason: 'it was bad' })).status).toBe(200)
}

test('releases withdrawn in another order than they were released leave a mask that verifies', async () => {
  await using hub = await createTestHub()
  for (const build of [1, 2, 3])
    await hub.upload('shop', tarball({ f: String(build) }), { build: String(build) })
  for (const build of [2, 3, 1]) await withdraw(hub, build)
  await hub.hub.settled()
  expect(await findingsOf(hub.directory)).toEqual([])
})
