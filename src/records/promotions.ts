/** Promotions: each request to publish a build in an environment, and how it ended. */
import type { Selectable } from 'kysely'
import type { Sight } from '../access/rights.ts'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { PromotionTable } from './schema.ts'
import { isInSight } from './sight.ts'

export type PromotionRow = Selectable<PromotionTable>

export class PromotionRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(promotion: PromotionRow): Promise<void> {
    await this.#db.insertInto('promotions').values(promotion).execute()
  }

  async update(
    id: string,
    change: Partial<
      Omit<
        PromotionRow,
        | ('id' | 'app' | 'build' | 'environment' | 'setId')
        | ('requestedBy' | 'requestedWith' | 'requestedOwner' | 'requestedAt')
      >
    >,
  ): Promise<void> {
    await this.#db.updateTable('promotions').set(change).where('id', '=', id).execute()
  }

  async find(id: string): Promise<PromotionRow | undefined> {
    return await this.#db.selectFrom('promotions').selectAll().where('id', '=', id).executeTakeFirst()
  }

  async findByRelease(releaseId: string): Promise<PromotionRow | undefined> {
    return (await this.ofReleases([releaseId]))[0]
  }

  /** Those that made these releases, oldest first. */
  async ofReleases(releaseIds: readonly string[]): Promise<readonly PromotionRow[]> {
    if (releaseIds.length === 0) return []
    return await this.#db
      .selectFrom('promotions')
      .selectAll()
      .where('releaseId', 'in', releaseIds)
      .orderBy('id')
      .execute()
  }

  /** As they are now: all of the promotion's release set in the order of the request, or the promotion alone. */
  async together({ id, setId }: Pick<PromotionRow, 'id' | 'setId'>): Promise<readonly PromotionRow[]> {
    const query = this.#db.selectFrom('promotions').selectAll()
    if (setId === null) return await query.where('id', '=', id).execute()
    return await query.where('setId', '=', setId).orderBy('id').execute()
  }

  /** All promotions of these release sets, in the order of their requests. */
  async ofSets(setIds: readonly string[]): Promise<readonly PromotionRow[]> {
    if (setIds.length === 0) return []
    return await this.#db
      .selectFrom('promotions')
      .selectAll()
      .where('setId', 'in', setIds)
      .orderBy('id')
      .execute()
  }

  /** Oldest first. */
  async ofBuild(app: string, build: number): Promise<readonly PromotionRow[]> {
    return await this.#db
      .selectFrom('promotions')
      .selectAll()
      .where('app', '=', app)
      .where('build', '=', build)
      .orderBy('id')
      .execute()
  }

  /** Those of these apps that have come to no end, oldest first. */
  async openOf(apps: readonly string[], sight: Sight): Promise<readonly PromotionRow[]> {
    if (apps.length === 0) return []
    return await this.#db
      .selectFrom('promotions')
      .selectAll()
      .where('finishedAt', 'is', null)
      .where('app', 'in', apps)
      .where(isInSight('promotions', sight))
      .orderBy('id')
      .execute()
  }

  async countIn(states: readonly string[]): Promise<number> {
    const { count } = await this.#db
      .selectFrom('promotions')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('state', 'in', states)
      .executeTakeFirstOrThrow()
    return count
  }

  async inState(state: string): Promise<readonly PromotionRow[]> {
    return await this.inStates([state])
  }

  /** Those in one of these states, of one app or to one environment only; oldest first. */
  async inStates(
    states: readonly string[],
    of: { readonly app?: string; readonly environment?: string } = {},
  ): Promise<readonly PromotionRow[]> {
    let query = this.#db.selectFrom('promotions').selectAll().where('state', 'in', states).orderBy('id')
    if (of.app !== undefined) query = query.where('app', '=', of.app)
    if (of.environment !== undefined) query = query.where('environment', '=', of.environment)
    return await query.execute()
  }

  /** The last of each build in the environment, where a rule refused what `by` asked for since `since`; oldest first. */
  async refused(environment: string, by: string, since: string): Promise<readonly PromotionRow[]> {
    const last = this.#db
      .selectFrom('promotions')
      .select(({ fn }) => fn.max('id').as('id'))
      .where('environment', '=', environment)
      .groupBy(['app', 'build'])
    return await this.#db
      .selectFrom('promotions')
      .selectAll()
      .where('id', 'in', last)
      .where('state', '=', 'refused')
      .where('requestedBy', '=', by)
      .where('finishedAt', '>=', since)
      .orderBy('id')
      .execute()
  }

  /** Newest first. */
  async list(
    filter: {
      readonly app: string | null
      readonly environment: string | null
      readonly sight: Sight
      /** true: those that have come to no end; false: those that have; null: all. */
      readonly open: boolean | null
    },
    request: PageRequest,
  ): Promise<Page<PromotionRow>> {
    let query = this.#db
      .selectFrom('promotions')
      .selectAll()
      .where(isInSight('promotions', filter.sight))
      .orderBy('id', 'desc')
      .limit(request.limit + 1)
    if (request.cursor !== null) query = query.where('id', '<', request.cursor)
    if (filter.app !== null) query = query.where('app', '=', filter.app)
    if (filter.environment !== null) query = query.where('environment', '=', filter.environment)
    if (filter.open !== null) query = query.where('finishedAt', filter.open ? 'is' : 'is not', null)
    return pageOf(await query.execute(), request.limit, (row) => row.id)
  }
}
