/** Rules of retention, and indexes by which sizes are summed and builds are judged without reading whole rows. */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('retention_rules')
    // An app; '' for the rules of the hub.
    .addColumn('app', 'text', (c) => c.primaryKey())
    .addColumn('keep_newest', 'bigint', (c) => c.check(sql`keep_newest >= 1`))
    .addColumn('keep_days', 'bigint', (c) => c.check(sql`keep_days >= 1`))
    .addColumn('keep_revisions', 'bigint', (c) => c.notNull().check(sql`keep_revisions >= 0`))
    .addColumn('set_by', 'text', (c) => c.notNull())
    .addColumn('set_at', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('builds_sizes').on('builds').columns(['app', 'sha512', 'size_bytes']).execute()
  await db.schema
    .createIndex('restore_point_files_sizes')
    .on('restore_point_files')
    .columns(['node', 'kind', 'received_at', 'size_bytes'])
    .execute()
  await db.schema.createIndex('binpkgs_sizes').on('binpkgs').columns(['node', 'size_bytes']).execute()
}
