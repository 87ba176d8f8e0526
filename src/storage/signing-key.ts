/**
 * The hub's OpenPGP key: signs overlay commits. Made at the first start, kept in `var/keys/hub.key` (mode 0600), its
 * public half served to nodes.
 */
import { chmod, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createMessage, enums, generateKey, readPrivateKey, sign } from 'openpgp'
import type { PrivateKey } from 'openpgp'
import { unixSeconds } from '../clock.ts'
import { isTemporary, makeDirectoryDurably, writeFileDurably } from './durable-write.ts'

export class SigningKey {
  readonly #key: PrivateKey
  /** ASCII-armoured public key, what `/keys/hub.asc` serves. */
  readonly publicKey: string
  /** 40 upper-case hex digits. */
  readonly fingerprint: string
  /** Seconds since 1970; nothing can be signed as of an earlier time. */
  readonly createdSec: number

  private constructor(key: PrivateKey) {
    this.#key = key
    this.publicKey = key.toPublic().armor()
    this.fingerprint = key.getFingerprint().toUpperCase()
    this.createdSec = unixSeconds(key.getCreationTime())
  }

  /** Reads the key of `keysDirectory`, or makes it, as of `now`, when there is none. */
  static async open(keysDirectory: string, userName: string, now: Date): Promise<SigningKey> {
    const path = join(keysDirectory, 'hub.key')
    let armored = await readFile(path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    })
    if (armored === null) {
      await makeDirectoryDurably(keysDirectory, 0o700)
      await chmod(keysDirectory, 0o700)
      // A start that died while it wrote its key left one that nobody will use.
      for (const name of (await readdir(keysDirectory)).filter(isTemporary))
        await rm(join(keysDirectory, name))
      armored = await makeKey(userName, now)
      await writeFileDurably(path, armored, 0o600)
    }
    return new SigningKey(await readPrivateKey({ armoredKey: armored }))
  }

  /** Armoured detached signature of `payload`, dated `at`; lines end in "\n". */
  async sign(payload: Uint8Array, at: Date): Promise<string> {
    const signature: unknown = await sign({
      message: await createMessage({ binary: payload }),
      signingKeys: this.#key,
      detached: true,
      date: at,
    })
    return String(signature).replaceAll('\r\n', '\n').trimEnd() + '\n'
  }
}

/** ed25519 in the form that GnuPG 2.2 knows: openpgp's newer "curve25519" keys cannot be verified by it. */
async function makeKey(userName: string, now: Date): Promise<string> {
  const { privateKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: userName }],
    date: now,
    format: 'object',
    config: { preferredHashAlgorithm: enums.hash.sha512 },
  })
  return privateKey.armor()
}
