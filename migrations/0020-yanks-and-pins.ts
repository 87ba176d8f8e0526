/**
 * Yanks: holds of one build that mask it in every environment, each build once at a time. Pins: builds that no retention
 * takes away.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await widenHolds(db)
  await db.schema
    .createTable('pins')
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('build', 'bigint', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('pinned_by', 'text', (c) => c.notNull())
    .addColumn('pinned_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('pins_pk', ['app', 'build'])
    .addForeignKeyConstraint('pins_build', ['app', 'build'], 'builds', ['app', 'build'])
    .execute()
}

/** SQLite cannot change a CHECK: the table is made anew and takes the rows over. */
async function widenHolds(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('holds_and_yanks')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('app', 'text', (c) => c.notNull().references('apps.name'))
    .addColumn('build', 'bigint')
    .addColumn('newer', 'integer', (c) =>
      c.notNull().check(sql`newer = 0 or (newer = 1 and build is not null)`),
    )
    .addColumn('environment', 'text')
    .addColumn('mask', 'integer', (c) => c.notNull().check(sql`mask = 0 or (mask = 1 and build is not null)`))
    .addColumn('yank', 'integer', (c) =>
      c.notNull().check(sql`yank = 0 or (yank = 1 and mask = 1 and newer = 0)`),
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
    // A mask of all environments is a yank, and a yank is one of all environments.
    .addCheckConstraint(
      'holds_yank_everywhere',
      sql`mask = 0 or (environment is null and yank = 1) or (environment is not null and yank = 0)`,
    )
    .execute()
  const kept = sql.raw(
    'id, app, build, newer, environment, mask, rollback, reason, held_by, held_at, held_revision, lifted_by, lifted_at, lifted_revision, lift_reason',
  )
  await sql`insert into holds_and_yanks (${kept}, yank) select ${kept}, 0 from holds`.execute(db)
  await db.schema.dropTable('holds').execute()
  await db.schema.alterTable('holds_and_yanks').renameTo('holds').execute()
  const isOpen = sql<boolean>`lifted_at is null`
  await db.schema.createIndex('holds_open').on('holds').columns(['app']).where(isOpen).execute()
  await db.schema.createIndex('holds_rollback').on('holds').column('rollback').execute()
  await db.schema
    .createIndex('holds_yank')
    .unique()
    .on('holds')
    .columns(['app', 'build'])
    .where(sql<boolean>`yank = 1 and lifted_at is null`)
    .execute()
}
