/** Rules of retention as they are set, and what of the records keeps a build whatever the rules say. */
import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { BuildRow } from './builds.ts'
import type { Db } from './database.ts'
import type { RetentionRuleTable } from './schema.ts'

export type RetentionRuleRow = Selectable<RetentionRuleTable>

/** What of a build its retention is judged by. */
export type JudgedBuild = Pick<
  BuildRow,
  'app' | 'build' | 'category' | 'pn' | 'pv' | 'receivedAt' | 'sizeBytes' | 'sha512'
>

export interface BuildKey {
  readonly app: string
  readonly build: number
}

export class RetentionRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** @param app '' for the rules of the hub. */
  async find(app: string): Promise<RetentionRuleRow | undefined> {
    return await this.#db.selectFrom('retentionRules').selectAll().where('app', '=', app).executeTakeFirst()
  }

  async all(): Promise<readonly RetentionRuleRow[]> {
    return await this.#db.selectFrom('retentionRules').selectAll().orderBy('app').execute()
  }

  async set(rule: RetentionRuleRow): Promise<void> {
    await this.#db
      .insertInto('retentionRules')
      .values(rule)
      .onConflict((conflict) => conflict.column('app').doUpdateSet(rule))
      .execute()
  }

  async remove(app: string): Promise<void> {
    await this.#db.deleteFrom('retentionRules').where('app', '=', app).execute()
  }

  /** The builds of an app, newest number first. */
  async buildsOf(app: string): Promise<readonly JudgedBuild[]> {
    return await this.#db
      .selectFrom('builds')
      .select(['app', 'build', 'category', 'pn', 'pv', 'receivedAt', 'sizeBytes', 'sha512'])
      .where('app', '=', app)
      .orderBy('build', 'desc')
      .execute()
  }

  async pinned(): Promise<readonly BuildKey[]> {
    return await this.#db.selectFrom('pins').select(['app', 'build']).execute()
  }

  /** Those that bind. A null build: all of the app. */
  async held(): Promise<
    readonly { readonly app: string; readonly build: number | null; readonly newer: number }[]
  > {
    return await this.#db
      .selectFrom('holds')
      .select(['app', 'build', 'newer'])
      .where('liftedAt', 'is', null)
      .execute()
  }

  async promotedIn(states: readonly string[]): Promise<readonly BuildKey[]> {
    return await this.#db
      .selectFrom('promotions')
      .select(['app', 'build'])
      .distinct()
      .where('state', 'in', states)
      .execute()
  }

  /** What nodes run, as they reported last. */
  async onNodes(): Promise<readonly BuildKey[]> {
    const rows = await this.#db
      .selectFrom('nodePackages')
      .select(['app', 'build'])
      .distinct()
      .where('app', 'is not', null)
      .execute()
    return rows.flatMap(({ app, build }) => (app === null || build === null ? [] : [{ app, build }]))
  }

  /** The packages that restore points hold, or were taken of. */
  async cpvsInPoints(): Promise<readonly string[]> {
    const points = this.#db.selectFrom('restorePoints').select('cpv').distinct()
    const rows = await points.union(this.#db.selectFrom('binpkgs').select('cpv').distinct()).execute()
    return rows.map(({ cpv }) => cpv)
  }

  /** The ebuilds that the environment lists now. */
  async ebuildsIn(environment: string): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom('overlayFiles')
      .select('path')
      .where('environment', '=', environment)
      .where('path', 'like', '%.ebuild')
      .execute()
    return rows.map(({ path }) => path)
  }

  /** The ebuilds that were taken away in the newest `revisions` revisions, each with how many revisions ago that was, from 1. */
  async ebuildsGone(environment: string, revisions: number): Promise<ReadonlyMap<string, number>> {
    const newest = await this.#db
      .selectFrom('revisions')
      .select('number')
      .where('environment', '=', environment)
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (!newest) return new Map()
    const rows = await this.#db
      .selectFrom('revisionChanges')
      .select(['path', sql<number>`max(revision)`.as('revision')])
      .where('environment', '=', environment)
      .where('revision', '>', newest.number - revisions)
      .where('oid', 'is', null)
      .where('path', 'like', '%.ebuild')
      .groupBy('path')
      .execute()
    return new Map(rows.map(({ path, revision }) => [path, newest.number - revision + 1]))
  }
}
