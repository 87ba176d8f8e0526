/**
 * The main job: apps and their archived builds; releases in environments; the revisions of each environment's overlay,
 * kept completely enough (changes, texts, signatures) that a lost repository is rebuilt with the same commit ids; and
 * the tokens of those who may do what.
 */
import { sql } from 'kysely'
import type { ColumnDataType, Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  const bytes = await bytesType(db)
  await createBuildTables(db, bytes)
  await createReleaseTables(db)
  await createOverlayTables(db, bytes)
  await createAccessTables(db)
}

/** SQLite says `blob` where PostgreSQL says `bytea`: the one type that has no common name. */
async function bytesType(db: Kysely<unknown>): Promise<ColumnDataType> {
  const onSqlite = await sql`select sqlite_version()`.execute(db).then(
    () => true,
    () => false,
  )
  return onSqlite ? 'blob' : 'bytea'
}

async function createBuildTables(db: Kysely<unknown>, bytes: ColumnDataType): Promise<void> {
  await db.schema
    .createTable('apps')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('category', 'text', (c) => c.notNull())
    .addColumn('description', 'text')
    .addColumn('version_policy', 'text', (c) => c.notNull())
    .addColumn('default_recipe', 'text')
    .addColumn('last_build', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('builds')
    .addColumn('app', 'text', (c) => c.notNull().references('apps.name'))
    .addColumn('build', 'bigint', (c) => c.notNull())
    .addColumn('semver', 'text')
    .addColumn('category', 'text', (c) => c.notNull())
    .addColumn('pn', 'text', (c) => c.notNull())
    .addColumn('pv', 'text', (c) => c.notNull())
    .addColumn('distfile_name', 'text', (c) => c.notNull().unique())
    .addColumn('format', 'text', (c) => c.notNull())
    .addColumn('top_directory', 'text')
    .addColumn('entry_count', 'bigint', (c) => c.notNull())
    .addColumn('unpacked_bytes', 'bigint', (c) => c.notNull())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('blake2b', 'text', (c) => c.notNull())
    .addColumn('sha512', 'text', (c) => c.notNull())
    .addColumn('sha256', 'text', (c) => c.notNull())
    .addColumn('recipe', 'text')
    .addColumn('recipe_source', 'text', (c) =>
      c.notNull().check(sql`recipe_source in ('upload', 'tarball', 'app', 'default', 'template')`),
    )
    .addColumn('ebuild_oid', 'text', (c) => c.notNull())
    .addColumn('cache_oid', 'text')
    .addColumn('commit_id', 'text')
    .addColumn('branch', 'text')
    .addColumn('ci_url', 'text')
    .addColumn('uploaded_by', 'text', (c) => c.notNull())
    .addColumn('received_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('builds_pk', ['app', 'build'])
    .execute()
  for (const digest of ['sha512', 'blake2b', 'sha256']) {
    await db.schema.createIndex(`builds_${digest}`).on('builds').column(digest).execute()
  }
  await db.schema
    .createIndex('builds_received_at')
    .on('builds')
    .columns(['received_at', 'app', 'build'])
    .execute()
  await db.schema
    .createTable('listings')
    .addColumn('sha512', 'text', (c) => c.primaryKey())
    .addColumn('entries', bytes, (c) => c.notNull())
    .execute()
}

async function createReleaseTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('releases')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('build', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull().check(sql`state in ('released', 'withdrawn')`))
    .addColumn('released_by', 'text', (c) => c.notNull())
    .addColumn('released_at', 'text', (c) => c.notNull())
    .addColumn('revision', 'bigint', (c) => c.notNull())
    .addColumn('withdrawn_by', 'text')
    .addColumn('withdrawn_at', 'text')
    .addColumn('withdrawn_revision', 'bigint')
    .addColumn('reason', 'text')
    .addForeignKeyConstraint('releases_build', ['app', 'build'], 'builds', ['app', 'build'])
    .execute()
  await db.schema
    .createIndex('releases_build')
    .on('releases')
    .columns(['app', 'build', 'environment'])
    .execute()
  await db.schema
    .createIndex('releases_app')
    .on('releases')
    .columns(['environment', 'app', 'state'])
    .execute()
  // One living release of a build in an environment, whatever two requests at the same time believe.
  await db.schema
    .createIndex('releases_living')
    .unique()
    .on('releases')
    .columns(['environment', 'app', 'build'])
    .where(sql.ref('state'), '=', sql.lit('released'))
    .execute()
  await db.schema
    .createTable('promotions')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('build', 'bigint', (c) => c.notNull())
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) =>
      c.notNull().check(sql`state in ('requested', 'publishing', 'released', 'refused', 'failed')`),
    )
    .addColumn('lift_withdrawal', 'integer', (c) => c.notNull().check(sql`lift_withdrawal in (0, 1)`))
    .addColumn('requested_by', 'text', (c) => c.notNull())
    .addColumn('requested_at', 'text', (c) => c.notNull())
    .addColumn('finished_at', 'text')
    .addColumn('release_id', 'text')
    .addColumn('revision', 'bigint')
    .addColumn('detail', 'text')
    .addForeignKeyConstraint('promotions_build', ['app', 'build'], 'builds', ['app', 'build'])
    .execute()
  await db.schema.createIndex('promotions_state').on('promotions').columns(['state', 'id']).execute()
  await db.schema.createIndex('promotions_build').on('promotions').columns(['app', 'build']).execute()
  await db.schema.createIndex('promotions_release').on('promotions').column('release_id').execute()
}

async function createOverlayTables(db: Kysely<unknown>, bytes: ColumnDataType): Promise<void> {
  await db.schema
    .createTable('revisions')
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('number', 'bigint', (c) => c.notNull())
    .addColumn('commit_oid', 'text', (c) => c.notNull())
    .addColumn('tree_oid', 'text', (c) => c.notNull())
    .addColumn('parent_oid', 'text')
    .addColumn('time_sec', 'bigint', (c) => c.notNull())
    .addColumn('author_name', 'text', (c) => c.notNull())
    .addColumn('author_email', 'text', (c) => c.notNull())
    .addColumn('message', 'text', (c) => c.notNull())
    .addColumn('signature', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('revisions_pk', ['environment', 'number'])
    .addUniqueConstraint('revisions_commit', ['environment', 'commit_oid'])
    .execute()
  await db.schema
    .createTable('revision_changes')
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('revision', 'bigint', (c) => c.notNull())
    .addColumn('path', 'text', (c) => c.notNull())
    .addColumn('oid', 'text')
    .addPrimaryKeyConstraint('revision_changes_pk', ['environment', 'revision', 'path'])
    .execute()
  await db.schema
    .createIndex('revision_changes_path')
    .on('revision_changes')
    .columns(['environment', 'path', 'revision'])
    .execute()
  await db.schema
    .createTable('overlay_files')
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('path', 'text', (c) => c.notNull())
    .addColumn('oid', 'text', (c) => c.notNull())
    .addColumn('by_hand', 'integer', (c) => c.notNull().check(sql`by_hand in (0, 1)`))
    .addPrimaryKeyConstraint('overlay_files_pk', ['environment', 'path'])
    .execute()
  await db.schema
    .createTable('overlay_blobs')
    .addColumn('oid', 'text', (c) => c.primaryKey())
    .addColumn('content', bytes, (c) => c.notNull())
    .execute()
}

async function createAccessTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('tokens')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) =>
      c.notNull().check(sql`role in ('administrator', 'uploader', 'promoter', 'node', 'reader')`),
    )
    .addColumn('apps', 'text')
    .addColumn('environments', 'text')
    .addColumn('may_send_commands', 'integer', (c) => c.notNull().check(sql`may_send_commands in (0, 1)`))
    .addColumn('secret_sha256', 'text', (c) => c.notNull().unique())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'text')
    .addColumn('revoked_at', 'text')
    .execute()
  await db.schema
    .createTable('idempotency_keys')
    .addColumn('token_id', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('fingerprint', 'text', (c) => c.notNull())
    .addColumn('status', 'integer', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('idempotency_keys_pk', ['token_id', 'key'])
    .execute()
}
