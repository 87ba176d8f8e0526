/** A key that gave way goes when nothing that nodes get is signed by it any more, and not before. */
import { expect, test } from 'vitest'
import { tendKeys } from '../../src/jobs/tend-keys.ts'
import { signersOf } from '../../src/storage/signing-key.ts'
import {
  BINPKG,
  POINT,
  announcementOf,
  enrolNode,
  packedShop,
  pointsOf,
  uploadShop,
} from '../support/restore-points.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const AT_ONCE = '2026-01-02T03:04:05Z'
const IN_A_WEEK = '2026-01-09T03:04:05Z'

async function states(hub: TestHub, purpose: 'overlay' | 'binhost'): Promise<readonly string[]> {
  const reply = await hub.as().get('/api/v1/keys')
  const { items } = reply.body as {
    readonly items: readonly { readonly purpose: string; readonly state: string }[]
  }
  return items.filter((key) => key.purpose === purpose).map(({ state }) => state)
}

async function rotate(hub: TestHub, purpose: 'overlay' | 'binhost'): Promise<readonly [string, string]> {
  const old = hub.hub.keys[purpose].current.fingerprint
  const reply = await hub.as().post('/api/v1/keys').send({ purpose, overlap: '0s' })
  expect(reply.status, reply.text).toBe(201)
  return [old, hub.hub.keys[purpose].current.fingerprint]
}

test('a key of binhosts stays while a package is signed by it', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  await uploadShop(hub)
  const points = pointsOf(hub, 'web1', await enrolNode(hub, 'web1'))
  const file = { kind: 'binpkg', name: BINPKG, bytes: await packedShop(hub) } as const
  await points.announce(announcementOf([file]))
  await points.put(file)
  expect((await points.complete()).status).toBe(200)
  const [old, next] = await rotate(hub, 'binhost')
  hub.clock.set(IN_A_WEEK)
  await tendKeys(hub.hub)
  expect(await states(hub, 'binhost')).toEqual(['retiring', 'active'])
  // What is signed by a key to believe is left as it is.
  expect((await hub.hub.records.binpkgs.ofNode('web1')).map(({ signedBy }) => signedBy)).toEqual([old])

  const removed = await hub.as().delete(`/api/v1/nodes/web1/restore-points/${POINT}?newest=true`)
  expect(removed.status, removed.text).toBe(200)
  await tendKeys(hub.hub)
  expect(await states(hub, 'binhost')).toEqual(['retired', 'active'])
  expect(hub.hub.binhostKeys).toMatchObject({ fingerprints: [next], distrusted: [old] })
  expect(hub.hub.binhostKeys.publicKeys).toBe((await hub.as(null).get('/keys/binhost.asc').buffer(true)).text)
  const script = await hub.as(null).get('/enroll.sh')
  expect(script.text).toContain(`\nbinhost_keys='${next}'\nold_binhost_keys='${old}'\n`)
  await using later = await hub.restart()
  expect(await states(later, 'binhost')).toEqual(['retired', 'active'])
  // It may still be stolen.
  const revoked = await later.as().post(`/api/v1/keys/${old}/revoke`).send({ reason: 'compromised' })
  expect(revoked.body).toMatchObject({ state: 'revoked', retiredAt: IN_A_WEEK })
  expect(later.hub.binhostKeys.current.fingerprint).toBe(next)
})

test('a key of overlays stays while a newest revision is signed by it, and for a week', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const [old, next] = await rotate(hub, 'overlay')
  hub.clock.set(IN_A_WEEK)
  await tendKeys(hub.hub)
  expect(await states(hub, 'overlay')).toEqual(['retiring', 'active'])
  await uploadShop(hub)
  await tendKeys(hub.hub)
  // Production has its first revision yet.
  expect(await states(hub, 'overlay')).toEqual(['retiring', 'active'])
  expect((await hub.promote('shop', 1, 'production')).status).toBeLessThan(300)
  hub.clock.set(AT_ONCE)
  await tendKeys(hub.hub)
  expect(await states(hub, 'overlay')).toEqual(['retiring', 'active'])
  hub.clock.set(IN_A_WEEK)
  await tendKeys(hub.hub)
  expect(await states(hub, 'overlay')).toEqual(['retired', 'active'])
  expect(hub.hub.overlayKeys.fingerprints).toEqual([next])
  // A node that was away knows the old one only, and is told by it.
  const { signatures } = hub.hub.keys.statement
  const signers = (await Promise.all(signatures.map(signersOf))).flat()
  expect(signers).toEqual([old.slice(-16), next.slice(-16)])
})
