/** Which key signed a package of a binhost: so that those of a revoked key are found, and signed again. */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  // Null: from before it was kept; the package itself says it.
  await db.schema.alterTable('binpkgs').addColumn('signed_by', 'text').execute()
  await db.schema.createIndex('binpkgs_signed_by').on('binpkgs').column('signed_by').execute()
}
