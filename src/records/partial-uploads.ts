/** Resumable uploads: what was begun, how far it is on disk for good, and which build it became. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import type { PartialUploadTable } from './schema.ts'

export type PartialUploadRow = Selectable<PartialUploadTable>

export class PartialUploadRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(upload: PartialUploadRow): Promise<void> {
    await this.#db.insertInto('partialUploads').values(upload).execute()
  }

  async find(id: string): Promise<PartialUploadRow | undefined> {
    return await this.#db.selectFrom('partialUploads').selectAll().where('id', '=', id).executeTakeFirst()
  }

  /** Says that the file is on disk up to `offsetBytes`. False when the upload was ended meanwhile. */
  async advance(id: string, offsetBytes: number, expiresAt: string): Promise<boolean> {
    return await this.#change(id, { offsetBytes, expiresAt })
  }

  /** Says which build the bytes became last. */
  async archivedAs(id: string, { app, build }: { app: string; build: number }): Promise<void> {
    await this.#change(id, { app, build })
  }

  /** No error if it is gone. */
  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('partialUploads').where('id', '=', id).execute()
  }

  /** The uploads of a token or person that became no build yet, oldest first. */
  async openOf(principal: string): Promise<readonly PartialUploadRow[]> {
    return await this.#db
      .selectFrom('partialUploads')
      .selectAll()
      .where('principal', '=', principal)
      .where('build', 'is', null)
      .orderBy('id')
      .execute()
  }

  /** All of them; there are as many as tokens leave unfinished within the time after which uploads expire. */
  async all(): Promise<readonly PartialUploadRow[]> {
    return await this.#db.selectFrom('partialUploads').selectAll().orderBy('id').execute()
  }

  /** How many became no build yet. */
  async countOpen(): Promise<number> {
    const { count } = await this.#db
      .selectFrom('partialUploads')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('build', 'is', null)
      .executeTakeFirstOrThrow()
    return count
  }

  async #change(id: string, change: Partial<PartialUploadRow>): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('partialUploads')
      .set(change)
      .where('id', '=', id)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }
}
