/** When a node said or sent something of a restore point last: one that it never goes on with can be told from one on its way. */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  // Null, of points from before: the time of the announcement counts.
  await db.schema.alterTable('restore_points').addColumn('active_at', 'text').execute()
}
