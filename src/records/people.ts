/** People: who signs in, with which grants. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { PersonTable } from './people-tables.ts'

export type PersonRow = Selectable<PersonTable>

export class PersonRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(person: PersonRow): Promise<void> {
    await this.#db.insertInto('people').values(person).execute()
  }

  async update(
    id: string,
    change: Partial<Omit<PersonRow, 'id' | 'createdBy' | 'createdAt'>>,
  ): Promise<void> {
    await this.#db.updateTable('people').set(change).where('id', '=', id).execute()
  }

  async find(id: string): Promise<PersonRow | undefined> {
    return await this.#db.selectFrom('people').selectAll().where('id', '=', id).executeTakeFirst()
  }

  async findByName(name: string): Promise<PersonRow | undefined> {
    return await this.#db.selectFrom('people').selectAll().where('name', '=', name).executeTakeFirst()
  }

  /** Whom the OpenID provider `issuer` knows as `subject`. */
  async findByIdentity(issuer: string, subject: string): Promise<PersonRow | undefined> {
    return await this.#db
      .selectFrom('people')
      .selectAll()
      .where('issuer', '=', issuer)
      .where('subject', '=', subject)
      .executeTakeFirst()
  }

  async isAnybody(): Promise<boolean> {
    return (await this.#db.selectFrom('people').select('id').limit(1).executeTakeFirst()) !== undefined
  }

  /** Oldest first. */
  async list(request: PageRequest): Promise<Page<PersonRow>> {
    let query = this.#db
      .selectFrom('people')
      .selectAll()
      .orderBy('id')
      .limit(request.limit + 1)
    if (request.cursor !== null) query = query.where('id', '>', request.cursor)
    return pageOf(await query.execute(), request.limit, (row) => row.id)
  }
}
