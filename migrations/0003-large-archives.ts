/**
 * What keeps its pace when the archive is large: lists of releases and promotions that are read off an index in the
 * order they are shown in, and an index of every three letters for searches within the text of builds.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createListIndexes(db)
  await createSearch(db)
}

/** An id sorts by its time, so each list ends in it. */
async function createListIndexes(db: Kysely<unknown>): Promise<void> {
  for (const replaced of ['releases_app', 'promotions_build']) await db.schema.dropIndex(replaced).execute()
  const lists = {
    releases: [
      ['environment', 'id'],
      ['environment', 'app', 'id'],
      ['environment', 'state', 'id'],
    ],
    promotions: [
      ['environment', 'id'],
      ['app', 'id'],
      ['app', 'build', 'id'],
    ],
  } as const
  for (const [table, all] of Object.entries(lists)) {
    for (const columns of all) {
      const name = [table, 'by', ...columns].join('_')
      await db.schema
        .createIndex(name)
        .on(table)
        .columns([...columns])
        .execute()
    }
  }
}

/**
 * SQLite's FTS5 with trigrams finds a part of a word without reading every row; its rowid is the order of arrival. On
 * another database the same columns get that database's own index of trigrams. A trigger fills it: no row can be added
 * past it, and builds are never changed.
 */
async function createSearch(db: Kysely<unknown>): Promise<void> {
  await sql`create virtual table build_search using fts5(
    app, build unindexed, semver, pv, commit_id, branch, tokenize = 'trigram'
  )`.execute(db)
  const columns = sql.raw('app, build, semver, pv, commit_id, branch')
  await sql`insert into build_search (${columns}) select ${columns} from builds order by received_at, app, build`.execute(
    db,
  )
  await sql`create trigger builds_searchable after insert on builds begin
    insert into build_search (${columns})
    values (new.app, new.build, new.semver, new.pv, new.commit_id, new.branch);
  end`.execute(db)
}
