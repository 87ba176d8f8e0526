/** Restore points, the files of each, and the packages that binhosts show. */
import type { SelectQueryBuilder, Selectable } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { RestorePointFileTable, RestorePointTable } from './point-tables.ts'
import type { Schema } from './schema.ts'

export type RestorePointRow = Selectable<RestorePointTable>
export type RestorePointFileRow = Selectable<RestorePointFileTable>
export type FileKind = RestorePointFileRow['kind']

/** Which point: its id is the node's own, and another node may have the same. */
export interface PointKey {
  readonly node: string
  readonly id: string
}

/** A dump that was restored into a scratch database. */
export interface Rehearsal {
  readonly at: string
  readonly ok: boolean
  /** Why it failed; empty otherwise. */
  readonly detail: string
}

export type RehearsalFilter = 'never' | 'passed' | 'failed'

export interface FileKey {
  readonly kind: FileKind
  readonly name: string
}

export type HeldBytes = Pick<RestorePointFileRow, 'sha256' | 'assembledSha512'>

/** Parameters of one statement stay far below SQLite's and PostgreSQL's limits. */
const ROWS_PER_STATEMENT = 500

export interface PointSize {
  readonly sizeBytes: number
  /** How many dumps are among the files. */
  readonly dumps: number
}

export class RestorePointRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** Adds a point with its files. Belongs into a transaction. */
  async add(point: RestorePointRow, files: readonly RestorePointFileRow[]): Promise<void> {
    await this.#db.insertInto('restorePoints').values(point).execute()
    for (let at = 0; at < files.length; at += ROWS_PER_STATEMENT) {
      await this.#db
        .insertInto('restorePointFiles')
        .values(files.slice(at, at + ROWS_PER_STATEMENT))
        .execute()
    }
  }

  async find({ node, id }: PointKey): Promise<RestorePointRow | undefined> {
    return await this.#db
      .selectFrom('restorePoints')
      .selectAll()
      .where('node', '=', node)
      .where('id', '=', id)
      .executeTakeFirst()
  }

  /** Of these points of a node those that are here. */
  async findAll(node: string, ids: readonly string[]): Promise<readonly RestorePointRow[]> {
    if (ids.length === 0) return []
    return await this.#db
      .selectFrom('restorePoints')
      .selectAll()
      .where('node', '=', node)
      .where('id', 'in', ids)
      .execute()
  }

  /** Says how the last rehearsal of a point ended. */
  async rehearsed({ node, id }: PointKey, { at, ok, detail }: Rehearsal): Promise<void> {
    await this.#db
      .updateTable('restorePoints')
      .set({ rehearsedAt: at, rehearsalOk: ok ? 1 : 0, rehearsalDetail: detail })
      .where('node', '=', node)
      .where('id', '=', id)
      .execute()
  }

  /** Newest first, by when they were taken; of one app or of all. Only a complete one with a dump was `never` rehearsed. */
  async list(
    node: string,
    { app, rehearsed }: { readonly app: string | null; readonly rehearsed: RehearsalFilter | null },
    request: PageRequest,
  ): Promise<Page<RestorePointRow>> {
    let query = this.#db
      .selectFrom('restorePoints')
      .selectAll()
      .where('node', '=', node)
      .orderBy('id', 'desc')
      .limit(request.limit + 1)
    if (app !== null) query = query.where('app', '=', app)
    if (rehearsed === 'never') query = neverRehearsed(query)
    else if (rehearsed !== null) query = query.where('rehearsalOk', '=', rehearsed === 'passed' ? 1 : 0)
    if (request.cursor !== null) query = query.where('id', '<', request.cursor)
    return pageOf(await query.execute(), request.limit, (row) => row.id)
  }

  /** The newest complete points with a dump that nobody ever tried out, by their ids; at most 100. */
  async neverRehearsed(node: string): Promise<readonly string[]> {
    const request = { limit: 100, cursor: null }
    const { items } = await this.list(node, { app: null, rehearsed: 'never' }, request)
    return items.map(({ id }) => id)
  }

  /** Complete ones, of whatever node, by which an app goes back to this very package; newest first. */
  async holding(app: string, cpv: string, limit: number): Promise<readonly RestorePointRow[]> {
    return await this.#db
      .selectFrom('restorePoints')
      .selectAll()
      .where('app', '=', app)
      .where('cpv', '=', cpv)
      .where('state', '=', 'complete')
      .orderBy('id', 'desc')
      .limit(limit)
      .execute()
  }

  /** The newest complete one of an app on a node. */
  async newestOf(node: string, app: string): Promise<RestorePointRow | undefined> {
    return await this.#db
      .selectFrom('restorePoints')
      .selectAll()
      .where('node', '=', node)
      .where('app', '=', app)
      .where('state', '=', 'complete')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst()
  }

  /** Ended ones that nobody wants kept and that are not among the `keep` newest of their node, app and state. */
  async beyond(keep: number): Promise<readonly PointKey[]> {
    return await this.#db
      .selectFrom((db) =>
        db
          .selectFrom('restorePoints')
          .select(['node', 'id', 'keptAt'])
          .select(({ fn }) =>
            fn
              .agg<number>('row_number')
              .over((over) => over.partitionBy(['node', 'app', 'state']).orderBy('id', 'desc'))
              .as('place'),
          )
          .where('state', 'in', ['complete', 'refused'])
          .as('placed'),
      )
      .select(['placed.node', 'placed.id'])
      .where('placed.place', '>', keep)
      .where('placed.keptAt', 'is', null)
      .orderBy('placed.id')
      .execute()
  }

  /** Announced ones that nobody wants kept and of which nobody heard since `before`. */
  async silentSince(before: string): Promise<readonly PointKey[]> {
    return await this.#db
      .selectFrom('restorePoints')
      .select(['node', 'id'])
      .where('state', '=', 'announced')
      .where('keptAt', 'is', null)
      .where(({ fn }) => fn.coalesce('activeAt', 'announcedAt'), '<', before)
      .orderBy('id')
      .execute()
  }

  /** Says that its node was heard of it. */
  async heardOf({ node, id }: PointKey, at: string): Promise<void> {
    await this.#db
      .updateTable('restorePoints')
      .set({ activeAt: at })
      .where('node', '=', node)
      .where('id', '=', id)
      .execute()
  }

  /** Marks one as kept since `at`; null: it may go. */
  async keep({ node, id }: PointKey, at: string | null): Promise<void> {
    await this.#db
      .updateTable('restorePoints')
      .set({ keptAt: at })
      .where('node', '=', node)
      .where('id', '=', id)
      .execute()
  }

  /** Takes a point and its files out. Belongs into a transaction with `BinpkgRecords.removeUnneeded`. */
  async remove({ node, id }: PointKey): Promise<void> {
    await this.#db.deleteFrom('restorePointFiles').where('node', '=', node).where('point', '=', id).execute()
    await this.#db.deleteFrom('restorePoints').where('node', '=', node).where('id', '=', id).execute()
  }

  async filesOf({ node, id }: PointKey): Promise<readonly RestorePointFileRow[]> {
    return await this.#db
      .selectFrom('restorePointFiles')
      .selectAll()
      .where('node', '=', node)
      .where('point', '=', id)
      .orderBy('kind')
      .orderBy('name')
      .execute()
  }

  /** What the files of these points of a node are together, by point; none: it has no files. */
  async sizesOf(node: string, ids: readonly string[]): Promise<ReadonlyMap<string, PointSize>> {
    if (ids.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('restorePointFiles')
      .select('point')
      .select(({ fn, eb }) => [
        fn.sum<number | string>('sizeBytes').as('sizeBytes'),
        fn.sum<number | string>(eb.case().when('kind', '=', 'dump').then(1).else(0).end()).as('dumps'),
      ])
      .where('node', '=', node)
      .where('point', 'in', ids)
      .groupBy('point')
      .execute()
    // PostgreSQL gives sums as text.
    return new Map(
      rows.map(({ point, sizeBytes, dumps }) => [
        point,
        { sizeBytes: Number(sizeBytes), dumps: Number(dumps) },
      ]),
    )
  }

  async findFile({ node, id }: PointKey, { kind, name }: FileKey): Promise<RestorePointFileRow | undefined> {
    return await this.#db
      .selectFrom('restorePointFiles')
      .selectAll()
      .where('node', '=', node)
      .where('point', '=', id)
      .where('kind', '=', kind)
      .where('name', '=', name)
      .executeTakeFirst()
  }

  /** Says that every file of this point with these bytes is here. */
  async received(
    { node, id }: PointKey,
    {
      sha512,
      sha256,
      assembledSha512 = null,
    }: Pick<RestorePointFileRow, 'sha512' | 'sha256'> & { readonly assembledSha512?: string | null },
    at: string,
  ): Promise<void> {
    await this.heardOf({ node, id }, at)
    await this.#db
      .updateTable('restorePointFiles')
      .set({ sha256, receivedAt: at, assembledSha512 })
      .where('node', '=', node)
      .where('point', '=', id)
      .where('sha512', '=', sha512)
      .where('receivedAt', 'is', null)
      .execute()
  }

  /** Ends an announced point. A second call changes nothing. */
  async finish(
    { node, id }: PointKey,
    end: Pick<RestorePointRow, 'state' | 'refusal' | 'completedAt'>,
  ): Promise<void> {
    await this.#db
      .updateTable('restorePoints')
      .set(end)
      .where('node', '=', node)
      .where('id', '=', id)
      .where('state', '=', 'announced')
      .execute()
  }

  /** Says that the bytes of a point's files are not kept. */
  async forgetBytes({ node, id }: PointKey): Promise<void> {
    await this.#db
      .updateTable('restorePointFiles')
      .set({ sha256: null, receivedAt: null, assembledSha512: null })
      .where('node', '=', node)
      .where('point', '=', id)
      .execute()
  }

  /** Of these digests those of bytes that this very node brought, in whichever point, and what is known of them. */
  async bytesOf(node: string, digests: readonly string[]): Promise<ReadonlyMap<string, HeldBytes>> {
    const found = new Map<string, HeldBytes>()
    for (let at = 0; at < digests.length; at += ROWS_PER_STATEMENT) {
      const rows = await this.#db
        .selectFrom('restorePointFiles')
        .select(['sha512', 'sha256', 'assembledSha512'])
        .distinct()
        .where('node', '=', node)
        .where('sha256', 'is not', null)
        .where('sha512', 'in', digests.slice(at, at + ROWS_PER_STATEMENT))
        .execute()
      for (const { sha512, ...held } of rows) found.set(sha512, held)
    }
    return found
  }

  /**
   * Whether a row needs the blob: a file that came, or a package that a binhost shows. Of a package that was accepted the
   * signed file is kept, which has all of the bytes that came.
   */
  async needsBlob(sha512: string): Promise<boolean> {
    const file = await this.#db
      .selectFrom('restorePointFiles')
      .select('sha512')
      .where(({ eb, or, and }) =>
        or([
          and([eb('sha512', '=', sha512), eb('assembledSha512', 'is', null)]),
          eb('assembledSha512', '=', sha512),
        ]),
      )
      .where('receivedAt', 'is not', null)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('binpkgs')
              .select('binpkgs.sha512')
              .whereRef('binpkgs.node', '=', 'restorePointFiles.node')
              .whereRef('binpkgs.uploadedSha512', '=', 'restorePointFiles.sha512'),
          ),
        ),
      )
      .executeTakeFirst()
    const binpkg = await this.#db
      .selectFrom('binpkgs')
      .select('sha512')
      .where('sha512', '=', sha512)
      .executeTakeFirst()
    return (file ?? binpkg) !== undefined
  }

  /** Every file and package whose bytes must be here. */
  async *neededBlobs(): AsyncGenerator<{
    readonly node: string
    readonly point: string
    readonly name: string
    readonly sha512: string
  }> {
    const files = this.#db
      .selectFrom('restorePointFiles')
      .leftJoin('binpkgs', (join) =>
        join
          .onRef('binpkgs.node', '=', 'restorePointFiles.node')
          .onRef('binpkgs.uploadedSha512', '=', 'restorePointFiles.sha512'),
      )
      .select(['restorePointFiles.node', 'restorePointFiles.point', 'restorePointFiles.name'])
      .select(({ fn }) =>
        fn.coalesce('restorePointFiles.assembledSha512', 'restorePointFiles.sha512').as('sha512'),
      )
      .where('restorePointFiles.receivedAt', 'is not', null)
      .where('binpkgs.sha512', 'is', null)
    yield* await files.execute()
    yield* await this.#db.selectFrom('binpkgs').select(['node', 'point', 'path as name', 'sha512']).execute()
  }
}

type PointQuery = SelectQueryBuilder<Schema, 'restorePoints', RestorePointRow>

function neverRehearsed(query: PointQuery): PointQuery {
  return query
    .where('state', '=', 'complete')
    .where('rehearsedAt', 'is', null)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('restorePointFiles')
          .select('restorePointFiles.name')
          .whereRef('restorePointFiles.node', '=', 'restorePoints.node')
          .whereRef('restorePointFiles.point', '=', 'restorePoints.id')
          .where('restorePointFiles.kind', '=', 'dump'),
      ),
    )
}
