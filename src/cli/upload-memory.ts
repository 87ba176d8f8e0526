/**
 * What uploads were begun and not ended, so that the same command goes on where an earlier one was cut: a small file
 * `portage-hub/uploads.json` in the user's folder for state (XDG Base Directory Specification). It holds no secret. If
 * it cannot be read or written, an upload begins anew and nothing else is lost.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

interface Remembered {
  readonly hub: string
  readonly sha512: string
  readonly upload: string
  /** RFC 3339; the hub ends it then, if no byte was added meanwhile. */
  readonly expiresAt: string
}

/** Enough for whoever has many at once; the oldest go first. */
const MOST = 200

export class UploadMemory {
  readonly #path: string | null
  readonly #hub: string

  /** `folder` null: nothing is remembered. */
  constructor(folder: string | null, hub: string) {
    this.#path = folder === null ? null : join(folder, 'portage-hub', 'uploads.json')
    this.#hub = hub
  }

  /** The upload of the bytes with this digest that was begun at this hub; null when none is known. */
  find(sha512: string): string | null {
    return this.#read().findLast((one) => this.#isSame(one, sha512))?.upload ?? null
  }

  /** False when it cannot be written down. */
  remember(sha512: string, upload: string, expiresAt: string): boolean {
    const others = this.#read().filter((one) => !this.#isSame(one, sha512))
    return this.#write([...others, { hub: this.#hub, sha512, upload, expiresAt }].slice(-MOST))
  }

  forget(sha512: string): void {
    const all = this.#read()
    const others = all.filter((one) => !this.#isSame(one, sha512))
    if (others.length < all.length) this.#write(others)
  }

  #isSame(one: Remembered, sha512: string): boolean {
    return one.hub === this.#hub && one.sha512 === sha512
  }

  #read(): readonly Remembered[] {
    if (this.#path === null) return []
    try {
      const { uploads } = JSON.parse(readFileSync(this.#path, 'utf8')) as { uploads: unknown[] }
      return uploads.filter(isRemembered)
    } catch {
      return []
    }
  }

  /** Through another name, so that a command that runs beside this one reads the old file or the new one. */
  #write(uploads: readonly Remembered[]): boolean {
    if (this.#path === null) return false
    const temporary = `${this.#path}.${String(process.pid)}.tmp`
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      writeFileSync(temporary, `${JSON.stringify({ uploads }, null, 2)}\n`, { mode: 0o600 })
      renameSync(temporary, this.#path)
      return true
    } catch {
      try {
        rmSync(temporary, { force: true })
      } catch {
        // Then it could not be made either.
      }
      return false
    }
  }
}

function isRemembered(value: unknown): value is Remembered {
  const { hub, sha512, upload, expiresAt } = value as Partial<Record<keyof Remembered, unknown>>
  return [hub, sha512, upload, expiresAt].every((text) => typeof text === 'string')
}
