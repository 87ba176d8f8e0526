import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createMessage, readKey, readSignature, verify } from 'openpgp'
import { expect, test } from 'vitest'
import { SigningKey } from '../../src/storage/signing-key.ts'
import { temporaryFolder } from '../git/support.ts'

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
  const made = await SigningKey.open(keys, 'Portage Hub (hub)', NOW)
  const text = await readFile(join(keys, 'hub.key'), 'utf8')
  const again = await SigningKey.open(keys, 'Another name', new Date('2027-01-01T00:00:00Z'))
  expect(again.fingerprint).toBe(made.fingerprint)
  expect(again.publicKey).toBe(made.publicKey)
  expect(await readFile(join(keys, 'hub.key'), 'utf8')).toBe(text)
  expect((await stat(keys)).mode & 0o777).toBe(0o700)
  expect((await stat(join(keys, 'hub.key'))).mode & 0o777).toBe(0o600)
})

test('what it serves is the public half, under the name it was made for', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'Portage Hub (hub)', NOW)
  expect(key.publicKey).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----/)
  expect(key.publicKey).not.toContain('PRIVATE')
  expect(key.fingerprint).toMatch(/^[0-9A-F]{40}$/)
  const read = await readKey({ armoredKey: key.publicKey })
  expect(read.getUserIDs()).toEqual(['Portage Hub (hub)'])
})

test('a signature holds for its payload and for no other, and its lines end as git has them', async () => {
  await using folder = await temporaryFolder()
  const key = await SigningKey.open(folder.path, 'Portage Hub (hub)', NOW)
  const signature = await key.sign(PAYLOAD, NOW)
  expect(signature).toMatch(/^-----BEGIN PGP SIGNATURE-----\n[^]*-----END PGP SIGNATURE-----\n$/)
  expect(signature).not.toContain('\r')
  expect(await isGood(key, signature, PAYLOAD)).toBe(true)
  expect(await isGood(key, signature, Buffer.from('another'))).toBe(false)
})

test('a key that cannot be read stops the start: a new one would make all nodes distrust the hub', async () => {
  await using folder = await temporaryFolder()
  await writeFile(join(folder.path, 'hub.key'), 'no key')
  await expect(SigningKey.open(folder.path, 'x', NOW)).rejects.toThrow()
  expect(await readFile(join(folder.path, 'hub.key'), 'utf8')).toBe('no key')
})
