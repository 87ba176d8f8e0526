/** Apps: one row each, made by the first upload. */
import { sql } from 'kysely'
import type { RawBuilder, Selectable, SqlBool } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { AppTable } from './schema.ts'

export type AppRow = Selectable<AppTable>

export class AppRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** Of all apps, in order. */
  async names(): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom('apps').select('name').orderBy('name').execute()
    return rows.map(({ name }) => name)
  }

  async find(name: string): Promise<AppRow | undefined> {
    return await this.#db.selectFrom('apps').selectAll().where('name', '=', name).executeTakeFirst()
  }

  /** Adds the app if it is not there; a second call with the same name changes nothing. */
  async ensure(app: Omit<AppRow, 'lastBuild' | 'description' | 'defaultRecipe'>): Promise<AppRow> {
    await this.#db
      .insertInto('apps')
      .values({ ...app, lastBuild: 0, description: null, defaultRecipe: null })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute()
    return await this.#db
      .selectFrom('apps')
      .selectAll()
      .where('name', '=', app.name)
      .executeTakeFirstOrThrow()
  }

  /** Remembers that `build` was given, so that no later one gets its number. */
  async raiseLastBuild(name: string, build: number): Promise<void> {
    await this.#db
      .updateTable('apps')
      .set({ lastBuild: build })
      .where('name', '=', name)
      .where('lastBuild', '<', build)
      .execute()
  }

  async update(
    name: string,
    change: Partial<Pick<AppRow, 'description' | 'versionPolicy' | 'defaultRecipe'>>,
  ): Promise<void> {
    await this.#db.updateTable('apps').set(change).where('name', '=', name).execute()
  }

  /** Apps by name; `names` limits them to those, `search` to names that contain it. */
  async list(
    request: PageRequest & { readonly search: string | null; readonly names: readonly string[] | null },
  ): Promise<Page<AppRow>> {
    let query = this.#db
      .selectFrom('apps')
      .selectAll()
      .orderBy('name')
      .limit(request.limit + 1)
    if (request.cursor !== null) query = query.where('name', '>', request.cursor)
    if (request.search !== null) query = query.where(contains('name', request.search))
    if (request.names !== null) query = query.where('name', 'in', request.names)
    return pageOf(await query.execute(), request.limit, (row) => row.name)
  }
}

/** That the column contains `text`, in which every character stands for itself. */
export function contains(column: string, text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.replaceAll(/[%_\\]/g, String.raw`\$&`)}%`
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`
}
