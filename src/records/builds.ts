/** Builds: one row per archived tarball, never changed and never removed; and the listings of what is inside. */
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import { listBuilds } from './list-builds.ts'
import type { BuildFilter } from './list-builds.ts'
import type { Page, PageRequest } from './page.ts'
import type { BuildTable } from './schema.ts'

export type BuildRow = Selectable<BuildTable>

const decompress = promisify(zstdDecompress)

export class BuildRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** Adds the row. The primary key refuses a second build of the same number. */
  async add(build: BuildRow): Promise<void> {
    await this.#db.insertInto('builds').values(build).execute()
  }

  async find(app: string, build: number): Promise<BuildRow | undefined> {
    return await this.#db
      .selectFrom('builds')
      .selectAll()
      .where('app', '=', app)
      .where('build', '=', build)
      .executeTakeFirst()
  }

  /** Builds whose tarball has this digest: SHA512, BLAKE2B (128 digits both) or SHA256 (64 digits). */
  async findByDigest(hex: string): Promise<readonly BuildRow[]> {
    return await this.#db
      .selectFrom('builds')
      .selectAll()
      .where((where) =>
        where.or([where('sha512', '=', hex), where('blake2b', '=', hex), where('sha256', '=', hex)]),
      )
      .orderBy('app')
      .orderBy('build')
      .execute()
  }

  /** Newest number first; across apps, newest arrival first. */
  async list(filter: BuildFilter, request: PageRequest): Promise<Page<BuildRow>> {
    return await listBuilds(this.#db, filter, request)
  }

  /** Every build, a thousand at a time, for checks of the whole archive. */
  async *all(): AsyncGenerator<BuildRow> {
    for (let app = '', build = 0; ;) {
      const rows = await this.#db
        .selectFrom('builds')
        .selectAll()
        .where(({ eb, refTuple, tuple }) => eb(refTuple('app', 'build'), '>', tuple(app, build)))
        .orderBy('app')
        .orderBy('build')
        .limit(1000)
        .execute()
      yield* rows
      const last = rows.at(-1)
      if (!last) return
      ;({ app, build } = last)
    }
  }

  /** Keeps what is inside the tarball `sha512`, as zstd of JSON; the same tarball again changes nothing. */
  async addListing(sha512: string, listing: Buffer): Promise<void> {
    await this.#db
      .insertInto('listings')
      .values({ sha512, entries: listing })
      .onConflict((conflict) => conflict.column('sha512').doNothing())
      .execute()
  }

  async findListing<T>(sha512: string): Promise<readonly T[] | undefined> {
    const row = await this.#db
      .selectFrom('listings')
      .select('entries')
      .where('sha512', '=', sha512)
      .executeTakeFirst()
    return row && (JSON.parse((await decompress(row.entries)).toString('utf8')) as T[])
  }
}
