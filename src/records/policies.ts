/** Policies of environments, by version. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import type { PolicyTable } from './policy-tables.ts'

export type PolicyRow = Selectable<PolicyTable>

export class PolicyRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** @throws where the version is there already: somebody else set one at the same time. */
  async add(policy: PolicyRow): Promise<void> {
    await this.#db.insertInto('policies').values(policy).execute()
  }

  /** The newest, which is the one that holds; undefined where none was ever set. */
  async newest(environment: string): Promise<PolicyRow | undefined> {
    return await this.#db
      .selectFrom('policies')
      .selectAll()
      .where('environment', '=', environment)
      .orderBy('version', 'desc')
      .limit(1)
      .executeTakeFirst()
  }

  async find(environment: string, version: number): Promise<PolicyRow | undefined> {
    return await this.#db
      .selectFrom('policies')
      .selectAll()
      .where('environment', '=', environment)
      .where('version', '=', version)
      .executeTakeFirst()
  }
}
