/**
 * Restore points: what a node packed and dumped before it changed something, file by file; the binary packages among them
 * as its binhost shows them; when each binhost changed last; and the rollbacks that were asked for.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createPointTables(db)
  await createBinhostTables(db)
  await createRollbackTable(db)
}

async function createPointTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('restore_points')
    .addColumn('node', 'text', (c) => c.notNull().references('nodes.name'))
    .addColumn('id', 'text', (c) => c.notNull())
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('cpv', 'text', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('taken_at', 'text', (c) => c.notNull())
    .addColumn('hub_node', 'text', (c) => c.notNull())
    .addColumn('encrypted', 'integer', (c) => c.notNull().check(sql`encrypted in (0, 1)`))
    .addColumn('schema_version', 'bigint')
    .addColumn('announcement_sha256', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull().check(sql`state in ('announced', 'complete', 'refused')`))
    .addColumn('refusal', 'text', (c) => c.check(sql`(state = 'refused') = (refusal is not null)`))
    .addColumn('announced_at', 'text', (c) => c.notNull())
    .addColumn('completed_at', 'text')
    .addPrimaryKeyConstraint('restore_points_key', ['node', 'id'])
    .execute()
  await db.schema
    .createTable('restore_point_files')
    .addColumn('node', 'text', (c) => c.notNull())
    .addColumn('point', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull().check(sql`kind in ('binpkg', 'dump', 'info')`))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('sha512', 'text', (c) => c.notNull())
    .addColumn('sha256', 'text')
    .addColumn('received_at', 'text', (c) => c.check(sql`(received_at is null) = (sha256 is null)`))
    .addPrimaryKeyConstraint('restore_point_files_key', ['node', 'point', 'kind', 'name'])
    .addForeignKeyConstraint('restore_point_files_point', ['node', 'point'], 'restore_points', ['node', 'id'])
    .execute()
  await db.schema
    .createIndex('restore_point_files_sha512')
    .on('restore_point_files')
    .column('sha512')
    .execute()
}

async function createBinhostTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('binpkgs')
    .addColumn('node', 'text', (c) => c.notNull().references('nodes.name'))
    .addColumn('cpv', 'text', (c) => c.notNull())
    .addColumn('binpkg_build_id', 'bigint', (c) => c.notNull())
    .addColumn('path', 'text', (c) => c.notNull())
    .addColumn('point', 'text', (c) => c.notNull())
    .addColumn('uploaded_sha512', 'text', (c) => c.notNull())
    .addColumn('sha512', 'text', (c) => c.notNull())
    .addColumn('sha256', 'text', (c) => c.notNull())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('index_fields', 'text', (c) => c.notNull())
    .addColumn('accepted_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('binpkgs_key', ['node', 'cpv', 'binpkg_build_id'])
    .execute()
  await db.schema.createIndex('binpkgs_path').unique().on('binpkgs').columns(['node', 'path']).execute()
  await db.schema.createIndex('binpkgs_sha512').on('binpkgs').column('sha512').execute()
  await db.schema
    .createTable('binhosts')
    .addColumn('node', 'text', (c) => c.primaryKey().references('nodes.name'))
    .addColumn('timestamp_sec', 'bigint', (c) => c.notNull())
    .execute()
}

async function createRollbackTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('rollbacks')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('node', 'text', (c) => c.notNull().references('nodes.name'))
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('point', 'text', (c) => c.notNull())
    .addColumn('with_dump', 'integer', (c) => c.notNull().check(sql`with_dump in (0, 1)`))
    .addColumn('force', 'integer', (c) => c.notNull().check(sql`force in (0, 1)`))
    .addColumn('state', 'text', (c) =>
      c.notNull().check(sql`state in ('requested', 'done', 'failed', 'cancelled')`),
    )
    .addColumn('requested_by', 'text', (c) => c.notNull())
    .addColumn('requested_at', 'text', (c) => c.notNull())
    .addColumn('finished_at', 'text')
    .addColumn('detail', 'text')
    .execute()
  await db.schema.createIndex('rollbacks_node').on('rollbacks').columns(['node', 'state', 'id']).execute()
  // One at a time for an app on a node, whatever two requests at the same time believe.
  await db.schema
    .createIndex('rollbacks_open')
    .unique()
    .on('rollbacks')
    .columns(['node', 'app'])
    .where(sql<boolean>`state = 'requested'`)
    .execute()
}
