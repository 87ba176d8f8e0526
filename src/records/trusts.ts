/** Trusted publishing: whom apps trust, and what was exchanged. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { ExchangeTable, TrustTable } from './trust-tables.ts'

export type TrustRow = Selectable<TrustTable>
export type ExchangeRow = Selectable<ExchangeTable>

export class TrustRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** False when the app has a trust of this issuer and these claims: that one stays. */
  async add(trust: TrustRow): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto('trusts')
      .values(trust)
      .onConflict((conflict) => conflict.columns(['app', 'issuer', 'claims']).doNothing())
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }

  async find(app: string, id: string): Promise<TrustRow | undefined> {
    return await this.#db
      .selectFrom('trusts')
      .selectAll()
      .where('app', '=', app)
      .where('id', '=', id)
      .executeTakeFirst()
  }

  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('trusts').where('id', '=', id).execute()
  }

  /** All of one app and issuer, oldest first. */
  async of(app: string, issuer: string): Promise<readonly TrustRow[]> {
    return await this.#db
      .selectFrom('trusts')
      .selectAll()
      .where('app', '=', app)
      .where('issuer', '=', issuer)
      .orderBy('id')
      .execute()
  }

  /** Oldest first. */
  async list(app: string, { limit, cursor }: PageRequest): Promise<Page<TrustRow>> {
    let query = this.#db
      .selectFrom('trusts')
      .selectAll()
      .where('app', '=', app)
      .orderBy('id')
      .limit(limit + 1)
    if (cursor !== null) query = query.where('id', '>', cursor)
    return pageOf(await query.execute(), limit, ({ id }) => id)
  }

  async hasExchanged(identitySha256: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('exchanges')
      .select('identitySha256')
      .where('identitySha256', '=', identitySha256)
      .executeTakeFirst()
    return row !== undefined
  }

  /** False when this identity was exchanged before: nothing is written then. */
  async addExchange(exchange: ExchangeRow): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto('exchanges')
      .values(exchange)
      .onConflict((conflict) => conflict.column('identitySha256').doNothing())
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }

  /** The tokens that were given for identities of a trust. */
  async tokensOf(trust: string): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom('exchanges').select('tokenId').where('trust', '=', trust).execute()
    return rows.map(({ tokenId }) => tokenId)
  }

  /**
   * Forgets exchanged tokens that have ended and identities that nobody can exchange any more. Belongs into a transaction.
   * @param now RFC 3339.
   */
  async prune(now: string): Promise<void> {
    const exchanged = this.#db.selectFrom('exchanges').select('tokenId')
    await this.#db.deleteFrom('tokens').where('id', 'in', exchanged).where('expiresAt', '<', now).execute()
    await this.#db
      .deleteFrom('exchanges')
      .where('identityEndsAt', '<', now)
      .where('tokenId', 'not in', this.#db.selectFrom('tokens').select('id'))
      .execute()
  }
}
