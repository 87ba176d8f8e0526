/**
 * Opens the ledger. SQLite today: WAL, `synchronous=FULL`, so that a committed row survives a power cut. Every query
 * is built by Kysely, so that another dialect needs no new one.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { CamelCasePlugin, Kysely, SqliteDialect } from 'kysely'
import type { SqliteStatement } from 'kysely'
import type { Schema } from './schema.ts'

export type Db = Kysely<Schema>

/** Opens (and makes, if missing) the SQLite database at `path`; `:memory:` for tests. */
export function openSqlite(path: string): Db {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  database.pragma('busy_timeout = 10000')
  // KiB, as SQLite wants it below zero: the indexes of 100,000 builds, which every upload writes to at places of chance.
  database.pragma('cache_size = -65536')
  return new Kysely<Schema>({
    dialect: new SqliteDialect({
      database: { close: () => database.close(), prepare: cachedPrepare(database) },
    }),
    plugins: [new CamelCasePlugin()],
  })
}

/**
 * Kysely prepares each statement anew, which costs three times the query; its texts repeat, so they are kept. The same
 * hook makes each transaction take the write lock at its begin: a deferred one may fail halfway when it upgrades. And a
 * disk that is full or broken makes SQLite roll back by itself: rolling back once more would fail and hide why.
 */
function cachedPrepare(database: Database.Database): (sql: string) => SqliteStatement {
  const statements = new Map<string, Database.Statement>()
  const limit = 500
  return (sql) => {
    if (sql === 'rollback' && !database.inTransaction) return database.prepare('select 1')
    let statement = statements.get(sql)
    if (!statement) {
      statement = database.prepare(sql === 'begin' ? 'begin immediate' : sql)
      if (statements.size >= limit) statements.clear()
      statements.set(sql, statement)
    }
    return statement
  }
}
