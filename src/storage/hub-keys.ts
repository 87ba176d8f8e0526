/**
 * The hub's signing keys on disk: `var/keys/keys.json` says which there are and from when on each signs, and each private
 * part is a file beside it. A change is one rename of `keys.json`, last: a key that it does not name is nobody's.
 */
import { chmod, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { timestamp, unixSeconds } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { HubError } from '../errors.ts'
import { isTemporary, makeDirectoryDurably, writeFileDurably } from './durable-write.ts'
import { KEY_PURPOSES, KeyRing } from './key-ring.ts'
import type { HubKey, KeyPurpose } from './key-ring.ts'
import { stateKeys, statementSchema } from './key-statement.ts'
import type { KeyStatement } from './key-statement.ts'
import { REVOCATION_REASONS, SigningKey } from './signing-key.ts'
import type { RevocationReason } from './signing-key.ts'

export const KEYS_FILE = 'keys.json'
/** Of the keys that the first start makes. */
export const FIRST_FILES = { overlay: 'hub.key', binhost: 'binhost.key' } as const
/** Of those that came later: `hub-<fingerprint>.key`. */
const LATER_FILE = /^(?:hub|binhost)-[0-9A-F]{40}\.key$/

const stateSchema = z.strictObject({
  format: z.literal(1),
  /** null: of a version that made none. */
  statement: statementSchema.nullable().default(null),
  keys: z.array(
    z.strictObject({
      purpose: z.enum(KEY_PURPOSES),
      file: z.string().regex(/^[A-Za-z0-9-]+\.key$/),
      fingerprint: z.string().regex(/^[0-9A-F]{40}$/),
      signsFromSec: z.int(),
      /** Of a version that retired none: missing. */
      retiredAt: z.string().nullable().default(null),
      revoked: z
        .strictObject({
          at: z.string(),
          reason: z.enum(REVOCATION_REASONS),
          note: z.string(),
          publicKey: z.string(),
        })
        .nullable(),
    }),
  ),
})

type State = z.infer<typeof stateSchema>
type KeyRecord = State['keys'][number]
type Rings = Readonly<Record<KeyPurpose, KeyRing>>

export class HubKeys {
  readonly #directory: string
  readonly #clock: Clock
  #records: readonly KeyRecord[]
  #statement: KeyStatement | null
  readonly overlay: KeyRing
  readonly binhost: KeyRing

  private constructor(
    directory: string,
    clock: Clock,
    state: Pick<State, 'keys' | 'statement'>,
    rings: Rings,
  ) {
    this.#directory = directory
    this.#clock = clock
    this.#records = state.keys
    this.#statement = state.statement
    this.overlay = rings.overlay
    this.binhost = rings.binhost
  }

  /**
   * Reads the keys, or makes the first of each purpose when there is none.
   * @param userNames of keys that are made.
   * @throws {HubError} `config.invalid` when keys are missing or cannot be read: others in their place would make all
   *   nodes distrust the hub.
   */
  static async open(
    directory: string,
    userNames: Readonly<Record<KeyPurpose, string>>,
    clock: Clock,
  ): Promise<HubKeys> {
    await makeDirectoryDurably(directory, 0o700)
    await chmod(directory, 0o700)
    const state = await readState(directory)
    if (state === null) await makeFirst(directory, userNames, clock.now())
    await sweep(directory)
    const keys = await HubKeys.read(directory, clock)
    if (keys === null) throw new Error(`${directory} has no keys though they were made`)
    if (keys.#statement === null) await keys.#change(keys.#records)
    return keys
  }

  /** Reads the keys that are there and changes nothing; null when there are none. @throws {HubError} as `open`. */
  static async read(directory: string, clock: Clock): Promise<HubKeys | null> {
    const state = (await readState(directory)) ?? (await firstState(directory))
    if (state === null) return null
    return new HubKeys(directory, clock, state, await ringsOf(directory, state.keys, clock))
  }

  /** The newest; the first start has made one. */
  get statement(): KeyStatement {
    if (this.#statement === null) throw new Error('no statement was made of the keys')
    return this.#statement
  }

  /**
   * Makes a key that is published at once and signs from `signsFromSec` on. A process that dies here leaves the keys as
   * they were, or with the new one.
   * @param lifeSec from now, until nobody believes it any more; null: it does not end.
   */
  async add(
    purpose: KeyPurpose,
    { signsFromSec, lifeSec }: { readonly signsFromSec: number; readonly lifeSec: number | null },
  ): Promise<HubKey> {
    const { userName } = this[purpose].current
    const key = await SigningKey.make(userName, this.#clock.now(), lifeSec)
    const file = `${FIRST_FILES[purpose].replace('.key', '')}-${key.fingerprint}.key`
    await key.write(join(this.#directory, file))
    const since = { signsFromSec, retiredAt: null, revoked: null }
    await this.#change([...this.#records, { purpose, file, fingerprint: key.fingerprint, ...since }])
    return { purpose, key, ...since }
  }

  /**
   * Makes a key one that nobody is to believe, for good: it is published with a certificate that says so. The key that
   * signs gives way at once to the one that waits, which there must be. A process that dies here leaves the keys as they
   * were, or with the key revoked.
   */
  async revoke(
    entry: HubKey,
    { reason, note }: { readonly reason: RevocationReason; readonly note: string },
  ): Promise<void> {
    const { purpose, key } = entry
    const now = this.#clock.now()
    const ring = this[purpose]
    const successor = ring.stateOf(entry) === 'active' ? ring.next : null
    const at = new Date(Math.max(now.getTime(), key.createdSec * 1000))
    const revoked = { at: timestamp(now), reason, note, publicKey: await key.revoked(reason, note, at) }
    const changed = this.#records.map((record) => {
      if (record.fingerprint === key.fingerprint) return { ...record, revoked }
      if (record.fingerprint !== successor?.key.fingerprint) return record
      return { ...record, signsFromSec: Math.min(record.signsFromSec, unixSeconds(now)) }
    })
    await this.#change(changed, entry)
  }

  /** Publishes these no longer, since nothing needs them; none of them signs or waits to. */
  async retire(entries: readonly HubKey[]): Promise<void> {
    const gone = new Set(entries.map(({ key }) => key.fingerprint))
    const retiredAt = timestamp(this.#clock.now())
    await this.#change(
      this.#records.map((record) => (gone.has(record.fingerprint) ? { ...record, retiredAt } : record)),
    )
  }

  /** Everything that can fail comes before the rename; what is in memory follows it at once. */
  async #change(records: readonly KeyRecord[], leaving: HubKey | null = null): Promise<void> {
    const rings = await ringsOf(this.#directory, records, this.#clock)
    const before = this.#statement
    const statement = await stateKeys(rings, { before, now: this.#clock.now(), leaving })
    await writeState(this.#directory, { keys: [...records], statement })
    this.#records = records
    this.#statement = statement
    for (const purpose of KEY_PURPOSES) this[purpose].become(rings[purpose])
  }

  /** Of the private parts of a purpose's keys. */
  filesOf(purpose: KeyPurpose): readonly string[] {
    return this.#records
      .filter((record) => record.purpose === purpose)
      .map(({ file }) => join(this.#directory, file))
  }
}

async function makeFirst(
  directory: string,
  userNames: Readonly<Record<KeyPurpose, string>>,
  now: Date,
): Promise<void> {
  const records: KeyRecord[] = []
  for (const purpose of KEY_PURPOSES) {
    const file = FIRST_FILES[purpose]
    records.push(recordOf(purpose, file, await SigningKey.open(directory, file, userNames[purpose], now)))
  }
  await writeState(directory, { keys: records, statement: null })
}

/** Of a data folder that is older than `keys.json`. */
async function firstState(directory: string): Promise<Pick<State, 'keys' | 'statement'> | null> {
  const records: KeyRecord[] = []
  for (const purpose of KEY_PURPOSES) {
    const file = FIRST_FILES[purpose]
    const armored = await readIfThere(join(directory, file))
    if (armored !== null) records.push(recordOf(purpose, file, await SigningKey.parse(armored)))
  }
  return records.length === KEY_PURPOSES.length ? { keys: records, statement: null } : null
}

function recordOf(purpose: KeyPurpose, file: string, key: SigningKey): KeyRecord {
  const { fingerprint, createdSec: signsFromSec } = key
  return { purpose, file, fingerprint, signsFromSec, retiredAt: null, revoked: null }
}

async function writeState(directory: string, content: Omit<State, 'format'>): Promise<void> {
  const state: State = { format: 1, ...content }
  await writeFileDurably(join(directory, KEYS_FILE), `${JSON.stringify(state, null, 2)}\n`, 0o600)
}

async function readState(directory: string): Promise<State | null> {
  const text = await readIfThere(join(directory, KEYS_FILE))
  if (text !== null) {
    try {
      return stateSchema.parse(JSON.parse(text))
    } catch (error) {
      throw damaged(`${join(directory, KEYS_FILE)} cannot be read`, error)
    }
  }
  // Without it nobody knows which of them signs, and the keys that a start would make are trusted by no node.
  const later = (await namesIn(directory)).find((name) => LATER_FILE.test(name))
  if (later === undefined) return null
  throw damaged(`${join(directory, KEYS_FILE)} is missing, and ${later} is there`)
}

async function ringsOf(directory: string, records: readonly KeyRecord[], clock: Clock): Promise<Rings> {
  const keys: HubKey[] = []
  for (const { purpose, file, fingerprint, ...since } of records) {
    const key = await readKeyFile(join(directory, file))
    if (key.fingerprint !== fingerprint) throw damaged(`${join(directory, file)} is another key`)
    keys.push({ purpose, key, ...since })
  }
  const ringOf = async (purpose: KeyPurpose): Promise<KeyRing> =>
    await KeyRing.of(
      keys.filter((key) => key.purpose === purpose),
      clock,
    )
  return { overlay: await ringOf('overlay'), binhost: await ringOf('binhost') }
}

async function readKeyFile(path: string): Promise<SigningKey> {
  try {
    return await SigningKey.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw damaged(`${path} cannot be read`, error)
  }
}

/** What a start or a rotation that died left: writes that did not end, and keys that nobody names. */
async function sweep(directory: string): Promise<void> {
  const named = new Set((await readState(directory))?.keys.map(({ file }) => file))
  for (const name of await namesIn(directory))
    if (isTemporary(name) || (LATER_FILE.test(name) && !named.has(name))) await rm(join(directory, name))
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
}

async function readIfThere(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  })
}

function damaged(what: string, cause?: unknown): HubError {
  return new HubError(
    'config.invalid',
    `${what}: restore the folder of keys from a backup; nodes trust no other keys`,
    {},
    { cause },
  )
}
