/** Which files the builds of each app have: counted build by build from their listings, and found by part of their path. */
import { sql } from 'kysely'
import type { SqlBool } from 'kysely'
import type { Reach, Sight } from '../access/rights.ts'
import type { Db } from './database.ts'
import { areIndexed, phraseOf } from './phrase.ts'

/** A build, or its first release in an environment, whose files are to be counted. */
export interface QueuedBuild {
  readonly id: number
  readonly app: string
  readonly build: number
  /** `''`: of the whole archive. */
  readonly environment: string
  /** So many entries of its listing are counted. */
  readonly done: number
  /** Of its tarball. */
  readonly sha512: string
  readonly topDirectory: string | null
}

/** Some of the files of a queued build, and how far it is counted with them; null: to its end. */
export interface CountedFiles {
  readonly of: QueuedBuild
  readonly paths: readonly string[]
  readonly done: number | null
}

export interface FoundFile {
  readonly app: string
  /** Inside the single top folder of the tarball, if there is one. */
  readonly path: string
  readonly newestBuild: number
  readonly firstBuild: number
  /** How many have it, of those in sight. */
  readonly builds: number
}

export class FileIndex {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** Those that wait longest, of those behind the one with this id; 0: of all. */
  async queued(after: number, limit: number): Promise<readonly QueuedBuild[]> {
    return await this.#db
      .selectFrom('fileQueue')
      .innerJoin('builds', (join) =>
        join.onRef('builds.app', '=', 'fileQueue.app').onRef('builds.build', '=', 'fileQueue.build'),
      )
      .select(['fileQueue.id', 'fileQueue.app', 'fileQueue.build', 'fileQueue.environment', 'fileQueue.done'])
      .select(['builds.sha512', 'builds.topDirectory'])
      .where('fileQueue.id', '>', after)
      .orderBy('fileQueue.id')
      .limit(limit)
      .execute()
  }

  /** Counts them, each once: belongs into a transaction. */
  async count({ of, paths, done }: CountedFiles): Promise<void> {
    const { app, build, environment } = of
    // One parameter for all paths: the statement is always the same.
    const all = sql`select value from json_each(${JSON.stringify(paths)})`
    await sql`insert into file_paths (app, path) select ${app}, value from (${all}) where true
      on conflict do nothing`.execute(this.#db)
    await sql`insert into file_builds (file, environment, first_build, newest_build, builds)
      select id, ${environment}, ${build}, ${build}, 1 from file_paths where app = ${app} and path in (${all})
      on conflict do update set first_build = min(first_build, excluded.first_build),
        newest_build = max(newest_build, excluded.newest_build), builds = builds + 1`.execute(this.#db)
    if (done === null) await this.#db.deleteFrom('fileQueue').where('id', '=', of.id).execute()
    else await this.#db.updateTable('fileQueue').set({ done }).where('id', '=', of.id).execute()
  }

  /**
   * Files whose path has all of these words; the first of several may be of the app instead. Those that were new last come
   * first; none for words that the index does not know.
   */
  async find(words: readonly string[], sight: Sight, limit: number): Promise<readonly FoundFile[]> {
    if (!areIndexed(words)) return []
    const [first = '', ...rest] = words.map(phraseOf)
    const inPath = `path : (${[first, ...rest].join(' AND ')})`
    const match =
      rest.length === 0 ? inPath : `(${inPath}) OR (app : ${first} AND path : (${rest.join(' AND ')}))`
    const found = await Promise.all(sight.map(async (reach) => await this.#within(reach, match, limit)))
    return found.flat()
  }

  async #within({ apps, environments }: Reach, match: string, limit: number): Promise<readonly FoundFile[]> {
    let query = this.#db
      .selectFrom('fileSearch')
      .innerJoin('filePaths', 'filePaths.id', 'fileSearch.rowid')
      .innerJoin('fileBuilds', 'fileBuilds.file', 'filePaths.id')
      .select(['filePaths.app', 'filePaths.path'])
      .select(['fileBuilds.newestBuild', 'fileBuilds.firstBuild', 'fileBuilds.builds'])
      .where(sql<SqlBool>`file_search match ${match}`)
      .where('fileBuilds.environment', 'in', environments ?? [''])
      .orderBy('fileSearch.rowid', 'desc')
      .limit(limit)
    if (apps !== null) query = query.where('filePaths.app', 'in', apps)
    return await query.execute()
  }
}
