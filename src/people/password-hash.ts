/**
 * Passwords as they are kept: what scrypt (RFC 7914) makes of them, with its parameters beside it, in the form that other
 * programs write too: `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`, base64 without padding. Those of an older cost still hold.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { HubError } from '../errors.ts'

export interface ScryptCost {
  /** The binary logarithm of scrypt's N. */
  readonly ln: number
  readonly r: number
  readonly p: number
}

/** 32 MiB and a good part of a second: OWASP, "Password Storage Cheat Sheet". */
const ORDINARY: ScryptCost = { ln: 15, r: 8, p: 3 }
/** A row that somebody made up must not cost all memory. */
const HIGHEST: ScryptCost = { ln: 18, r: 16, p: 16 }
const SALT_BYTES = 16
const HASH_BYTES = 32

/** So many at once: the threads that compute it also read and write the hub's files. */
const AT_ONCE = 2
const MOST_WAITING = 32

/** Hashes passwords and compares them, a few at a time, so that signing in cannot take the machine from nodes and CI. */
export class Passwords {
  readonly #cost: ScryptCost
  readonly #waiting: (() => void)[] = []
  #atWork = 0

  constructor(cost: ScryptCost = ORDINARY) {
    this.#cost = cost
  }

  /** @throws {HubError} `auth.too_many` when too many wait already. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES)
    return format(this.#cost, salt, await this.#derive(password, salt, this.#cost))
  }

  /**
   * Whether this is the password. For null, where there is none to compare with, the same work is done and the answer is no.
   * @throws {HubError} `auth.too_many` when too many wait already.
   */
  async matches(password: string, kept: string | null): Promise<boolean> {
    const { cost, salt, hash } = parse(kept) ?? {
      ...{ cost: this.#cost, salt: Buffer.alloc(SALT_BYTES), hash: null },
    }
    const derived = await this.#derive(password, salt, cost)
    return hash !== null && hash.length === derived.length && timingSafeEqual(hash, derived)
  }

  async #derive(password: string, salt: Buffer, { ln, r, p }: ScryptCost): Promise<Buffer> {
    await this.#enter()
    try {
      const options = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r }
      return await new Promise((resolve, reject) => {
        // Two ways to type one letter are one password.
        scrypt(password.normalize('NFC'), salt, HASH_BYTES, options, (error, derived) => {
          if (error) reject(error)
          else resolve(derived)
        })
      })
    } finally {
      this.#leave()
    }
  }

  async #enter(): Promise<void> {
    if (this.#atWork < AT_ONCE) {
      this.#atWork += 1
      return
    }
    if (this.#waiting.length >= MOST_WAITING)
      throw new HubError('auth.too_many', 'too many people sign in at this moment; try again in a minute')
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** The place goes to who waits longest. */
  #leave(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#atWork -= 1
  }
}

function format({ ln, r, p }: ScryptCost, salt: Buffer, hash: Buffer): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`
}

function parse(kept: string | null): { cost: ScryptCost; salt: Buffer; hash: Buffer } | null {
  const match = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/-]{1,100})\$([\w+/-]{1,100})$/.exec(
    kept ?? '',
  )
  if (!match) return null
  const [, ln, r, p, salt = '', hash = ''] = match
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) }
  if (cost.ln > HIGHEST.ln || cost.r > HIGHEST.r || cost.p > HIGHEST.p) return null
  return { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
