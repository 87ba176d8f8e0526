/** Answers given to requests that carried an `Idempotency-Key`, so that a retry gets the same one. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import type { IdempotencyKeyTable } from './schema.ts'

export type IdempotencyRow = Selectable<IdempotencyKeyTable>

export class IdempotencyRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async find(principal: string, key: string): Promise<IdempotencyRow | undefined> {
    return await this.#db
      .selectFrom('idempotencyKeys')
      .selectAll()
      .where('principal', '=', principal)
      .where('key', '=', key)
      .executeTakeFirst()
  }

  /** The first answer stays. */
  async add(row: IdempotencyRow): Promise<void> {
    await this.#db
      .insertInto('idempotencyKeys')
      .values(row)
      .onConflict((conflict) => conflict.columns(['principal', 'key']).doNothing())
      .execute()
  }

  /** Forgets answers given before `before` (RFC 3339). */
  async prune(before: string): Promise<void> {
    await this.#db.deleteFrom('idempotencyKeys').where('createdAt', '<', before).execute()
  }
}
