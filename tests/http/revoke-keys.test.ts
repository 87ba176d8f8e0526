/** A key is revoked: nobody is to believe it any more, and what it signed is signed by the key that signs now. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { renewSignature } from '../../src/overlays/renew-signature.ts'
import { signersOf } from '../../src/storage/signing-key.ts'
import { cliOf } from '../cli/support.ts'
import { gpgHome } from '../support/gpg.ts'
import { testWith } from '../support/programs.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'

const run = promisify(execFile)

type Purpose = 'overlay' | 'binhost'

/** A key that signs at once; gives the fingerprints of the one before and of it. */
async function rotate(hub: TestHub, purpose: Purpose, overlap = '0s'): Promise<readonly [string, string]> {
  const old = hub.hub.keys[purpose].current.fingerprint
  const reply = await hub.as().post('/api/v1/keys').send({ purpose, overlap })
  if (reply.status !== 201) throw new Error(reply.text)
  return [old, (reply.body as { readonly fingerprint: string }).fingerprint]
}

async function revoke(hub: TestHub, fingerprint: string, body: object = { reason: 'compromised' }) {
  return await hub.as().post(`/api/v1/keys/${fingerprint}/revoke`).send(body)
}

async function tip(hub: TestHub, environment = 'staging') {
  const newest = await hub.hub.records.overlays.newestRevision(environment)
  if (!newest) throw new Error(`${environment} has no revision`)
  return { ...newest, signers: await signersOf(newest.signature) }
}

describe('the revocation of a key', () => {
  test('is refused for the only key there is to sign, and for keys that there are not', async () => {
    await using hub = await createTestHub()
    const only = hub.hub.overlayKeys.current.fingerprint
    const refused = await revoke(hub, only)
    expect([refused.status, refused.body.code]).toEqual([409, 'key.in_use'])
    expect(refused.body.detail).toContain('portage-hub key rotate overlay --overlap 0s')
    const unknown = await revoke(hub, 'A'.repeat(40))
    expect([unknown.status, unknown.body.code]).toEqual([404, 'key.unknown'])
    for (const body of [
      {},
      { reason: 'bored' },
      { reason: 'retired', note: 'a\nb' },
      { reason: 'retired', x: 1 },
    ])
      expect((await revoke(hub, only, body)).body.code).toBe('request.invalid')
    expect(hub.hub.overlayKeys.fingerprints).toEqual([only])
    // The old one of two that are believed would sign again.
    const [old, next] = await rotate(hub, 'overlay')
    expect((await revoke(hub, next)).body.code).toBe('key.in_use')
    expect(hub.hub.overlayKeys.fingerprints).toEqual([old, next])
  })

  test('is told of everywhere, is the same when it is asked for again, and holds after a restart', async () => {
    await using hub = await createTestHub()
    const cli = cliOf(hub)
    const [old, next] = await rotate(hub, 'overlay')
    const before = JSON.parse(hub.hub.keys.statement.text) as { readonly serial: number }
    const dry = await cli('key', 'revoke', old, '--reason', 'compromised', '--dry-run')
    expect(dry.stdout).toBe(`${old} would be revoked.\n`)
    expect(hub.hub.overlayKeys.fingerprints).toEqual([old, next])
    const done = await cli('key', 'revoke', old, '--reason', 'compromised', '--note', 'stolen backup')
    expect(done.stdout, done.stderr).toBe(`${old} is revoked since 2026-01-02 03:04 UTC.\n`)
    hub.clock.set('2026-01-03T00:00:00Z')
    const again = await revoke(hub, old, { reason: 'superseded' })
    expect([again.status, again.body]).toEqual([
      200,
      expect.objectContaining({
        ...{ fingerprint: old, state: 'revoked', revokedAt: '2026-01-02T03:04:05Z' },
        ...{ reason: 'compromised', note: 'stolen backup', signed: { overlays: [], packages: 0 } },
      }),
    ])
    const statement = JSON.parse(hub.hub.keys.statement.text) as object
    expect(statement).toMatchObject({
      serial: before.serial + 1,
      overlay: { fingerprints: [next], distrusted: [old] },
      binhost: { distrusted: [] },
    })
    const script = await hub.as(null).get('/enroll.sh')
    expect(script.text).toContain(`\nhub_keys='${next}'\n`)
    expect((await cli('key', 'list')).stdout).toMatch(
      new RegExp(`^${old} +overlay +revoked .* revoked 2026`, 'm'),
    )
    await using later = await hub.restart()
    expect(JSON.parse(later.hub.keys.statement.text)).toEqual(statement)
    expect(later.hub.overlayKeys.fingerprints).toEqual([next])
  })

  test('is the last that the key signs: of a later statement nothing is its', async () => {
    await using hub = await createTestHub()
    const [old] = await rotate(hub, 'overlay')
    const signers = async () => (await Promise.all(hub.hub.keys.statement.signatures.map(signersOf))).flat()
    await revoke(hub, old)
    expect(await signers()).toContain(old.slice(-16))
    const last = hub.hub.keys.statement
    await rotate(hub, 'binhost')
    expect(await signers()).not.toContain(old.slice(-16))
    // A node that knows that key alone goes by the last that it signed.
    const served = await hub.as(null).get('/keys/statement.json')
    expect(served.body.former).toEqual([{ statement: last.text, signatures: last.signatures }])
    await hub.upload('shop', tarball({ 'shop/run': '1' }), { build: '1' })
    expect((await tip(hub)).signers).toEqual([hub.hub.overlayKeys.current.fingerprint.slice(-16)])
  })

  test('of the key that signs has the one sign at once that waits', async () => {
    await using hub = await createTestHub()
    const [old, next] = await rotate(hub, 'overlay', '7d')
    expect(hub.hub.overlayKeys.current.fingerprint).toBe(old)
    expect((await revoke(hub, old)).body.state).toBe('revoked')
    expect(hub.hub.overlayKeys.current.fingerprint).toBe(next)
    const list = await hub.as().get('/api/v1/keys')
    expect(list.body.items[1]).toMatchObject({
      fingerprint: next,
      state: 'active',
      signsFrom: '2026-01-02T03:04:05Z',
    })
  })

  test('gives each overlay a commit of the same files by another key, which git clones and follows', async () => {
    await using hub = await createTestHub()
    await hub.upload('shop', tarball({ 'shop/run': '1' }), { build: '1' })
    const clone = join(hub.directory, 'clone')
    const git = async (...args: readonly string[]) => (await run('git', ['-C', clone, ...args])).stdout.trim()
    const address = `http://x:${await hub.token('reader', { environments: ['staging'] })}@${new URL(hub.url).host}/git/staging.git`
    await run('git', ['clone', '--quiet', '--depth', '1', address, clone])
    const [before, production] = [await tip(hub), await tip(hub, 'production')]
    const [old, next] = await rotate(hub, 'overlay')
    expect(await tip(hub)).toEqual(before)
    await revoke(hub, old)
    const after = await tip(hub)
    expect(after).toMatchObject({
      number: before.number + 1,
      parentOid: before.commitOid,
      treeOid: before.treeOid,
    })
    expect(after.signers).toEqual([next.slice(-16)])
    expect((await tip(hub, 'production')).number).toBe(production.number + 1)
    await git('fetch', '--quiet', '--depth', '1', 'origin')
    expect((await git('rev-parse', 'origin/HEAD', 'origin/HEAD^{tree}')).split('\n')).toEqual([
      after.commitOid,
      after.treeOid,
    ])
    expect((await hub.as().get('/overlays/staging.zip')).status).toBe(200)
    // Once is enough.
    await renewSignature(hub.hub, 'staging')
    expect((await tip(hub)).number).toBe(after.number)
    await hub.hub.settled()
    expect((await hub.upload('shop', tarball({ 'shop/run': '2' }), { build: '2' })).status).toBe(201)
    await git('fetch', '--quiet', '--depth', '1', 'origin')
  })

  test('that died before the overlays were signed is finished by the next start', async () => {
    await using hub = await createTestHub({ HUB_PUBLIC_URL: 'https://hub.example' }, { jobs: false })
    const [old, next] = await rotate(hub, 'overlay')
    const entry = hub.hub.overlayKeys.find(old)
    await hub.hub.keys.revoke(entry!, { reason: 'superseded', note: '' })
    expect((await tip(hub)).signers).toEqual([old.slice(-16)])
    await using later = await hub.restart()
    expect(await tip(later)).toMatchObject({
      signers: [next.slice(-16)],
      message: expect.stringMatching(/^Sign the overlay anew\n/),
    })
  })
})

describe('the keys that are served', () => {
  testWith('gpg')('have a checksum, and GnuPG takes all of them, revoked ones as such', async () => {
    await using hub = await createTestHub()
    const armor = async (name: string) => (await hub.as(null).get(`/keys/${name}.asc`).buffer(true)).text
    for (const [name, purpose] of [
      ['hub', 'overlay'],
      ['binhost', 'binhost'],
    ] as const) {
      const home = join(hub.directory, name)
      mkdirSync(home)
      const gpg = gpgHome(home)
      expect(await armor(name)).toMatch(/\n=[A-Za-z0-9+/]{4}\n-----END PGP PUBLIC KEY BLOCK-----\n$/)
      const [old, next] = await rotate(hub, purpose, '7d')
      gpg.import(await armor(name))
      expect(gpg.keys()).toEqual(
        new Map([
          [old, '-'],
          [next, '-'],
        ]),
      )
      await revoke(hub, old, { reason: 'compromised', note: 'näher beschrieben' })
      expect(await armor(name)).toMatch(/\n=[A-Za-z0-9+/]{4}\n-----END/)
      gpg.import(await armor(name))
      expect(gpg.keys()).toEqual(
        new Map([
          [old, 'r'],
          [next, '-'],
        ]),
      )
    }
  })
})
