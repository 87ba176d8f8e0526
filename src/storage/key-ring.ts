/**
 * The keys of one purpose, in memory: the one that signs, the one that will, and those that did. Which of them signs is a
 * matter of the time alone, so that nothing has to be done when a new one takes over.
 */
import { armor, enums, readKey } from 'openpgp'
import { unixSeconds } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { clearSignersOf, signersOf } from './signing-key.ts'
import type { RevocationReason, SigningKey } from './signing-key.ts'

/** `overlay` signs commits of overlays, `binhost` binary packages. */
export const KEY_PURPOSES = ['overlay', 'binhost'] as const
export type KeyPurpose = (typeof KEY_PURPOSES)[number]

/**
 * `next` is published and waits; `active` signs; `retiring` is believed for what it signed; `retired` and `revoked` are not
 * believed any more.
 */
export type KeyState = 'next' | 'active' | 'retiring' | 'retired' | 'revoked'

export interface Revocation {
  /** RFC 3339. */
  readonly at: string
  readonly reason: RevocationReason
  readonly note: string
  /** ASCII-armoured, with the certificate. */
  readonly publicKey: string
}

export interface HubKey {
  readonly purpose: KeyPurpose
  readonly key: SigningKey
  /** Seconds since 1970: it signs from then until another one does. */
  readonly signsFromSec: number
  /** RFC 3339: since when it is published no longer, since nothing needs it; null: it is. */
  readonly retiredAt: string | null
  readonly revoked: Revocation | null
}

export class KeyRing {
  readonly #clock: Clock
  #keys: readonly HubKey[]
  #publicKeys: string

  private constructor(keys: readonly HubKey[], publicKeys: string, clock: Clock) {
    this.#keys = keys
    this.#publicKeys = publicKeys
    this.#clock = clock
  }

  /** @param keys oldest first; at least one is neither retired nor revoked. */
  static async of(keys: readonly HubKey[], clock: Clock): Promise<KeyRing> {
    const published = keys.filter(({ retiredAt, revoked }) => retiredAt === null || revoked !== null)
    const armored = published.map(({ key, revoked }) => revoked?.publicKey ?? key.publicKey)
    return new KeyRing(keys, await inOneBlock(armored), clock)
  }

  /** Makes this ring what another one is: whoever holds it sees the change at once. */
  become(other: KeyRing): void {
    this.#keys = other.#keys
    this.#publicKeys = other.#publicKeys
  }

  /** Oldest first. */
  get keys(): readonly HubKey[] {
    return this.#keys
  }

  /** ASCII-armoured: all that are published in one block, revoked ones with their certificates. */
  get publicKeys(): string {
    return this.#publicKeys
  }

  /** The one that signs now. */
  get current(): SigningKey {
    return this.#currentEntry().key
  }

  /** Of those to believe, oldest first: 40 upper-case hex digits each. */
  get fingerprints(): readonly string[] {
    return this.#believed().map(({ key }) => key.fingerprint)
  }

  /** Of those that were to be believed once: whoever still does shall not, whatever is imported again. */
  get distrusted(): readonly string[] {
    return this.keys.filter((entry) => !isBelieved(entry)).map(({ key }) => key.fingerprint)
  }

  find(fingerprint: string): HubKey | undefined {
    return this.keys.find(({ key }) => key.fingerprint === fingerprint)
  }

  /** The key that an armoured detached signature names, which is not judged; undefined for one of somebody else. */
  async signerOf(armoredSignature: string): Promise<HubKey | undefined> {
    return this.#among(await signersOf(armoredSignature))
  }

  /** The same of a clear-signed text; undefined for one that is not signed too. */
  async signerOfText(text: string): Promise<HubKey | undefined> {
    return this.#among(await clearSignersOf(text))
  }

  /** @param ids the last 16 digits of fingerprints. */
  #among(ids: readonly string[]): HubKey | undefined {
    return this.keys.find(({ key }) => ids.includes(key.fingerprint.slice(-16)))
  }

  stateOf(entry: HubKey): KeyState {
    if (entry.revoked !== null) return 'revoked'
    if (entry.retiredAt !== null) return 'retired'
    const current = this.#currentEntry()
    if (entry === current) return 'active'
    return this.keys.indexOf(entry) > this.keys.indexOf(current) ? 'next' : 'retiring'
  }

  /** The key that waits to sign, if there is one. */
  get next(): HubKey | null {
    return this.keys.find((entry) => this.stateOf(entry) === 'next') ?? null
  }

  /** Whether a key to believe clear-signed `text` before `at`, to the last byte. */
  async hasClearSigned(text: string, at: Date): Promise<boolean> {
    for (const { key } of this.#believed()) if (await key.hasClearSigned(text, at)) return true
    return false
  }

  #believed(): readonly HubKey[] {
    return this.keys.filter(isBelieved)
  }

  /** The last whose time has come; a clock that went back behind all of them leaves the first. */
  #currentEntry(): HubKey {
    const nowSec = unixSeconds(this.#clock.now())
    const believed = this.#believed()
    const entry = believed.findLast(({ signsFromSec }) => signsFromSec <= nowSec) ?? believed[0]
    if (!entry) throw new Error('every key of the hub is revoked')
    return entry
  }
}

function isBelieved({ retiredAt, revoked }: HubKey): boolean {
  return retiredAt === null && revoked === null
}

/** GnuPG imports one block whole; of two, one after the other, some programs read the first only. */
async function inOneBlock(armoredKeys: readonly string[]): Promise<string> {
  const keys = await Promise.all(armoredKeys.map(async (armoredKey) => await readKey({ armoredKey })))
  const block = Buffer.concat(keys.map((key) => key.write()))
  // With the checksum: without it GnuPG 2.2 cannot read a block whose base64 ends without padding.
  return armor(enums.armor.publicKey, block, undefined, undefined, undefined, true)
}
