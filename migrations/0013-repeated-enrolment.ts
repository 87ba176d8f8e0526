/** What shows that a repeated enrolment comes from whoever made the first one, whose answer may be lost. */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('nodes').addColumn('retry_sha256', 'text').execute()
}
