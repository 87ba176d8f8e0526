/** The audit: every change, in a chain. */
import type { Selectable } from 'kysely'
import type { ChainHead } from '../audit/chain.ts'
import type { AuditTable } from './audit-tables.ts'
import type { Db } from './database.ts'
import type { Growth } from './growth.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'

export type AuditRow = Selectable<AuditTable>

/** null: whatever it is. */
export interface AuditFilter {
  readonly type: string | null
  readonly app: string | null
  readonly build: number | null
  readonly environment: string | null
  readonly node: string | null
  readonly actor: string | null
  readonly subject: string | null
  /** Not before this time, RFC 3339 UTC. */
  readonly since: string | null
  /** Before this time. */
  readonly until: string | null
}

export const EVERY_CHANGE: AuditFilter = {
  ...{ type: null, app: null, build: null, environment: null, node: null, actor: null, subject: null },
  ...{ since: null, until: null },
}

/** Which changes are wanted as events; null: whatever it is. */
export interface EventFilter {
  readonly types: readonly string[] | null
  readonly app: string | null
  /** Holds that bind in all environments are of this one too. */
  readonly environment: string | null
}

/** What concerns every environment where it names none. */
const OF_ALL_ENVIRONMENTS = ['hold.set', 'hold.lifted', 'yank.set', 'yank.lifted']

export class AuditRecords {
  readonly #db: Db
  readonly #growth: Growth

  constructor(db: Db, growth: Growth) {
    this.#db = db
    this.#growth = growth
  }

  /** In a transaction: nobody else appends before it ends. */
  async head(): Promise<ChainHead> {
    return await this.#db.selectFrom('auditHead').select(['seq', 'hash']).executeTakeFirstOrThrow()
  }

  /** Belongs into the transaction that asked for the head. */
  async append(row: AuditRow): Promise<void> {
    await this.#db.insertInto('audit').values(row).execute()
    await this.#db.updateTable('auditHead').set({ seq: row.seq, hash: row.hash }).execute()
    this.#growth.grow()
  }

  /** In the order in which they were made, those after `seq`. */
  async after(seq: number, limit: number, filter: AuditFilter = EVERY_CHANGE): Promise<readonly AuditRow[]> {
    return await this.#select(filter).where('seq', '>', seq).orderBy('seq').limit(limit).execute()
  }

  /** In the order in which they were made, those after `seq` that are wanted as events. */
  async eventsAfter(seq: number, limit: number, filter: EventFilter): Promise<readonly AuditRow[]> {
    return await this.#events(filter).where('seq', '>', seq).orderBy('seq').limit(limit).execute()
  }

  /** The newest that are wanted as events, newest first. */
  async newestEvents(limit: number, filter: EventFilter): Promise<readonly AuditRow[]> {
    return await this.#events(filter).orderBy('seq', 'desc').limit(limit).execute()
  }

  #events({ types, app, environment }: EventFilter) {
    let query = this.#db.selectFrom('audit').selectAll()
    if (types !== null) query = query.where('type', 'in', types)
    if (app !== null) query = query.where('app', '=', app)
    if (environment !== null)
      query = query.where(({ eb, or, and }) =>
        or([
          eb('environment', '=', environment),
          and([eb('environment', 'is', null), eb('type', 'in', OF_ALL_ENVIRONMENTS)]),
        ]),
      )
    return query
  }

  /** Newest first. The cursor is a `seq`. */
  async list(filter: AuditFilter, { limit, cursor }: PageRequest): Promise<Page<AuditRow>> {
    let query = this.#select(filter)
      .orderBy('seq', 'desc')
      .limit(limit + 1)
    if (cursor !== null) query = query.where('seq', '<', Number(cursor))
    return pageOf(await query.execute(), limit, ({ seq }) => String(seq))
  }

  #select({ since, until, ...filter }: AuditFilter) {
    let query = this.#db.selectFrom('audit').selectAll()
    for (const column of ['type', 'app', 'build', 'environment', 'node', 'actor', 'subject'] as const) {
      const value = filter[column]
      if (value !== null) query = query.where(column, '=', value)
    }
    if (since !== null) query = query.where('at', '>=', since)
    if (until !== null) query = query.where('at', '<', until)
    return query
  }
}
