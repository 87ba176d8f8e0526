/** The tables of a hub that is not running, written many rows at a time. */
import Database from 'better-sqlite3'
import type { Config } from '../../src/config.ts'
import type { Oid } from '../../src/git/objects.ts'
import { databasePath } from '../../src/jobs/open-data-folder.ts'
import type { AppRow } from '../../src/records/apps.ts'
import type { RevisionRow } from '../../src/records/overlays.ts'
import type { Schema } from '../../src/records/schema.ts'

type Value = string | number | null | Buffer
type Row<Table extends keyof Schema> = Readonly<Record<keyof Schema[Table] & string, Value>>

export class ArchiveRows implements Disposable {
  readonly #database: Database.Database
  readonly #inserts = new Map<string, Database.Statement>()
  #texts = new Map<Oid, Buffer>()

  constructor(config: Pick<Config, 'dataDir' | 'blobs' | 'databaseUrl'>) {
    this.#database = new Database(databasePath(config))
    // What a crash would cost here is only to begin again.
    this.#database.pragma('synchronous = OFF')
    this.#database.pragma('cache_size = -524288')
  }

  newestRevision(environment: string): { readonly number: number; readonly commitOid: Oid } {
    const query = `select number, commit_oid as commitOid from revisions where environment = ? order by number desc`
    return this.#database.prepare(query).get(environment) as { number: number; commitOid: Oid }
  }

  newestFiles(environment: string): readonly (readonly [path: string, oid: Oid])[] {
    const query = 'select path, oid from overlay_files where environment = ?'
    return this.#database.prepare(query).raw().all(environment) as [string, Oid][]
  }

  transaction(work: () => void): void {
    this.#database.transaction(work)()
  }

  add<Table extends keyof Schema>(table: Table, row: Row<Table>): void {
    let insert = this.#inserts.get(table)
    if (!insert) {
      const columns = Object.keys(row).map(inSnakeCase)
      const places = columns.map(() => '?').join(', ')
      const text = `insert into ${inSnakeCase(table)} (${columns.join(', ')}) values (${places})`
      this.#inserts.set(table, (insert = this.#database.prepare(text)))
    }
    insert.run(...Object.values(row))
  }

  /** A text of the overlay, once however often it comes. */
  addText(oid: Oid, content: Buffer): void {
    const text = 'insert into overlay_blobs (oid, content) values (?, ?) on conflict do nothing'
    let insert = this.#inserts.get('text')
    if (!insert) this.#inserts.set('text', (insert = this.#database.prepare(text)))
    insert.run(oid, content)
    this.#texts.set(oid, content)
  }

  /** The texts added since it was last asked. */
  takeTexts(): ReadonlyMap<Oid, Buffer> {
    const texts = this.#texts
    this.#texts = new Map()
    return texts
  }

  /** What is known at the end only. */
  finish(revisions: readonly RevisionRow[], apps: readonly AppRow[], files: ReadonlyMap<string, Oid>): void {
    const environment = revisions[0]?.environment ?? ''
    this.transaction(() => {
      for (const revision of revisions) this.add('revisions', revision)
      const raise = this.#database.prepare('update apps set last_build = ? where name = ?')
      for (const { name, lastBuild } of apps) raise.run(lastBuild, name)
      this.#database.prepare('delete from overlay_files where environment = ?').run(environment)
      for (const [path, oid] of files) this.add('overlayFiles', { environment, path, oid, byHand: 0 })
    })
  }

  [Symbol.dispose](): void {
    this.#database.pragma('wal_checkpoint(TRUNCATE)')
    this.#database.close()
  }
}

function inSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
