/**
 * The audit: every change, each with the hash of the one before, in a table that only grows. Its head is kept apart, so
 * that records cut off its end are missed.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit')
    .addColumn('seq', 'bigint', (c) => c.primaryKey())
    .addColumn('id', 'text', (c) => c.notNull().unique())
    .addColumn('at', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('app', 'text')
    .addColumn('build', 'bigint')
    .addColumn('environment', 'text')
    .addColumn('node', 'text')
    .addColumn('actor', 'text', (c) => c.notNull())
    .addColumn('actor_role', 'text', (c) => c.notNull())
    .addColumn('token_id', 'text')
    .addColumn('address', 'text')
    .addColumn('request_id', 'text')
    .addColumn('reason', 'text')
    .addColumn('before', 'text')
    .addColumn('after', 'text')
    .addColumn('previous_hash', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .execute()
  for (const column of ['type', 'app', 'environment', 'node', 'actor', 'subject'])
    await db.schema.createIndex(`audit_${column}`).on('audit').columns([column, 'seq']).execute()
  await db.schema
    .createTable('audit_head')
    .addColumn('one', 'integer', (c) => c.primaryKey().check(sql`one = 1`))
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .execute()
  await sql`insert into audit_head (one, seq, hash) values (1, 0, ${'0'.repeat(64)})`.execute(db)
  if (await isSqlite(db)) {
    for (const change of ['update', 'delete']) {
      await sql
        .raw(
          `create trigger audit_no_${change} before ${change} on audit begin select raise(abort, 'the audit only grows'); end`,
        )
        .execute(db)
    }
  }
}

async function isSqlite(db: Kysely<unknown>): Promise<boolean> {
  return await sql`select sqlite_version()`.execute(db).then(
    () => true,
    () => false,
  )
}
