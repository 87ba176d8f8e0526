/** Releases: that a build is, or was, published in an environment. */
import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Sight } from '../access/rights.ts'
import type { BuildRow } from './builds.ts'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { ReleaseTable } from './schema.ts'
import { isInSight } from './sight.ts'

export type ReleaseRow = Selectable<ReleaseTable>
export type ReleasedBuild = BuildRow & { readonly release: ReleaseRow }

/** So many builds one query names. */
const PAIRS_AT_ONCE = 200

const LISTED_COLUMNS = [
  'builds.app',
  'builds.build',
  'builds.category',
  'builds.pn',
  'builds.pv',
  'builds.ebuildOid',
  'builds.cacheOid',
  'builds.distfileName',
  'builds.sizeBytes',
  'builds.blake2b',
  'builds.sha512',
  'releases.state',
  'releases.reason',
  'releases.withdrawnBy',
  'releases.withdrawnAt',
] as const

/** What an overlay needs to know of a build to list it. */
export type ListedBuild = Pick<
  BuildRow,
  | 'app'
  | 'build'
  | 'category'
  | 'pn'
  | 'pv'
  | 'ebuildOid'
  | 'cacheOid'
  | 'distfileName'
  | 'sizeBytes'
  | 'blake2b'
  | 'sha512'
> &
  Pick<ReleaseRow, 'state' | 'reason' | 'withdrawnBy' | 'withdrawnAt'>

/** A build and whether it is to be had in an environment now; `held`: a hold masks it. */
export type StandingBuild = Pick<BuildRow, 'app' | 'build' | 'category' | 'pn' | 'pv'> & {
  /** The id of the release that says so. */
  readonly release: string
  readonly state: ReleaseRow['state'] | 'held'
}

export class ReleaseRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(release: ReleaseRow): Promise<void> {
    await this.#db.insertInto('releases').values(release).execute()
  }

  async withdraw(
    id: string,
    withdrawal: Pick<ReleaseRow, 'withdrawnBy' | 'withdrawnAt' | 'withdrawnRevision' | 'reason'>,
  ): Promise<void> {
    await this.#db
      .updateTable('releases')
      .set({ ...withdrawal, state: 'withdrawn' })
      .where('id', '=', id)
      .execute()
  }

  async find(id: string): Promise<ReleaseRow | undefined> {
    return await this.#db.selectFrom('releases').selectAll().where('id', '=', id).executeTakeFirst()
  }

  /** What happened to one build, in every environment, oldest first. */
  async ofBuild(app: string, build: number): Promise<readonly ReleaseRow[]> {
    return await this.#db
      .selectFrom('releases')
      .selectAll()
      .where('app', '=', app)
      .where('build', '=', build)
      .orderBy('id')
      .execute()
  }

  /** The builds of `app` that the environment has ever released, each once, in the state of its newest release. */
  async buildsOf(environment: string, app: string): Promise<readonly ListedBuild[]> {
    const rows = await this.#listed(environment)
      .where('releases.app', '=', app)
      .orderBy('releases.id')
      .execute()
    return [...new Map(rows.map((row) => [row.build, row])).values()]
  }

  /** Builds of every app whose newest release in the environment is withdrawn. */
  async withdrawn(environment: string): Promise<readonly ListedBuild[]> {
    const rows = await this.#listed(environment)
      .where('releases.state', '=', 'withdrawn')
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('releases as living')
              .select('living.id')
              .whereRef('living.environment', '=', 'releases.environment')
              .whereRef('living.app', '=', 'releases.app')
              .whereRef('living.build', '=', 'releases.build')
              .where('living.state', '=', 'released'),
          ),
        ),
      )
      .orderBy('releases.id')
      .execute()
    return [...new Map(rows.map((row) => [`${row.app}~${String(row.build)}`, row])).values()]
  }

  #listed(environment: string) {
    return this.#db
      .selectFrom('releases')
      .innerJoin('builds', (join) =>
        join.onRef('builds.app', '=', 'releases.app').onRef('builds.build', '=', 'releases.build'),
      )
      .select(LISTED_COLUMNS)
      .where('releases.environment', '=', environment)
  }

  /** The release of the build that stands in the environment now, if there is one. */
  async living(environment: string, app: string, build: number): Promise<ReleaseRow | undefined> {
    return await this.#db
      .selectFrom('releases')
      .selectAll()
      .where('environment', '=', environment)
      .where('app', '=', app)
      .where('build', '=', build)
      .where('state', '=', 'released')
      .executeTakeFirst()
  }

  /** Of these ids, each with its build. */
  async findAll(
    ids: readonly string[],
  ): Promise<readonly (ReleaseRow & Pick<BuildRow, 'semver' | 'category' | 'pn' | 'pv'>)[]> {
    if (ids.length === 0) return []
    return await this.#db
      .selectFrom('releases')
      .innerJoin('builds', (join) =>
        join.onRef('builds.app', '=', 'releases.app').onRef('builds.build', '=', 'releases.build'),
      )
      .selectAll('releases')
      .select(['builds.semver', 'builds.category', 'builds.pn', 'builds.pv'])
      .where('releases.id', 'in', ids)
      .execute()
  }

  /** Newest first. */
  async list(
    environment: string,
    request: PageRequest & {
      readonly app: string | null
      readonly state: string | null
      readonly sight: Sight
    },
  ): Promise<Page<ReleasedBuild>> {
    let query = this.#db
      .selectFrom('releases')
      .selectAll()
      .where('environment', '=', environment)
      .where(isInSight('releases', request.sight))
      .orderBy('id', 'desc')
      .limit(request.limit + 1)
    if (request.cursor !== null) query = query.where('id', '<', request.cursor)
    if (request.app !== null) query = query.where('app', '=', request.app)
    if (request.state === 'released' || request.state === 'withdrawn')
      query = query.where('state', '=', request.state)
    const page = pageOf(await query.execute(), request.limit, (row) => row.id)
    const items: ReleasedBuild[] = []
    for (const release of page.items) {
      const build = await this.#db
        .selectFrom('builds')
        .selectAll()
        .where('app', '=', release.app)
        .where('build', '=', release.build)
        .executeTakeFirstOrThrow()
      items.push({ ...build, release })
    }
    return { items, nextCursor: page.nextCursor }
  }

  /** Names of the apps that any of these environments has ever released. */
  async appsOf(environments: readonly string[]): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom('apps')
      .select('name')
      .where(({ exists, selectFrom }) =>
        exists(
          selectFrom('releases')
            .select('releases.id')
            .whereRef('releases.app', '=', 'apps.name')
            .where('releases.environment', 'in', environments),
        ),
      )
      .execute()
    return rows.map(({ name }) => name)
  }

  /**
   * What has become of the builds of these apps in the environment: each build once, in the state of its newest release.
   */
  async standing(environment: string, apps: readonly string[]): Promise<readonly StandingBuild[]> {
    if (apps.length === 0) return []
    return lastOfEach(await this.#standing(environment).where('releases.app', 'in', apps).execute())
  }

  /** Of these builds, the same. */
  async standingOf(
    environment: string,
    builds: readonly Pick<StandingBuild, 'app' | 'build'>[],
  ): Promise<readonly StandingBuild[]> {
    const found: StandingBuild[] = []
    for (let at = 0; at < builds.length; at += PAIRS_AT_ONCE) {
      const wanted = sql.join(
        builds.slice(at, at + PAIRS_AT_ONCE).map(({ app, build }) => sql`(${app}, ${build})`),
      )
      // Those that are wanted come first: from the releases of the environment all would be read.
      const { rows } = await sql<StandingBuild>`with wanted (app, build) as (values ${wanted})
        select builds.app, builds.build, builds.category, builds.pn, builds.pv, releases.id as release, releases.state
        from wanted
        cross join releases on releases.app = wanted.app and releases.build = wanted.build
          and releases.environment = ${environment}
        join builds on builds.app = releases.app and builds.build = releases.build
        order by releases.id`.execute(this.#db)
      found.push(...lastOfEach(rows))
    }
    return found
  }

  /** By app, how many releases there ever were, and how many of them were withdrawn, as text. */
  async countsOf(environment: string, apps: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (apps.length === 0) return new Map()
    const counted = this.#db
      .selectFrom('releases')
      .select(({ fn }) => ['app', fn.countAll<number>().as('count')])
      .where('environment', '=', environment)
      .groupBy('app')
    const all = await counted.where('app', 'in', apps).execute()
    // Of all apps: there are few, and an index has them.
    const withdrawn = await counted.where('state', '=', 'withdrawn').execute()
    const less = new Map(withdrawn.map(({ app, count }) => [app, count]))
    return new Map(all.map(({ app, count }) => [app, `${String(count)} - ${String(less.get(app) ?? 0)}`]))
  }

  #standing(environment: string) {
    return this.#db
      .selectFrom('releases')
      .innerJoin('builds', (join) =>
        join.onRef('builds.app', '=', 'releases.app').onRef('builds.build', '=', 'releases.build'),
      )
      .select(['builds.app', 'builds.build', 'builds.category', 'builds.pn', 'builds.pv', 'releases.state'])
      .select('releases.id as release')
      .where('releases.environment', '=', environment)
      .orderBy('releases.id')
  }

  /** The categories of the apps that the environment has ever released, sorted. */
  async categoriesIn(environment: string): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom('apps')
      .select('category')
      .distinct()
      .where(({ exists, selectFrom }) =>
        exists(
          selectFrom('releases')
            .select('releases.id')
            .whereRef('releases.app', '=', 'apps.name')
            .where('releases.environment', '=', environment),
        ),
      )
      .orderBy('category')
      .execute()
    return rows.map(({ category }) => category)
  }

  /** The distfile of this name, if the environment has ever released it: its mirror shows nothing else. */
  async findDistfile(environment: string, distfileName: string): Promise<BuildRow | undefined> {
    return await this.#releasedBuilds(environment).where('distfileName', '=', distfileName).executeTakeFirst()
  }

  /** The same by content, for the content-hash layout. */
  async findDistfileBySha512(environment: string, sha512: string): Promise<BuildRow | undefined> {
    return await this.#releasedBuilds(environment).where('sha512', '=', sha512).executeTakeFirst()
  }

  /** Name and digest of everything the environment's mirror shows; a build may come more than once. */
  async distfiles(environment: string): Promise<readonly Pick<BuildRow, 'distfileName' | 'sha512'>[]> {
    return await this.#db
      .selectFrom('releases')
      .innerJoin('builds', (join) =>
        join.onRef('builds.app', '=', 'releases.app').onRef('builds.build', '=', 'releases.build'),
      )
      .select(['builds.distfileName', 'builds.sha512'])
      .where('releases.environment', '=', environment)
      .execute()
  }

  #releasedBuilds(environment: string) {
    return this.#db
      .selectFrom('builds')
      .selectAll('builds')
      .where(({ exists, selectFrom }) =>
        exists(
          selectFrom('releases')
            .select('releases.id')
            .whereRef('releases.app', '=', 'builds.app')
            .whereRef('releases.build', '=', 'builds.build')
            .where('releases.environment', '=', environment),
        ),
      )
  }
}

/** By the order of their releases: what was told last of a build counts. */
function lastOfEach(rows: readonly StandingBuild[]): readonly StandingBuild[] {
  return [...new Map(rows.map((row) => [`${row.app}~${String(row.build)}`, row])).values()]
}
