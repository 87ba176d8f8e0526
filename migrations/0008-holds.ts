/**
 * Holds: apps and builds that nothing promotes until somebody lifts the hold, some of them masked in an overlay; and
 * rollbacks of a whole environment, which are one rollback per node and the holds that make them stick.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createEnvironmentRollbackTable(db)
  await createHoldTable(db)
}

async function createHoldTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('holds')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('app', 'text', (c) => c.notNull().references('apps.name'))
    .addColumn('build', 'bigint')
    .addColumn('newer', 'integer', (c) =>
      c.notNull().check(sql`newer = 0 or (newer = 1 and build is not null)`),
    )
    .addColumn('environment', 'text')
    .addColumn('mask', 'integer', (c) =>
      c.notNull().check(sql`mask = 0 or (mask = 1 and build is not null and environment is not null)`),
    )
    .addColumn('rollback', 'text', (c) => c.references('environment_rollbacks.id'))
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('held_by', 'text', (c) => c.notNull())
    .addColumn('held_at', 'text', (c) => c.notNull())
    .addColumn('held_revision', 'bigint')
    .addColumn('lifted_by', 'text')
    .addColumn('lifted_at', 'text', (c) => c.check(sql`(lifted_at is null) = (lifted_by is null)`))
    .addColumn('lifted_revision', 'bigint')
    .addColumn('lift_reason', 'text', (c) => c.check(sql`(lift_reason is null) = (lifted_at is null)`))
    .execute()
  await db.schema
    .createIndex('holds_open')
    .on('holds')
    .columns(['app'])
    .where(sql<boolean>`lifted_at is null`)
    .execute()
  await db.schema.createIndex('holds_rollback').on('holds').column('rollback').execute()
}

async function createEnvironmentRollbackTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('environment_rollbacks')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('app', 'text', (c) => c.notNull().references('apps.name'))
    .addColumn('build', 'bigint', (c) => c.notNull())
    .addColumn('with_dump', 'integer', (c) => c.notNull().check(sql`with_dump in (0, 1)`))
    .addColumn('force', 'integer', (c) => c.notNull().check(sql`force in (0, 1)`))
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('requested_by', 'text', (c) => c.notNull())
    .addColumn('requested_at', 'text', (c) => c.notNull())
    .addColumn('nodes', 'text', (c) => c.notNull())
    .execute()
  // SQLite adds a column with a foreign key only where it may be empty, which it may be here.
  await db.schema
    .alterTable('rollbacks')
    .addColumn('environment_rollback', 'text', (c) => c.references('environment_rollbacks.id'))
    .execute()
  await db.schema
    .createIndex('rollbacks_environment_rollback')
    .on('rollbacks')
    .column('environment_rollback')
    .execute()
}
