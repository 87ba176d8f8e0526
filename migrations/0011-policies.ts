/**
 * Policies of environments, every version of each, so that a promotion can say by which it was judged; and who skipped
 * the waiting of a promotion, and why.
 */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('policies')
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('version', 'bigint', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('set_by', 'text', (c) => c.notNull())
    .addColumn('set_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('policies_pk', ['environment', 'version'])
    .execute()
  // Null: from before there were policies.
  await db.schema.alterTable('promotions').addColumn('policy_version', 'bigint').execute()
  await db.schema.alterTable('promotions').addColumn('override_reason', 'text').execute()
}
