/** Pins: builds that no retention takes away. Whatever prunes builds, in an overlay or in the archive, asks here. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import type { PinTable } from './schema.ts'

export type PinRow = Selectable<PinTable>

export class PinRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(pin: PinRow): Promise<void> {
    await this.#db.insertInto('pins').values(pin).execute()
  }

  async find(app: string, build: number): Promise<PinRow | undefined> {
    return await this.#db
      .selectFrom('pins')
      .selectAll()
      .where('app', '=', app)
      .where('build', '=', build)
      .executeTakeFirst()
  }

  /** The newest builds of the app that are pinned, at most so many. */
  async newestOf(app: string, limit: number): Promise<readonly PinRow[]> {
    const rows = this.#db.selectFrom('pins').selectAll().where('app', '=', app)
    return await rows.orderBy('build', 'desc').limit(limit).execute()
  }

  /** The numbers of the app's builds that are pinned. */
  async buildsOf(app: string): Promise<readonly number[]> {
    const rows = await this.#db.selectFrom('pins').select('build').where('app', '=', app).execute()
    return rows.map(({ build }) => build)
  }

  async remove(app: string, build: number): Promise<void> {
    await this.#db.deleteFrom('pins').where('app', '=', app).where('build', '=', build).execute()
  }
}
