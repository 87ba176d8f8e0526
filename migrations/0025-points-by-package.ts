/** The page of a build asks for the restore points that hold it: a look into an index, and no reading of all points. */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex('restore_points_package')
    .on('restore_points')
    .columns(['app', 'cpv', 'id'])
    .execute()
}
