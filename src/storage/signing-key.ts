/**
 * An OpenPGP key of the hub: `hub.key` signs overlay commits, `binhost.key` binary packages. Made at the first start, kept in
 * `var/keys/` (mode 0600), its public half served to nodes.
 */
import { chmod, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createCleartextMessage,
  createMessage,
  enums,
  generateKey,
  readCleartextMessage,
  readPrivateKey,
  sign,
  verify,
} from 'openpgp'
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

  /** Reads the key of that name in `keysDirectory`, or makes it, as of `now`, when there is none. */
  static async open(
    keysDirectory: string,
    fileName: 'hub.key' | 'binhost.key',
    userName: string,
    now: Date,
  ): Promise<SigningKey> {
    const path = join(keysDirectory, fileName)
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
    return asFile(String(signature))
  }

  /** The same of bytes that come piece by piece, however many: memory does not grow with them. */
  async signStream(pieces: AsyncIterable<Uint8Array>, at: Date): Promise<string> {
    const stream = ReadableStream.from<Uint8Array>(pieces)
    const message = await createMessage({ binary: stream })
    // The packet hands out a copy of its stream and keeps the other for whoever reads it later, whole: nobody does.
    Object.defineProperty(message.packets[0], 'getBytes', { value: () => stream })
    const signature: unknown = await sign({ message, signingKeys: this.#key, detached: true, date: at })
    let armored = ''
    for await (const piece of signature as AsyncIterable<string>) armored += piece
    return asFile(armored)
  }

  /**
   * `text` with its signature, dated `at`, as `gpg --clear-sign` writes it. The last line end is not signed, nor is white
   * space at the ends of lines: have none there.
   */
  async clearSign(text: string, at: Date): Promise<string> {
    const message = await createCleartextMessage({ text: text.replace(/\n$/, '') })
    return asFile(await sign({ message, signingKeys: this.#key, date: at }))
  }

  /**
   * Whether `text` is what `clearSign` gave, before `at`, to the last byte. Stricter than OpenPGP, which lets much of a
   * message be changed that does not count.
   */
  async hasClearSigned(text: string, at: Date): Promise<boolean> {
    try {
      const message = await readCleartextMessage({ cleartextMessage: text })
      const { signatures } = await verify({ message, verificationKeys: this.#key.toPublic(), date: at })
      // One that somebody added would stand beside ours.
      if (asFile(message.armor()) !== text || signatures.length !== 1) return false
      return (await signatures[0]?.verified) === true
    } catch {
      // The library tells what it cannot read from what does not hold by the words of its errors only.
      return false
    }
  }
}

function asFile(armored: string): string {
  return armored.replaceAll('\r\n', '\n').trimEnd() + '\n'
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
