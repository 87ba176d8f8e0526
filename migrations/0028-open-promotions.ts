/** What waits is found by its app, among however many that have ended. */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex('promotions_open')
    .on('promotions')
    .column('app')
    .where(sql.ref('finished_at'), 'is', null)
    .execute()
}
