/** Pages of builds: of one app or of all, those that hold a text, those that somebody may see. */
import { expressionBuilder, sql } from 'kysely'
import type { Expression, SelectQueryBuilder, Selectable, SqlBool } from 'kysely'
import type { Reach, Sight } from '../access/rights.ts'
import { contains } from './apps.ts'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import { isIndexed, phraseOf } from './phrase.ts'
import type { BuildTable, Schema } from './schema.ts'

type BuildRow = Selectable<BuildTable>

export interface BuildFilter {
  readonly app?: string
  /** Part of the app's name, the version, the commit or the branch. */
  readonly search?: string
  /** Only builds that lie within it. */
  readonly sight: Sight
}

/** Up to so many releases are read rather than looked up for one build after another. */
const FEW_RELEASES = 1000

/** Newest number first; across apps, newest arrival first. */
export async function listBuilds(db: Db, filter: BuildFilter, request: PageRequest): Promise<Page<BuildRow>> {
  if (filter.app !== undefined) return await buildsOfApp(db, filter, filter.app, request)
  const { search } = filter
  // Shorter texts are looked for in one row after another.
  if (search !== undefined && isIndexed(search)) return await foundBuilds(db, filter, search, request)
  return await newestBuilds(db, filter, request)
}

type Builds = SelectQueryBuilder<Schema, 'builds', unknown>

async function buildsOfApp(db: Db, filter: BuildFilter, app: string, request: PageRequest) {
  let query = (await visible(db, filter)).where('builds.app', '=', app)
  if (filter.search !== undefined) query = query.where(holds(filter.search))
  if (request.cursor !== null) query = query.where('builds.build', '<', Number(request.cursor))
  const rows = query
    .selectAll('builds')
    .orderBy('builds.build', 'desc')
    .limit(request.limit + 1)
  return pageOf(await rows.execute(), request.limit, ({ build }) => String(build))
}

async function newestBuilds(db: Db, filter: BuildFilter, request: PageRequest) {
  let query = await visible(db, filter)
  if (filter.search !== undefined) query = query.where(holds(filter.search))
  if (request.cursor !== null) {
    const [receivedAt = '', app = '', build = ''] = request.cursor.split('~')
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple('builds.receivedAt', 'builds.app', 'builds.build'),
        '<',
        tuple(receivedAt, app, Number(build)),
      ),
    )
  }
  const rows = query
    .selectAll('builds')
    .orderBy('builds.receivedAt', 'desc')
    .orderBy('builds.app', 'desc')
    .orderBy('builds.build', 'desc')
    .limit(request.limit + 1)
  const cursorOf = ({ receivedAt, app, build }: BuildRow): string => `${receivedAt}~${app}~${String(build)}`
  return pageOf(await rows.execute(), request.limit, cursorOf)
}

/** By the index of trigrams, which is read in its own order only as far as the page goes. */
async function foundBuilds(db: Db, filter: BuildFilter, search: string, request: PageRequest) {
  let query = (await visible(db, filter))
    .innerJoin('buildSearch', (join) =>
      join.onRef('buildSearch.app', '=', 'builds.app').onRef('buildSearch.build', '=', 'builds.build'),
    )
    .where(sql<SqlBool>`build_search match ${phraseOf(search)}`)
  if (request.cursor !== null) query = query.where('buildSearch.rowid', '<', Number(request.cursor))
  const rows = query
    .selectAll('builds')
    .select('buildSearch.rowid as arrival')
    .orderBy('buildSearch.rowid', 'desc')
    .limit(request.limit + 1)
  const page = pageOf(await rows.execute(), request.limit, ({ arrival }) => String(arrival))
  return { ...page, items: page.items.map(({ arrival: _arrival, ...build }) => build) }
}

function holds(search: string) {
  const columns = ['app', 'semver', 'pv', 'commitId', 'branch'] as const
  return sql<SqlBool>`(${sql.join(
    columns.map((column) => contains(`builds.${column}`, search)),
    sql` or `,
  )})`
}

/** Builds that lie within what somebody may see. */
export async function visible(db: Db, { sight }: Pick<BuildFilter, 'sight'>): Promise<Builds> {
  const conditions = await Promise.all(sight.map(async (reach) => await conditionOf(db, reach)))
  return db.selectFrom('builds').where(({ or }) => or(conditions))
}

/** That a build is of the reach's apps, and was released in one of its environments. */
async function conditionOf(db: Db, { apps, environments }: Reach): Promise<Expression<SqlBool>> {
  const { and, eb, exists, refTuple, selectFrom } = expressionBuilder<Schema, 'builds'>()
  const isOfApps = apps === null ? [] : [eb('builds.app', 'in', apps)]
  if (environments === null) return and(isOfApps)
  const isReleased = (await areFew(db, environments))
    ? eb(
        refTuple('builds.app', 'builds.build'),
        'in',
        selectFrom('releases')
          .select(['releases.app', 'releases.build'])
          .where('releases.environment', 'in', environments)
          .$asTuple('app', 'build'),
      )
    : exists(
        selectFrom('releases')
          .select('releases.id')
          .whereRef('releases.app', '=', 'builds.app')
          .whereRef('releases.build', '=', 'builds.build')
          .where('releases.environment', 'in', environments),
      )
  return and([...isOfApps, isReleased])
}

/** Whether these environments have released so little that the newest of it may lie far back in the archive. */
async function areFew(db: Db, environments: readonly string[]): Promise<boolean> {
  const row = await db
    .selectFrom('releases')
    .select('id')
    .where('environment', 'in', environments)
    .limit(1)
    .offset(FEW_RELEASES)
    .executeTakeFirst()
  return row === undefined
}
