/** Holds: apps and builds that nothing promotes until somebody lifts the hold. */
import type { Selectable } from 'kysely'
import type { Sight } from '../access/rights.ts'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { HoldTable } from './schema.ts'
import { isInSight } from './sight.ts'

export type HoldRow = Selectable<HoldTable>

/** A hold with the package of its build; of a hold of a whole app these are null. */
export type HeldBuild = HoldRow & {
  readonly category: string | null
  readonly pn: string | null
  readonly pv: string | null
}

export interface HoldFilter {
  /** null: of every app. */
  readonly app: string | null
  /** Those that bind there, those of all environments among them; null: wherever they bind. */
  readonly environment: string | null
  readonly sight: Sight
  /** true: those that were not lifted; false: those that were; null: both. */
  readonly open: boolean | null
}

export type Lift = Pick<HoldRow, 'liftedBy' | 'liftedAt' | 'liftedRevision' | 'liftReason'>

export class HoldRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(hold: HoldRow): Promise<void> {
    await this.#db.insertInto('holds').values(hold).execute()
  }

  async find(id: string): Promise<HeldBuild | undefined> {
    return await this.#withBuild().where('holds.id', '=', id).executeTakeFirst()
  }

  /** Those of one app that were not lifted, wherever they bind, oldest first. */
  async openOf(app: string): Promise<readonly HeldBuild[]> {
    return await this.#withBuild()
      .where('holds.app', '=', app)
      .where('holds.liftedAt', 'is', null)
      .orderBy('holds.id')
      .execute()
  }

  /** Those that the environment's overlay shows as a mask, oldest first. */
  async masksIn(environment: string): Promise<readonly HeldBuild[]> {
    return await this.#withBuild()
      .where(({ or, eb }) =>
        or([eb('holds.environment', '=', environment), eb('holds.environment', 'is', null)]),
      )
      .where('holds.mask', '=', 1)
      .where('holds.liftedAt', 'is', null)
      .orderBy('holds.id')
      .execute()
  }

  /** By which the build is yanked, if it is. */
  async yankOf(app: string, build: number): Promise<HeldBuild | undefined> {
    return await this.#withBuild()
      .where('holds.app', '=', app)
      .where('holds.build', '=', build)
      .where('holds.yank', '=', 1)
      .where('holds.liftedAt', 'is', null)
      .executeTakeFirst()
  }

  async ofRollback(rollback: string): Promise<readonly HeldBuild[]> {
    return await this.#withBuild().where('holds.rollback', '=', rollback).orderBy('holds.id').execute()
  }

  /** Newest first. */
  async list({ app, environment, sight, open }: HoldFilter, request: PageRequest): Promise<Page<HeldBuild>> {
    let query = this.#withBuild()
      .where(isInSight('holds', sight))
      .orderBy('holds.id', 'desc')
      .limit(request.limit + 1)
    if (app !== null) query = query.where('holds.app', '=', app)
    if (environment !== null) {
      query = query.where(({ or, eb }) =>
        or([eb('holds.environment', 'is', null), eb('holds.environment', '=', environment)]),
      )
    }
    if (open !== null) query = query.where('holds.liftedAt', open ? 'is' : 'is not', null)
    if (request.cursor !== null) query = query.where('holds.id', '<', request.cursor)
    return pageOf(await query.execute(), request.limit, (row) => row.id)
  }

  /** False when it was lifted already. */
  async lift(id: string, lift: Lift): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('holds')
      .set(lift)
      .where('id', '=', id)
      .where('liftedAt', 'is', null)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }

  #withBuild() {
    return this.#db
      .selectFrom('holds')
      .leftJoin('builds', (join) =>
        join.onRef('builds.app', '=', 'holds.app').onRef('builds.build', '=', 'holds.build'),
      )
      .selectAll('holds')
      .select(['builds.category', 'builds.pn', 'builds.pv'])
  }
}
