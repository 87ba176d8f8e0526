/** The hub's signing keys, by the API and the command line. */
import { expect, test } from 'vitest'
import { signersOf } from '../../src/storage/signing-key.ts'
import { cliOf } from '../cli/support.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

test('administrators see each key, what it signs and since when', async () => {
  await using hub = await createTestHub()
  const { status, body } = await hub.as().get('/api/v1/keys')
  expect(status).toBe(200)
  expect(body).toEqual({
    items: [
      {
        id: hub.hub.overlayKeys.current.fingerprint,
        fingerprint: hub.hub.overlayKeys.current.fingerprint,
        purpose: 'overlay',
        state: 'active',
        createdAt: '2026-01-02T03:04:05Z',
        signsFrom: '2026-01-02T03:04:05Z',
        ...{ expiresAt: null, retiredAt: null, revokedAt: null, reason: null, note: null },
        signed: { overlays: ['staging', 'production'], packages: 0 },
        url: `${hub.url}/keys/hub.asc`,
      },
      expect.objectContaining({ purpose: 'binhost', url: `${hub.url}/keys/binhost.asc` }),
    ],
    nextCursor: null,
  })
})

/** Of `/enroll.sh`, by the last digits of their fingerprints. */
async function signerOfScript(hub: TestHub): Promise<readonly string[]> {
  return await signersOf((await hub.as(null).get('/enroll.sh.asc').buffer(true)).text)
}

async function signerOfTip(hub: TestHub): Promise<readonly string[]> {
  const newest = await hub.hub.records.overlays.newestRevision('staging')
  return await signersOf(newest?.signature ?? '')
}

test('after a rotation the old key signs until the overlap ends, also over a restart, and both are served', async () => {
  await using hub = await createTestHub()
  const cli = cliOf(hub)
  expect((await cli('key', 'rotate', 'overlay', '--dry-run')).stdout).toBe(
    'A new overlay key would be made.\n',
  )
  expect(hub.hub.overlayKeys.keys).toHaveLength(1)
  const rotated = await cli('key', 'rotate', 'overlay', '--overlap', '2d', '--expires-in', '90d', '--json')
  expect(rotated.status, rotated.stderr).toBe(0)
  const made = JSON.parse(rotated.stdout) as Readonly<Record<string, string>>
  expect(made).toMatchObject({ purpose: 'overlay', state: 'next', signsFrom: '2026-01-04T03:04:05Z' })
  expect(made).toMatchObject({ expiresAt: '2026-04-02T03:04:05Z' })
  const [old = '', next = ''] = hub.hub.overlayKeys.fingerprints
  expect(next).toBe(made['fingerprint'])
  expect((await cli('key', 'list')).stdout).toMatch(
    new RegExp(`^${next} +overlay +next +2026-01-04 03:04`, 'm'),
  )
  const again = await hub.as().post('/api/v1/keys').send({ purpose: 'overlay' })
  expect([again.status, again.body.code]).toEqual([409, 'key.waiting'])
  const script = await hub.as(null).get('/enroll.sh')
  expect(script.text).toContain(`\nhub_keys='${old} ${next}'\n`)
  expect(await signerOfScript(hub)).toEqual([old.slice(-16)])

  await hub.upload('shop', tarball({ 'shop/run': '1' }), { build: '1' })
  expect(await signerOfTip(hub)).toEqual([old.slice(-16)])
  await using later = await hub.restart()
  later.clock.set('2026-01-04T03:04:05Z')
  await later.upload('shop', tarball({ 'shop/run': '2' }), { build: '2' })
  expect(await signerOfTip(later)).toEqual([next.slice(-16)])
  expect(await signerOfScript(later)).toEqual([next.slice(-16)])
  const served = await later.as(null).get('/keys/hub.asc').buffer(true)
  expect(served.text).toBe(later.hub.overlayKeys.publicKeys)
  expect(later.hub.overlayKeys.fingerprints).toEqual([old, next])
})

test.each([
  [{ purpose: 'other' }],
  [{ purpose: 'overlay', overlap: 'soon' }],
  [{ purpose: 'overlay', expiresIn: '7d' }],
  [{ purpose: 'overlay', more: 1 }],
])('%j makes no key', async (body) => {
  await using hub = await createTestHub()
  const reply = await hub.as().post('/api/v1/keys').send(body)
  expect([reply.status, reply.body.code]).toEqual([400, 'request.invalid'])
  expect(hub.hub.overlayKeys.keys).toHaveLength(1)
})

test('the statement of the keys is signed by each key of overlays, and is the same after a restart', async () => {
  await using hub = await createTestHub()
  const get = async (of: TestHub) => (await of.as(null).get('/keys/statement.json')).body
  const first = await get(hub)
  expect(JSON.parse(first.statement)).toMatchObject({
    ...{ format: 1, serial: 1 },
    overlay: { publicKeys: hub.hub.overlayKeys.publicKeys, fingerprints: hub.hub.overlayKeys.fingerprints },
    binhost: { fingerprints: hub.hub.binhostKeys.fingerprints },
  })
  await hub.as().post('/api/v1/keys').send({ purpose: 'overlay' })
  const second = await get(hub)
  expect(JSON.parse(second.statement)).toMatchObject({ serial: 2 })
  const signers = await Promise.all(second.signatures.map(async (text: string) => await signersOf(text)))
  expect(signers.flat()).toEqual(hub.hub.overlayKeys.fingerprints.map((name) => name.slice(-16)))
  await using later = await hub.restart()
  expect(await get(later)).toEqual(second)
})
