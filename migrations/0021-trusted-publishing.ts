/**
 * Trusted publishing: which identities of CIs an app trusts, and which identity tokens were exchanged, so that none is
 * exchanged twice, also after a restart.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('trusts')
    .addColumn('id', 'text', (c) => c.primaryKey())
    // Of an app that may not be there yet: its first upload makes it.
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('provider', 'text', (c) =>
      c.notNull().check(sql`provider in ('github', 'gitlab', 'jenkins', 'other')`),
    )
    .addColumn('issuer', 'text', (c) => c.notNull())
    .addColumn('claims', 'text', (c) => c.notNull())
    .addColumn('may_send_commands', 'integer', (c) => c.notNull().check(sql`may_send_commands in (0, 1)`))
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addUniqueConstraint('trusts_once', ['app', 'issuer', 'claims'])
    .execute()
  await db.schema
    .createTable('exchanges')
    .addColumn('identity_sha256', 'text', (c) => c.primaryKey())
    .addColumn('trust', 'text', (c) => c.notNull())
    .addColumn('token_id', 'text', (c) => c.notNull())
    .addColumn('identity_ends_at', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('exchanges_trust').on('exchanges').column('trust').execute()
}
