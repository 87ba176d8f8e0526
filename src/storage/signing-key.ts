/**
 * An OpenPGP key of the hub, its private part in a file that its user alone reads, its public half for nodes. Which keys
 * there are, and which of them signs, is said by `hub-keys.ts`.
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
  readSignature,
  revokeKey,
  sign,
  verify,
} from 'openpgp'
import type { PrivateKey } from 'openpgp'
import { unixSeconds } from '../clock.ts'
import { isTemporary, makeDirectoryDurably, writeFileDurably } from './durable-write.ts'

/** Why a key is revoked, as OpenPGP tells it: RFC 9580, section 5.2.3.31. */
export const REVOCATION_REASONS = ['compromised', 'superseded', 'retired'] as const
export type RevocationReason = (typeof REVOCATION_REASONS)[number]

const REASONS = {
  compromised: enums.reasonForRevocation.keyCompromised,
  superseded: enums.reasonForRevocation.keySuperseded,
  retired: enums.reasonForRevocation.keyRetired,
} as const

export class SigningKey {
  readonly #key: PrivateKey
  /** ASCII-armoured public key, what `/keys/hub.asc` serves. */
  readonly publicKey: string
  /** 40 upper-case hex digits. */
  readonly fingerprint: string
  /** Seconds since 1970; nothing can be signed as of an earlier time. */
  readonly createdSec: number
  /** Seconds since 1970, from when on nobody believes it; null: it does not end. */
  readonly expiresSec: number | null

  private constructor(key: PrivateKey, expires: Date | typeof Infinity | null) {
    this.#key = key
    this.expiresSec = expires instanceof Date ? unixSeconds(expires) : null
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
    const armored = await readFile(path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    })
    if (armored !== null) return await SigningKey.parse(armored)
    await makeDirectoryDurably(keysDirectory, 0o700)
    await chmod(keysDirectory, 0o700)
    // A start that died while it wrote its key left one that nobody will use.
    for (const name of (await readdir(keysDirectory)).filter(isTemporary)) await rm(join(keysDirectory, name))
    const made = await SigningKey.make(userName, now)
    await made.write(path)
    return made
  }

  /** @param armored a private key without a passphrase. */
  static async parse(armored: string): Promise<SigningKey> {
    const key = await readPrivateKey({ armoredKey: armored })
    return new SigningKey(key, await key.getExpirationTime())
  }

  /** A new key, as of `now`, that is nowhere but in memory. @param lifeSec null: it does not end. */
  static async make(userName: string, now: Date, lifeSec: number | null = null): Promise<SigningKey> {
    return await SigningKey.parse(await makeKey(userName, now, lifeSec))
  }

  /** Whose key it says it is. */
  get userName(): string {
    return this.#key.getUserIDs()[0] ?? ''
  }

  /** Keeps the private key in a file of that name, which is there whole or not at all. */
  async write(path: string): Promise<void> {
    await writeFileDurably(path, this.#key.armor(), 0o600)
  }

  /** The public key, armoured, with a certificate that says to whoever has it not to believe it any more. */
  async revoked(reason: RevocationReason, note: string, at: Date): Promise<string> {
    const { publicKey } = await revokeKey({
      key: this.#key,
      reasonForRevocation: { flag: REASONS[reason], string: note },
      date: at,
      format: 'object',
    })
    return publicKey.armor()
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

/** Which keys clear-signed a text: the last 16 digits of their fingerprints; none of a text that is not signed. */
export async function clearSignersOf(text: string): Promise<readonly string[]> {
  const message = await readCleartextMessage({ cleartextMessage: text }).catch(() => null)
  return message?.getSigningKeyIDs().map((id) => id.toHex().toUpperCase()) ?? []
}

/** Which keys made an armoured detached signature: the last 16 digits of their fingerprints. */
export async function signersOf(armoredSignature: string): Promise<readonly string[]> {
  const signature = await readSignature({ armoredSignature })
  return signature.getSigningKeyIDs().map((id) => id.toHex().toUpperCase())
}

/** ed25519 in the form that GnuPG 2.2 knows: openpgp's newer "curve25519" keys cannot be verified by it. */
async function makeKey(userName: string, now: Date, lifeSec: number | null): Promise<string> {
  const { privateKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: userName }],
    date: now,
    // 0: without an end.
    keyExpirationTime: lifeSec ?? 0,
    format: 'object',
    config: { preferredHashAlgorithm: enums.hash.sha512 },
  })
  return privateKey.armor()
}
