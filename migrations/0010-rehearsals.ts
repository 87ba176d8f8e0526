/** The last rehearsal of a restore point, as its node reported it; all three are null for one that never was rehearsed. */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('restore_points').addColumn('rehearsed_at', 'text').execute()
  await db.schema
    .alterTable('restore_points')
    .addColumn('rehearsal_ok', 'integer', (c) => c.check(sql`rehearsal_ok in (0, 1)`))
    .execute()
  await db.schema.alterTable('restore_points').addColumn('rehearsal_detail', 'text').execute()
}
