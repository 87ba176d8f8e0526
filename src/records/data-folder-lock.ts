/**
 * One hub on one data folder. The lock is SQLite's own, held by a transaction that never ends: the operating system
 * lets go of it with the process, however that ends, and a number that another process has by now means nothing.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { HubError } from '../errors.ts'

/**
 * Takes the folder until disposed; `holder` says who, for whoever comes next.
 * @throws {HubError} `hub.running`, naming the holder.
 */
export function lockDataFolder(path: string, holder: string): Disposable {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
  const database = new Database(path, { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    throw new HubError(
      'hub.running',
      `${holderOf(path)} works on this data folder; stop it, or give this one a HUB_DATA_DIR of its own`,
    )
  }
  writeFileSync(`${path}.holder`, `${holder}\n`)
  return {
    [Symbol.dispose]() {
      rmSync(`${path}.holder`, { force: true })
      database.close()
    },
  }
}

function holderOf(path: string): string {
  try {
    return readFileSync(`${path}.holder`, 'utf8').trim()
  } catch {
    return 'another hub'
  }
}
