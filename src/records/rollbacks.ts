/** Rollbacks that somebody asked for at the hub, and how they ended. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { EnvironmentRollbackTable, RollbackTable } from './schema.ts'

export type RollbackRow = Selectable<RollbackTable>

export type EnvironmentRollbackRow = Selectable<EnvironmentRollbackTable>

export interface RollbackFilter {
  /** null: of all nodes. */
  readonly node: string | null
  /** null: in every state. */
  readonly state: RollbackRow['state'] | null
}

export class RollbackRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(rollback: RollbackRow): Promise<void> {
    await this.#db.insertInto('rollbacks').values(rollback).execute()
  }

  async find(id: string): Promise<RollbackRow | undefined> {
    return await this.#db.selectFrom('rollbacks').selectAll().where('id', '=', id).executeTakeFirst()
  }

  /** The one of an app on a node that has not ended. */
  async findOpen(node: string, app: string): Promise<RollbackRow | undefined> {
    return await this.#db
      .selectFrom('rollbacks')
      .selectAll()
      .where('node', '=', node)
      .where('app', '=', app)
      .where('state', '=', 'requested')
      .executeTakeFirst()
  }

  /** What a rollback of an environment has in common; its wishes are added beside it. */
  async addForEnvironment(rollback: EnvironmentRollbackRow): Promise<void> {
    await this.#db.insertInto('environmentRollbacks').values(rollback).execute()
  }

  async findForEnvironment(id: string): Promise<EnvironmentRollbackRow | undefined> {
    return await this.#db
      .selectFrom('environmentRollbacks')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
  }

  /** The wishes of a rollback of an environment, by node. */
  async ofEnvironment(id: string): Promise<readonly RollbackRow[]> {
    return await this.#db
      .selectFrom('rollbacks')
      .selectAll()
      .where('environmentRollback', '=', id)
      .orderBy('node')
      .execute()
  }

  /** Newest first. */
  async list({ node, state }: RollbackFilter, request: PageRequest): Promise<Page<RollbackRow>> {
    let query = this.#db
      .selectFrom('rollbacks')
      .selectAll()
      .orderBy('id', 'desc')
      .limit(request.limit + 1)
    if (node !== null) query = query.where('node', '=', node)
    if (state !== null) query = query.where('state', '=', state)
    if (request.cursor !== null) query = query.where('id', '<', request.cursor)
    return pageOf(await query.execute(), request.limit, (row) => row.id)
  }

  /** Ends an open one. False when it has ended already. */
  async finish(id: string, end: Pick<RollbackRow, 'state' | 'finishedAt' | 'detail'>): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('rollbacks')
      .set(end)
      .where('id', '=', id)
      .where('state', '=', 'requested')
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }
}
