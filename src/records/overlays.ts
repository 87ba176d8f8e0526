/**
 * The overlays' history: revisions with their signatures, what each changed, the texts by git blob id, and the tree of
 * the newest. From these alone an overlay's repository is made again, commit ids included.
 */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { OverlayFileTable, RevisionTable } from './schema.ts'

export type RevisionRow = Selectable<RevisionTable>
export type OverlayFileRow = Selectable<OverlayFileTable>

/** Parameters of one statement stay far below SQLite's and PostgreSQL's limits. */
const ROWS_PER_STATEMENT = 500

/** A path's new content in a revision; null removes the path. */
export interface RecordedChange {
  readonly path: string
  readonly oid: string | null
  readonly byHand: boolean
}

export class OverlayRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async addBlob(oid: string, content: Buffer): Promise<void> {
    await this.#db
      .insertInto('overlayBlobs')
      .values({ oid, content })
      .onConflict((conflict) => conflict.column('oid').doNothing())
      .execute()
  }

  async findBlob(oid: string): Promise<Buffer | undefined> {
    const row = await this.#db
      .selectFrom('overlayBlobs')
      .select('content')
      .where('oid', '=', oid)
      .executeTakeFirst()
    return row && Buffer.from(row.content)
  }

  /** Those that there are, by their ids. */
  async findBlobs(oids: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
    const rows = await this.#db
      .selectFrom('overlayBlobs')
      .select(['oid', 'content'])
      .where('oid', 'in', oids)
      .execute()
    return new Map(rows.map(({ oid, content }) => [oid, Buffer.from(content)]))
  }

  /** Adds the revision and its changes, and brings the tree of the newest revision up to it. */
  async addRevision(revision: RevisionRow, changes: readonly RecordedChange[]): Promise<void> {
    const { environment, number } = revision
    await this.#db.insertInto('revisions').values(revision).execute()
    for (let at = 0; at < changes.length; at += ROWS_PER_STATEMENT) {
      const part = changes.slice(at, at + ROWS_PER_STATEMENT)
      await this.#db
        .insertInto('revisionChanges')
        .values(part.map(({ path, oid }) => ({ environment, revision: number, path, oid })))
        .execute()
    }
    for (const { path, oid, byHand } of changes) {
      if (oid === null) {
        await this.#db
          .deleteFrom('overlayFiles')
          .where('environment', '=', environment)
          .where('path', '=', path)
          .execute()
      } else {
        await this.#db
          .insertInto('overlayFiles')
          .values({ environment, path, oid, byHand: byHand ? 1 : 0 })
          .onConflict((conflict) =>
            conflict.columns(['environment', 'path']).doUpdateSet({ oid, byHand: byHand ? 1 : 0 }),
          )
          .execute()
      }
    }
  }

  async newestRevision(environment: string): Promise<RevisionRow | undefined> {
    return await this.#db
      .selectFrom('revisions')
      .selectAll()
      .where('environment', '=', environment)
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst()
  }

  async findRevision(environment: string, number: number): Promise<RevisionRow | undefined> {
    return await this.#db
      .selectFrom('revisions')
      .selectAll()
      .where('environment', '=', environment)
      .where('number', '=', number)
      .executeTakeFirst()
  }

  async findRevisionByCommit(environment: string, commitOid: string): Promise<RevisionRow | undefined> {
    return await this.#db
      .selectFrom('revisions')
      .selectAll()
      .where('environment', '=', environment)
      .where('commitOid', '=', commitOid)
      .executeTakeFirst()
  }

  /** Newest first; with `until` those that were published by then. */
  async listRevisions(
    environment: string,
    request: PageRequest & { readonly until?: Date | null },
  ): Promise<Page<RevisionRow>> {
    let query = this.#db
      .selectFrom('revisions')
      .selectAll()
      .where('environment', '=', environment)
      .orderBy('number', 'desc')
      .limit(request.limit + 1)
    if (request.cursor !== null) query = query.where('number', '<', Number(request.cursor))
    if (request.until) query = query.where('timeSec', '<=', Math.floor(request.until.getTime() / 1000))
    return pageOf(await query.execute(), request.limit, (row) => String(row.number))
  }

  /** The sizes of texts in bytes, by their ids; at most some hundreds at once. */
  async blobSizes(oids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (oids.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('overlayBlobs')
      .select(['oid', ({ fn }) => fn<number>('length', ['content']).as('sizeBytes')])
      .where('oid', 'in', oids)
      .execute()
    return new Map(rows.map(({ oid, sizeBytes }) => [oid, sizeBytes]))
  }

  async changesOf(
    environment: string,
    revision: number,
  ): Promise<readonly { readonly path: string; readonly oid: string | null }[]> {
    return await this.#db
      .selectFrom('revisionChanges')
      .select(['path', 'oid'])
      .where('environment', '=', environment)
      .where('revision', '=', revision)
      .orderBy('path')
      .execute()
  }

  /** The tree of the newest revision. */
  async files(environment: string): Promise<readonly OverlayFileRow[]> {
    return await this.#db
      .selectFrom('overlayFiles')
      .selectAll()
      .where('environment', '=', environment)
      .execute()
  }

  /** The content a path had just before `revision`, or undefined when it was not there. */
  async oidBefore(environment: string, path: string, revision: number): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('revisionChanges')
      .select('oid')
      .where('environment', '=', environment)
      .where('path', '=', path)
      .where('revision', '<', revision)
      .orderBy('revision', 'desc')
      .limit(1)
      .executeTakeFirst()
    return row?.oid ?? undefined
  }

  /** Every path that changed after one revision and up to another, with what it was at the first; null: not there. */
  async filesBefore(
    environment: string,
    span: { readonly after: number; readonly upTo: number },
  ): Promise<ReadonlyMap<string, string | null>> {
    const rows = await this.#db
      .selectFrom('revisionChanges as change')
      .select(({ selectFrom }) => [
        'change.path',
        selectFrom('revisionChanges as before')
          .select('before.oid')
          .whereRef('before.environment', '=', 'change.environment')
          .whereRef('before.path', '=', 'change.path')
          .where('before.revision', '<=', span.after)
          .orderBy('before.revision', 'desc')
          .limit(1)
          .as('oid'),
      ])
      .where('change.environment', '=', environment)
      .where('change.revision', '>', span.after)
      .where('change.revision', '<=', span.upTo)
      .groupBy('change.path')
      .execute()
    return new Map(rows.map(({ path, oid }) => [path, oid]))
  }

  /** The tree of any revision, from the history of changes. */
  async filesAt(environment: string, revision: number): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#db
      .selectFrom('revisionChanges as change')
      .select(['change.path', 'change.oid'])
      .where('change.environment', '=', environment)
      .where('change.revision', '<=', revision)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('revisionChanges as later')
              .select('later.path')
              .whereRef('later.environment', '=', 'change.environment')
              .whereRef('later.path', '=', 'change.path')
              .whereRef('later.revision', '>', 'change.revision')
              .where('later.revision', '<=', revision),
          ),
        ),
      )
      .execute()
    return new Map(rows.flatMap(({ path, oid }) => (oid === null ? [] : [[path, oid] as const])))
  }
}
