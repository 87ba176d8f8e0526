/** What takes how much space, summed from indexes. Files that several records name are counted for each of them. */
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface AppUsage {
  readonly app: string
  readonly builds: number
  readonly bytes: number
}

export interface NodeUsage {
  readonly node: string
  readonly environment: string
  /** Signed packages of its binhost. */
  readonly packageBytes: number
  /** Dumps, and what else its restore points brought. */
  readonly dumpBytes: number
}

/** So many of the newest listings say how large one is. */
const SAMPLE = 500

export class UsageRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** The archive by app, largest first: a tarball that several builds of an app have counts once. */
  async archive(): Promise<readonly AppUsage[]> {
    const tarballs = this.#db
      .selectFrom('builds')
      .select(['app', sql<number>`max(size_bytes)`.as('bytes'), sql<number>`count(*)`.as('builds')])
      .groupBy(['app', 'sha512'])
      .as('tarballs')
    const rows = await this.#db
      .selectFrom(tarballs)
      .select(['app', sql<number>`sum(builds)`.as('builds'), sql<number>`sum(bytes)`.as('bytes')])
      .groupBy('app')
      .execute()
    return rows.sort((a, b) => b.bytes - a.bytes)
  }

  /** What nodes keep at the hub, largest first. */
  async nodes(): Promise<readonly NodeUsage[]> {
    const packages = await this.#db
      .selectFrom('binpkgs')
      .select(['node', sql<number>`sum(size_bytes)`.as('bytes')])
      .groupBy('node')
      .execute()
    const dumps = await this.#db
      .selectFrom('restorePointFiles')
      .select(['node', sql<number>`sum(size_bytes)`.as('bytes')])
      .where('kind', '!=', 'binpkg')
      .where('receivedAt', 'is not', null)
      .groupBy('node')
      .execute()
    const [packageBytes, dumpBytes] = [packages, dumps].map(
      (rows) => new Map(rows.map(({ node, bytes }) => [node, bytes])),
    )
    const nodes = await this.#db.selectFrom('nodes').select(['name', 'environment']).execute()
    return nodes
      .map(({ name, environment }) => ({
        ...{ node: name, environment },
        ...{ packageBytes: packageBytes?.get(name) ?? 0, dumpBytes: dumpBytes?.get(name) ?? 0 },
      }))
      .filter((usage) => usage.packageBytes + usage.dumpBytes > 0)
      .sort((a, b) => b.packageBytes + b.dumpBytes - a.packageBytes - a.dumpBytes)
  }

  /** About: how many there are, times the mean of the newest. */
  async listingBytes(): Promise<number> {
    const { count } = await this.#db
      .selectFrom('listings')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    const newest = this.#db
      .selectFrom('listings')
      .select('entries')
      .orderBy(sql`rowid`, 'desc')
      .limit(SAMPLE)
    const { mean } = await this.#db
      .selectFrom(newest.as('newest'))
      .select(sql<number | null>`avg(length(entries))`.as('mean'))
      .executeTakeFirstOrThrow()
    return Math.round(count * (mean ?? 0))
  }

  /** What is on disk of resumable uploads that became no build yet. */
  async partialUploadBytes(): Promise<number> {
    const { bytes } = await this.#db
      .selectFrom('partialUploads')
      .select(sql<number | null>`sum(offset_bytes)`.as('bytes'))
      .where('build', 'is', null)
      .executeTakeFirstOrThrow()
    return bytes ?? 0
  }
}
