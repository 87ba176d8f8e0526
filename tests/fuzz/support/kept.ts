/** What a hub keeps, from outside: the names of its files and the rows of its records, to be held against itself later. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'

/** Where a request leaves bytes, for good or on the way. */
const FOLDERS = ['distfiles/archive', 'binpkgs', 'var/uploads', 'var/binpkg-uploads', 'var/partial-uploads']

/** Large, and what is in them is never changed: the number of rows says enough. */
const COUNTED = /^(?:overlay_blobs|build_search.*)$/

/** By name of a table: how many rows, and a digest of all of them. */
export type Tables = ReadonlyMap<string, string>

export interface Kept {
  readonly files: readonly string[]
  readonly tables: Tables
}

/** Reads beside the hub. Tables are read again only when the hub has written since. */
export class KeptReader implements Disposable {
  readonly #directory: string
  readonly #database: Database.Database
  #version: unknown = null
  #tables: Tables = new Map()

  constructor(directory: string) {
    this.#directory = directory
    this.#database = new Database(join(directory, 'var', 'hub.db'), { readonly: true })
  }

  async read(): Promise<Kept> {
    return { files: await filesBelow(this.#directory, FOLDERS), tables: this.#readTables() }
  }

  #readTables(): Tables {
    // It counts the commits of all other connections.
    const version: unknown = this.#database.pragma('data_version', { simple: true })
    if (version !== this.#version) {
      const names = this.#database
        .prepare<[], { name: string }>("select name from sqlite_master where type = 'table' order by name")
        .all()
      this.#tables = new Map(names.map(({ name }) => [name, this.#digestOf(name)]))
      this.#version = version
    }
    return this.#tables
  }

  #digestOf(name: string): string {
    const isCounted = COUNTED.test(name)
    const rows = this.#database
      .prepare(`select ${isCounted ? '1' : '*'} from "${name}"`)
      .raw()
      .all()
    const digest = createHash('sha256').update(JSON.stringify(rows)).digest('hex').slice(0, 16)
    return `${String(rows.length)} rows ${digest}`
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}

/** What differs between two states, a line each; `tables` are those that count: all, if none are named. */
export function differences(
  before: Kept,
  after: Kept,
  tables?: readonly string[],
): { readonly files: readonly string[]; readonly rows: readonly string[] } {
  const gone = before.files.filter((path) => !after.files.includes(path))
  const left = after.files.filter((path) => !before.files.includes(path))
  const changed = [...after.tables].filter(
    ([name, rows]) => (tables?.includes(name) ?? true) && before.tables.get(name) !== rows,
  )
  return {
    files: [...left.map((path) => `left behind: ${path}`), ...gone.map((path) => `gone: ${path}`)],
    rows: changed.map(([name, rows]) => `${name} had ${before.tables.get(name) ?? 'none'} and has ${rows}`),
  }
}

/** Every file below these folders, sorted. */
export async function filesBelow(directory: string, folders: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const folder of folders) {
    const entries = await readdir(join(directory, folder), { recursive: true, withFileTypes: true })
    found.push(
      ...entries
        .filter((entry) => !entry.isDirectory())
        .map(({ parentPath, name }) => join(parentPath, name)),
    )
  }
  return found.sort()
}
