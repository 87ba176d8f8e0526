/** Tokens: who may do what. Only the digest of a token's secret is kept. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { TokenTable } from './schema.ts'

export type TokenRow = Selectable<TokenTable>

/**
 * Tokens by the digest of their secret, as read before: a node shows its token with every poll. Any change of a token
 * empties it, so whoever writes the table otherwise, beside this hub, must not.
 */
export class KnownTokens {
  readonly #rows = new Map<string, TokenRow>()
  #changes = 0

  get(secretSha256: string): TokenRow | undefined {
    return this.#rows.get(secretSha256)
  }

  /** Gives the function that keeps a row, unless a token was changed since: the row may be of the time before. */
  reading(): (row: TokenRow) => void {
    const changes = this.#changes
    return (row) => {
      if (this.#changes !== changes) return
      if (this.#rows.size >= MOST_KNOWN) this.#rows.clear()
      this.#rows.set(row.secretSha256, row)
    }
  }

  forget(): void {
    this.#changes++
    this.#rows.clear()
  }
}

const MOST_KNOWN = 20_000

/** null: whatever it is. */
export interface TokenFilter {
  readonly roles: readonly string[] | null
  /** Who is behind it. */
  readonly owner: string | null
  /** Whether it is good at `now`: neither revoked nor expired. */
  readonly good: { readonly now: string; readonly is: boolean } | null
}

export class TokenRecords {
  readonly #db: Db
  readonly #known: KnownTokens

  constructor(db: Db, known: KnownTokens) {
    this.#db = db
    this.#known = known
  }

  async add(token: TokenRow): Promise<void> {
    await this.#db.insertInto('tokens').values(token).execute()
  }

  async find(id: string): Promise<TokenRow | undefined> {
    return await this.#db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst()
  }

  /** As read before; undefined says nothing. */
  knownBySecret(secretSha256: string): TokenRow | undefined {
    return this.#known.get(secretSha256)
  }

  async findBySecret(secretSha256: string): Promise<TokenRow | undefined> {
    const known = this.#known.get(secretSha256)
    if (known) return known
    const keep = this.#known.reading()
    const row = await this.#db
      .selectFrom('tokens')
      .selectAll()
      .where('secretSha256', '=', secretSha256)
      .executeTakeFirst()
    if (row) keep(row)
    return row
  }

  /** Revoked from now on; a second call keeps the first time. */
  async revoke(id: string, at: string): Promise<void> {
    await this.#db
      .updateTable('tokens')
      .set({ revokedAt: at })
      .where('id', '=', id)
      .where('revokedAt', 'is', null)
      .execute()
    this.#known.forget()
  }

  /** Revokes a token that is good for one use; false when it was used or revoked before. */
  async useUp(id: string, at: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('tokens')
      .set({ revokedAt: at })
      .where('id', '=', id)
      .where('revokedAt', 'is', null)
      .executeTakeFirst()
    this.#known.forget()
    return numUpdatedRows === 1n
  }

  /** Revokes what `createdBy` made, but for the one with this secret. */
  async revokeOthersBy(createdBy: string, secretSha256: string, at: string): Promise<void> {
    await this.#db
      .updateTable('tokens')
      .set({ revokedAt: at })
      .where('createdBy', '=', createdBy)
      .where('secretSha256', '!=', secretSha256)
      .where('revokedAt', 'is', null)
      .execute()
    this.#known.forget()
  }

  async hasAdministrator(): Promise<boolean> {
    const row = await this.#db
      .selectFrom('tokens')
      .select('id')
      .where('role', '=', 'administrator')
      .executeTakeFirst()
    return row !== undefined
  }

  async list(
    request: PageRequest,
    { roles, owner, good }: TokenFilter = { roles: null, owner: null, good: null },
    order: 'oldest' | 'newest' = 'oldest',
  ): Promise<Page<TokenRow>> {
    let query = this.#db
      .selectFrom('tokens')
      .selectAll()
      .orderBy('id', order === 'oldest' ? 'asc' : 'desc')
      .limit(request.limit + 1)
    if (request.cursor !== null) query = query.where('id', order === 'oldest' ? '>' : '<', request.cursor)
    if (roles !== null) query = query.where('role', 'in', roles)
    if (owner !== null) query = query.where('owner', '=', owner)
    if (good !== null)
      query = query.where(({ and, or, not, eb }) => {
        const isGood = and([
          eb('revokedAt', 'is', null),
          or([eb('expiresAt', 'is', null), eb('expiresAt', '>', good.now)]),
        ])
        return good.is ? isGood : not(isGood)
      })
    return pageOf(await query.execute(), request.limit, (row) => row.id)
  }
}
