/** Brings a database to the newest form, by the files of `migrations/`, forward only, one transaction each. */
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Migrator } from 'kysely/migration'
import type { Migration } from 'kysely/migration'
import type { Db } from './database.ts'

const MIGRATIONS = new URL('../../migrations/', import.meta.url)

async function loadMigrations(): Promise<Record<string, Migration>> {
  const migrations: Record<string, Migration> = {}
  for (const file of (await readdir(fileURLToPath(MIGRATIONS))).sort()) {
    if (!/^\d{4}-[a-z0-9-]+\.ts$/.test(file)) continue
    migrations[file.slice(0, -3)] = (await import(new URL(file, MIGRATIONS).href)) as Migration
  }
  return migrations
}

/** Applies what is missing. A database that has a migration this version lacks is refused: it belongs to a newer hub. */
export async function migrate(db: Db): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: loadMigrations } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined)
    throw new Error('the database cannot be brought to the newest form', { cause: error })
}
