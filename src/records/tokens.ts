/** Tokens: who may do what. Only the digest of a token's secret is kept. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { TokenTable } from './schema.ts'

export type TokenRow = Selectable<TokenTable>

export class TokenRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(token: TokenRow): Promise<void> {
    await this.#db.insertInto('tokens').values(token).execute()
  }

  async find(id: string): Promise<TokenRow | undefined> {
    return await this.#db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst()
  }

  async findBySecret(secretSha256: string): Promise<TokenRow | undefined> {
    return await this.#db
      .selectFrom('tokens')
      .selectAll()
      .where('secretSha256', '=', secretSha256)
      .executeTakeFirst()
  }

  /** Revoked from now on; a second call keeps the first time. */
  async revoke(id: string, at: string): Promise<void> {
    await this.#db
      .updateTable('tokens')
      .set({ revokedAt: at })
      .where('id', '=', id)
      .where('revokedAt', 'is', null)
      .execute()
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
  }

  async hasAdministrator(): Promise<boolean> {
    const row = await this.#db
      .selectFrom('tokens')
      .select('id')
      .where('role', '=', 'administrator')
      .executeTakeFirst()
    return row !== undefined
  }

  /** Oldest first. */
  async list(request: PageRequest): Promise<Page<TokenRow>> {
    let query = this.#db
      .selectFrom('tokens')
      .selectAll()
      .orderBy('id')
      .limit(request.limit + 1)
    if (request.cursor !== null) query = query.where('id', '>', request.cursor)
    return pageOf(await query.execute(), request.limit, (row) => row.id)
  }
}
