import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createMessage, readKey, readSignature, verify } from 'openpgp'
import { expect, test } from 'vitest'
import { SigningKey } from '../../src/storage/signing-key.ts'
import { temporaryFolder } from '../git/support.ts'
import { gpgWith } from '../support/gpg.ts'
import { testWith } from '../support/programs.ts'

const NOW = new Date('2026-01-02T03:04:05Z')
const PAYLOAD = Buffer.from('tree 0\nauthor a <a> 0 +0000\n\nmessage\n')

async function isGood(key: SigningKey, signature: string, payload: Buffer): Promise<boolean> {
  const { signatures } = await verify({
    message: await createMessage({ binary: payload }),
    signature: await readSignature({ armoredSignature: signature }),
    verificationKeys: (await readKey({ armoredKey: key.publicKey })).toPublic(),
    date: NOW,
  })
  return await (signatures[0]?.verified.catch(() => false) ?? false)
}

test('the key is made once, kept for its owner only, and read again', async () => {
  await using folder = await temporaryFolder()
  const keys = join(folder.path, 'keys')
  const made = await SigningKey.open(keys, 'hub.key', 'Portage Hub (hub)', NOW)
  const text = await readFile(join(keys, 'hub.key'), 'utf8')
  const again = await SigningKey.open(keys, 'hub.key', 'Another name', new Date('2027-01-01T00:00:00Z'))
  expect(again.fingerprint).toBe(made.fingerprint)
  expect(again.publicKey).toBe(made.publicKey)
  expect(await readFile(join(keys, 'hub.key'), 'utf8')).toBe(text)
  expect((await stat(keys)).mode & 0o777).toBe(0o700)
  expect((await stat(join(keys, 'hub.key'))).mode & 0o777).toBe(0o600)
})

test('what it serves is the public half, under the name it was made for', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'hub.key', 'Portage Hub (hub)', NOW)
  expect(key.publicKey).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----/)
  expect(key.publicKey).not.toContain('PRIVATE')
  expect(key.fingerprint).toMatch(/^[0-9A-F]{40}$/)
  const read = await readKey({ armoredKey: key.publicKey })
  expect(read.getUserIDs()).toEqual(['Portage Hub (hub)'])
})

test('a signature holds for its payload and for no other, and its lines end as git has them', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'hub.key', 'Portage Hub (hub)', NOW)
  const signature = await key.sign(PAYLOAD, NOW)
  expect(signature).toMatch(/^-----BEGIN PGP SIGNATURE-----\n[^]*-----END PGP SIGNATURE-----\n$/)
  expect(signature).not.toContain('\r')
  expect(await isGood(key, signature, PAYLOAD)).toBe(true)
  expect(await isGood(key, signature, Buffer.from('another'))).toBe(false)
})

test('keys of different names are different keys, each for its own use', async () => {
  await using folder = await temporaryFolder()
  const overlay = await SigningKey.open(folder.path, 'hub.key', 'Overlay', NOW)
  const binhost = await SigningKey.open(folder.path, 'binhost.key', 'Binhost', NOW)
  expect(binhost.fingerprint).not.toBe(overlay.fingerprint)
  expect(await isGood(overlay, await binhost.sign(PAYLOAD, NOW), PAYLOAD)).toBe(false)
})

test('what comes piece by piece is signed as the whole', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'hub.key', 'x', NOW)
  const pieces = [PAYLOAD.subarray(0, 7), Buffer.alloc(0), PAYLOAD.subarray(7)]
  const signature = await key.signStream(Readable.from(pieces), NOW)
  expect(signature).toMatch(/^-----BEGIN PGP SIGNATURE-----\n[^]*-----END PGP SIGNATURE-----\n$/)
  expect(await isGood(key, signature, PAYLOAD)).toBe(true)
  expect(await isGood(key, signature, Buffer.from('another'))).toBe(false)
})

test('memory does not grow with what is signed piece by piece', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'hub.key', 'x', NOW)
  // What is not needed any more is collected before each look, so that it is not the collector's mood that is measured.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const held = (): number => {
    collect()
    return process.memoryUsage().arrayBuffers
  }
  const piece = Buffer.alloc(1 << 20)
  let largest = 0
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let count = 0; count < 256; count++) {
      // A copy each, as a file's pieces are: what is kept of them would show.
      yield await Promise.resolve(Buffer.from(piece))
      if (count % 16 === 0) largest = Math.max(largest, held())
    }
  }
  const before = held()
  await key.signStream(pieces(), NOW)
  expect(largest - before).toBeLessThan(32 << 20)
})

test('a reader that errs ends the signing with its error', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'hub.key', 'x', NOW)
  const pieces = async function* (): AsyncGenerator<Buffer> {
    yield await Promise.resolve(PAYLOAD)
    throw new Error('the disk is gone')
  }
  await expect(key.signStream(pieces(), NOW)).rejects.toThrow('the disk is gone')
})

test('a clear-signed text is known again, and no other: not one byte may change', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'hub.key', 'x', NOW)
  const other = await SigningKey.open(folder.path, 'binhost.key', 'y', NOW)
  const text = await key.clearSign('DATA a 1\n- dashed\n', NOW)
  expect(text).toMatch(
    /^-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nDATA a 1\n- - dashed\n-----BEGIN PGP SIGNATURE-----\n/,
  )
  expect(await key.hasClearSigned(text, NOW)).toBe(true)
  expect(await other.hasClearSigned(text, NOW)).toBe(false)
  for (let at = 0; at < text.length; at++) {
    for (const bit of [1, 32]) {
      const changed = Buffer.from(text)
      changed[at] = (changed[at] ?? 0) ^ bit
      expect([at, bit, await key.hasClearSigned(changed.toString('utf8'), NOW)]).toEqual([at, bit, false])
    }
  }
})

testWith('gpg')('GnuPG takes both kinds of signature, and refuses them for other bytes', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'binhost.key', 'x', NOW)
  const gpg = gpgWith(folder.path, key.publicKey)
  const detached = await key.signStream(Readable.from([PAYLOAD]), NOW)
  expect(gpg.verify(detached, PAYLOAD)).toBe(true)
  expect(gpg.verify(detached, Buffer.from('another'))).toBe(false)
  const clear = await key.clearSign('DATA a 1\nDATA b 2\n', NOW)
  expect(gpg.verify(clear)).toBe(true)
  expect(gpg.verify(clear.replace('b 2', 'b 3'))).toBe(false)
})

test('a key that cannot be read stops the start: a new one would make all nodes distrust the hub', async () => {
  await using folder = await temporaryFolder()
  await writeFile(join(folder.path, 'hub.key'), 'no key')
  await expect(SigningKey.open(folder.path, 'hub.key', 'x', NOW)).rejects.toThrow()
  expect(await readFile(join(folder.path, 'hub.key'), 'utf8')).toBe('no key')
})
