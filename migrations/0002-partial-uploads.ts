/**
 * Resumable uploads: what somebody began to send, how much of it is on disk for good, and, when it was archived, as
 * which build, so that the request that archives it can be repeated. The bytes are in var/partial-uploads/.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('partial_uploads')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('token_id', 'text', (c) => c.notNull())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('offset_bytes', 'bigint', (c) =>
      c.notNull().check(sql`offset_bytes >= 0 and offset_bytes <= size_bytes`),
    )
    .addColumn('metadata', 'text')
    .addColumn('app', 'text')
    .addColumn('build', 'bigint', (c) => c.check(sql`(app is null) = (build is null)`))
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('partial_uploads_token').on('partial_uploads').column('token_id').execute()
  await db.schema.createIndex('partial_uploads_expires').on('partial_uploads').column('expires_at').execute()
}
