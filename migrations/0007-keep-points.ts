/**
 * Restore points that go: which are kept whatever the settings say, and the highest build id that each package had, so that
 * none is given twice when packages go. And by which token a node was enrolled, so that who repeats that is known.
 */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('restore_points').addColumn('kept_at', 'text').execute()
  await db.schema.alterTable('nodes').addColumn('enrolled_with', 'text').execute()
  await db.schema
    .createTable('binpkg_build_ids')
    .addColumn('node', 'text', (c) => c.notNull().references('nodes.name'))
    .addColumn('cpv', 'text', (c) => c.notNull())
    .addColumn('newest', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('binpkg_build_ids_key', ['node', 'cpv'])
    .execute()
}
