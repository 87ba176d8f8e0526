/** Release sets: promotions of several apps that are asked for together, and go together or not at all. */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  // The id of the set's first promotion, which is the set's own.
  await db.schema
    .alterTable('promotions')
    .addColumn('set_id', 'text', (c) => c.references('promotions.id'))
    .execute()
  await db.schema.createIndex('promotions_set').on('promotions').column('set_id').execute()
}
