/** Sessions of people, and the links that open one. Only digests of their secrets are kept. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import type { SessionTable, SignInLinkTable } from './people-tables.ts'

export type SessionRow = Selectable<SessionTable>
export type SignInLinkRow = Selectable<SignInLinkTable>

export class SessionRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(session: SessionRow): Promise<void> {
    await this.#db.insertInto('sessions').values(session).execute()
  }

  async findBySecret(secretSha256: string): Promise<SessionRow | undefined> {
    return await this.#db
      .selectFrom('sessions')
      .selectAll()
      .where('secretSha256', '=', secretSha256)
      .executeTakeFirst()
  }

  /** Newest first. */
  async of(person: string): Promise<readonly SessionRow[]> {
    return await this.#db
      .selectFrom('sessions')
      .selectAll()
      .where('person', '=', person)
      .orderBy('id', 'desc')
      .execute()
  }

  async touch(id: string, seenAt: string): Promise<void> {
    await this.#db.updateTable('sessions').set({ seenAt }).where('id', '=', id).execute()
  }

  /** Ends one; false when it had ended. */
  async remove(id: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db.deleteFrom('sessions').where('id', '=', id).executeTakeFirst()
    return numDeletedRows === 1n
  }

  /** Ends all of somebody, and says how many that were. */
  async removeOf(person: string): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('sessions')
      .where('person', '=', person)
      .executeTakeFirst()
    return Number(numDeletedRows)
  }

  /** Forgets those that ended by themselves: at their end, or unseen since `seenSince`. */
  async prune(now: string, seenSince: string): Promise<void> {
    await this.#db
      .deleteFrom('sessions')
      .where(({ or, eb }) => or([eb('expiresAt', '<=', now), eb('seenAt', '<=', seenSince)]))
      .execute()
  }
}

export class SignInLinkRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(link: SignInLinkRow): Promise<void> {
    await this.#db.insertInto('signInLinks').values(link).execute()
  }

  /** Uses up a link that is good at `now`; undefined for any other. Of two at once one gets it. */
  async useUp(secretSha256: string, now: string): Promise<SignInLinkRow | undefined> {
    return await this.#db
      .updateTable('signInLinks')
      .set({ usedAt: now })
      .where('secretSha256', '=', secretSha256)
      .where('usedAt', 'is', null)
      .where('expiresAt', '>', now)
      .returningAll()
      .executeTakeFirst()
  }

  /** Takes back what somebody was sent and did not use. */
  async removeOf(person: string): Promise<void> {
    await this.#db
      .deleteFrom('signInLinks')
      .where('person', '=', person)
      .where('usedAt', 'is', null)
      .execute()
  }

  async prune(now: string): Promise<void> {
    await this.#db.deleteFrom('signInLinks').where('expiresAt', '<=', now).execute()
  }
}
