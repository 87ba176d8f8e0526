/**
 * Checks: what CI or a person found out about a build, each run a row of its own, and the reports that came with it as
 * they were read (JUnit XML, SARIF, Cobertura).
 */
import { sql } from 'kysely'
import type { ColumnDataType, Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('checks')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('build', 'bigint', (c) => c.notNull())
    .addColumn('stage', 'text', (c) => c.notNull().check(sql`stage in ('commit', 'acceptance', 'manual')`))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) =>
      c.notNull().check(sql`status in ('running', 'passed', 'failed', 'skipped')`),
    )
    .addColumn('url', 'text')
    .addColumn('summary', 'text')
    .addColumn('reported_by', 'text', (c) => c.notNull())
    .addColumn('reported_at', 'text', (c) => c.notNull())
    .addForeignKeyConstraint('checks_build', ['app', 'build'], 'builds', ['app', 'build'])
    .execute()
  await db.schema.createIndex('checks_of_build').on('checks').columns(['app', 'build', 'id']).execute()
  await createReportTable(db, await bytesType(db))
}

async function createReportTable(db: Kysely<unknown>, bytes: ColumnDataType): Promise<void> {
  await db.schema
    .createTable('check_reports')
    .addColumn('check_id', 'text', (c) => c.notNull().references('checks.id'))
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('format', 'text', (c) => c.notNull().check(sql`format in ('junit', 'sarif', 'cobertura')`))
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('counts', 'text', (c) => c.notNull())
    .addColumn('items', bytes, (c) => c.notNull())
    .addPrimaryKeyConstraint('check_reports_pk', ['check_id', 'position'])
    .execute()
}

/** SQLite says `blob` where PostgreSQL says `bytea`: the one type that has no common name. */
async function bytesType(db: Kysely<unknown>): Promise<ColumnDataType> {
  const onSqlite = await sql`select sqlite_version()`.execute(db).then(
    () => true,
    () => false,
  )
  return onSqlite ? 'blob' : 'bytea'
}
