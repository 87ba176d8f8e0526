/** Approvals of promotions. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import type { ApprovalTable } from './policy-tables.ts'

export type ApprovalRow = Selectable<ApprovalTable>

export class ApprovalRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(approval: ApprovalRow): Promise<void> {
    await this.#db.insertInto('approvals').values(approval).execute()
  }

  async find({
    promotion,
    owner,
    policyVersion,
  }: Pick<ApprovalRow, 'promotion' | 'owner' | 'policyVersion'>): Promise<ApprovalRow | undefined> {
    return await this.#db
      .selectFrom('approvals')
      .selectAll()
      .where('promotion', '=', promotion)
      .where('owner', '=', owner)
      .where('policyVersion', '=', policyVersion)
      .executeTakeFirst()
  }

  /** Oldest first, those by earlier policies too. */
  async of(promotion: string): Promise<readonly ApprovalRow[]> {
    return await this.#db
      .selectFrom('approvals')
      .selectAll()
      .where('promotion', '=', promotion)
      .orderBy('id')
      .execute()
  }
}
