/** What the search for everything asks beyond the lists: each question is answered by an index. */
import { sql } from 'kysely'
import type { RawBuilder, SqlBool } from 'kysely'
import type { Sight } from '../access/rights.ts'
import { contains } from './apps.ts'
import type { BinpkgRow } from './binpkgs.ts'
import type { BuildRow } from './builds.ts'
import type { Db } from './database.ts'
import { visible } from './list-builds.ts'
import type { RevisionRow } from './overlays.ts'
import type { PersonRow } from './people.ts'
import { areIndexed, phraseOf } from './phrase.ts'
import type { PromotionRow } from './promotions.ts'
import type { RestorePointFileRow } from './restore-points.ts'
import { isInSight } from './sight.ts'
import type { TokenRow } from './tokens.ts'

/** Of what may be seen, so many at most. */
interface Wanted {
  readonly sight: Sight
  readonly limit: number
}

const DIGESTS = ['sha512', 'blake2b', 'sha256'] as const

export class SearchRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** Builds with this number, newest arrival first; `inApp` is part of the name of their app. */
  async buildsNumbered(build: number, inApp: string, { sight, limit }: Wanted): Promise<readonly BuildRow[]> {
    let query = await visible(this.#db, { sight })
    if (inApp !== '') query = query.where(contains('builds.app', inApp))
    return await query
      .selectAll('builds')
      .where('builds.build', '=', build)
      .orderBy('builds.receivedAt', 'desc')
      .limit(limit)
      .execute()
  }

  /** Builds of the app whose version begins so, as it was sent or as Portage writes it; the version itself first. */
  async buildsOfVersion(
    app: string,
    version: string,
    { sight, limit }: Wanted,
  ): Promise<readonly BuildRow[]> {
    const columns = ['semver', 'pv'] as const
    return await together(columns, async (column) => {
      const builds = await visible(this.#db, { sight })
      return await builds
        .selectAll('builds')
        .where('builds.app', '=', app)
        .where(beginsWith(`builds.${column}`, version))
        .orderBy(`builds.${column}`)
        .limit(limit)
        .execute()
    })
  }

  /** Builds whose app, version or branch have all of these words, newest arrival first; none for shorter ones. */
  async buildsOfWords(words: readonly string[], { sight, limit }: Wanted): Promise<readonly BuildRow[]> {
    if (!areIndexed(words)) return []
    const builds = await visible(this.#db, { sight })
    return await builds
      .innerJoin('buildSearch', (join) =>
        join.onRef('buildSearch.app', '=', 'builds.app').onRef('buildSearch.build', '=', 'builds.build'),
      )
      .selectAll('builds')
      .where(sql<SqlBool>`build_search match ${matchOf(words, sight)}`)
      .orderBy('buildSearch.rowid', 'desc')
      .limit(limit)
      .execute()
  }

  /** Builds of commits that begin so. */
  async buildsOfCommit(prefix: string, { sight, limit }: Wanted): Promise<readonly BuildRow[]> {
    const builds = await visible(this.#db, { sight })
    return await builds
      .selectAll('builds')
      .where(beginsWith(sql`lower(builds.commit_id)`, prefix.toLowerCase()))
      .orderBy(sql`lower(builds.commit_id)`)
      .limit(limit)
      .execute()
  }

  /** Builds one of whose digests begins so. */
  async buildsOfDigest(prefix: string, { sight, limit }: Wanted): Promise<readonly BuildRow[]> {
    return await together(DIGESTS, async (column) => {
      const builds = await visible(this.#db, { sight })
      return await builds
        .selectAll('builds')
        .where(beginsWith(`builds.${column}`, prefix))
        .limit(limit)
        .execute()
    })
  }

  /** Binary packages as binhosts show them, one of whose digests begins so; of one node, or null: of all. */
  async binpkgsOfDigest(prefix: string, node: string | null, limit: number): Promise<readonly BinpkgRow[]> {
    const found = ['sha512', 'sha256'].map(async (column) => {
      const query = this.#db.selectFrom('binpkgs').selectAll().where(beginsWith(column, prefix)).limit(limit)
      return await (node === null ? query : query.where('node', '=', node)).execute()
    })
    const all = (await Promise.all(found)).flat()
    return [...new Map(all.map((one) => [`${one.node} ${one.path}`, one])).values()]
  }

  /** Dumps and packages of restore points, as their nodes sent them, one of whose digests begins so; of one node, or null: of all. */
  async pointFilesOfDigest(
    prefix: string,
    node: string | null,
    limit: number,
  ): Promise<readonly RestorePointFileRow[]> {
    const found = ['sha512', 'sha256'].map(async (column) => {
      const query = this.#db
        .selectFrom('restorePointFiles')
        .selectAll()
        .where('kind', 'in', ['dump', 'binpkg'])
        .where(beginsWith(column, prefix))
        .limit(limit)
      return await (node === null ? query : query.where('node', '=', node)).execute()
    })
    const all = (await Promise.all(found)).flat()
    return [...new Map(all.map((one) => [`${one.node} ${one.point} ${one.kind} ${one.name}`, one])).values()]
  }

  /** Promotions whose id begins so. */
  async promotionsOfId(prefix: string, { sight, limit }: Wanted): Promise<readonly PromotionRow[]> {
    return await this.#db
      .selectFrom('promotions')
      .selectAll()
      .where(isInSight('promotions', sight))
      .where(beginsWith('id', prefix))
      .orderBy('id')
      .limit(limit)
      .execute()
  }

  /** Revisions of these environments whose commit begins so. */
  async revisionsOfCommit(
    prefix: string,
    environments: readonly string[],
    limit: number,
  ): Promise<readonly RevisionRow[]> {
    return await this.#db
      .selectFrom('revisions')
      .selectAll()
      .where('environment', 'in', environments)
      .where(beginsWith('commit_oid', prefix))
      .orderBy('commitOid')
      .limit(limit)
      .execute()
  }

  /** People with the text in their name, by name. */
  async people(text: string, limit: number): Promise<readonly PersonRow[]> {
    return await this.#db
      .selectFrom('people')
      .selectAll()
      .where(sql<SqlBool>`(${contains('name', text)} or ${contains('full_name', text)})`)
      .orderBy('name')
      .limit(limit)
      .execute()
  }

  /** Tokens whose name or id begins so, by name. There may be very many: of CIs, each build has its own. */
  async tokens(prefix: string, limit: number): Promise<readonly TokenRow[]> {
    const named = beginsWith(sql`lower(name)`, prefix.toLowerCase())
    return await this.#db
      .selectFrom('tokens')
      .selectAll()
      .where(sql<SqlBool>`(${named} or ${beginsWith('id', prefix)})`)
      .limit(limit)
      .execute()
  }
}

/** Builds that are found by one column or another, each once. */
async function together<Column>(
  columns: readonly Column[],
  find: (column: Column) => Promise<readonly BuildRow[]>,
): Promise<readonly BuildRow[]> {
  const found = (await Promise.all(columns.map(find))).flat()
  return [...new Map(found.map((build) => [`${build.app}/${String(build.build)}`, build])).values()]
}

/** Commits have their own question. Whoever sees some apps only has theirs alone looked through. */
function matchOf(words: readonly string[], sight: Sight): string {
  const text = `{app semver pv branch} : (${words.map(phraseOf).join(' AND ')})`
  const apps = sight.flatMap((reach) => reach.apps ?? [''])
  if (apps.length > MOST_NAMED || !areIndexed(apps)) return text
  return `${text} AND app : (${apps.map(phraseOf).join(' OR ')})`
}

const MOST_NAMED = 50

/** That the column begins with the text, as an index of the column finds it. */
function beginsWith(column: string | RawBuilder<unknown>, text: string): RawBuilder<SqlBool> {
  const value = typeof column === 'string' ? sql.ref(column) : column
  return sql<SqlBool>`${value} >= ${text} and ${value} < ${`${text}\u{10ffff}`}`
}
