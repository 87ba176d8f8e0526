/**
 * The search for everything: which files the tarballs of each app have, by an index of every three letters of their paths;
 * which builds are still to be taken into it, which a job does, because a large archive takes its time; and the indexes by
 * which the beginning of a digest or commit is found.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createFileTables(db)
  await createFileSearch(db)
  await createQueue(db)
  await createIndexes(db)
}

async function createFileTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('file_paths')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('app', 'text', (c) => c.notNull().references('apps.name'))
    // Inside the single top folder, if there is one: its name has the version in it often.
    .addColumn('path', 'text', (c) => c.notNull())
    .addUniqueConstraint('file_paths_once', ['app', 'path'])
    .execute()
  await db.schema
    .createTable('file_builds')
    .addColumn('file', 'integer', (c) => c.notNull().references('file_paths.id'))
    // '': of the whole archive; else of what was ever released there, which is all that some may know of.
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('first_build', 'bigint', (c) => c.notNull())
    .addColumn('newest_build', 'bigint', (c) => c.notNull())
    .addColumn('builds', 'bigint', (c) => c.notNull().check(sql`builds > 0`))
    .addPrimaryKeyConstraint('file_builds_pk', ['file', 'environment'])
    .execute()
}

/** As with builds: another database gets its own index of trigrams. The table holds the text, FTS5 the index alone. */
async function createFileSearch(db: Kysely<unknown>): Promise<void> {
  await sql`create virtual table file_search using fts5(
    app, path, content = 'file_paths', content_rowid = 'id', tokenize = 'trigram'
  )`.execute(db)
  await sql`create trigger file_paths_searchable after insert on file_paths begin
    insert into file_search (rowid, app, path) values (new.id, new.app, new.path);
  end`.execute(db)
}

/** Triggers fill it: no build can be archived or released past it. */
async function createQueue(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('file_queue')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('app', 'text', (c) => c.notNull())
    .addColumn('build', 'bigint', (c) => c.notNull())
    .addColumn('environment', 'text', (c) => c.notNull())
    // So many entries of its listing are taken in.
    .addColumn('done', 'bigint', (c) => c.notNull())
    .execute()
  const into = sql.raw('insert into file_queue (app, build, environment, done)')
  await sql`${into} select app, build, '', 0 from builds order by received_at, app, build`.execute(db)
  await sql`${into} select app, build, environment, 0 from releases group by app, build, environment order by min(id)`.execute(
    db,
  )
  await sql`create trigger builds_with_files after insert on builds begin
    ${into} values (new.app, new.build, '', 0);
  end`.execute(db)
  await sql`create trigger releases_with_files after insert on releases
    when not exists (
      select 1 from releases
      where app = new.app and build = new.build and environment = new.environment and id <> new.id
    )
    begin
      ${into} values (new.app, new.build, new.environment, 0);
    end`.execute(db)
}

async function createIndexes(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex('builds_number').on('builds').columns(['build', 'received_at']).execute()
  await db.schema.createIndex('builds_semver').on('builds').columns(['app', 'semver']).execute()
  await db.schema.createIndex('builds_pv').on('builds').columns(['app', 'pv']).execute()
  await sql`create index builds_commit on builds (lower(commit_id))`.execute(db)
  await db.schema.createIndex('binpkgs_sha256').on('binpkgs').column('sha256').execute()
  await db.schema
    .createIndex('restore_point_files_sha256')
    .on('restore_point_files')
    .column('sha256')
    .execute()
  await sql`create index tokens_name on tokens (lower(name))`.execute(db)
}
