/** Checks: every run that was told of a build, and the reports that came with it. */
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import type { Selectable } from 'kysely'
import type { ReportItem } from '../checks/report.ts'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { CheckReportTable, CheckTable } from './schema.ts'

export type CheckRow = Selectable<CheckTable>
export type CheckReportRow = Selectable<CheckReportTable>
/** A report without its items, which may be many. */
export type CheckReportHead = Omit<CheckReportRow, 'items'>

export interface CheckFilter {
  readonly app: string
  readonly build: number
  /** null: of every stage. */
  readonly stage: CheckRow['stage'] | null
  /** null: of every name. */
  readonly name: string | null
}

const decompress = promisify(zstdDecompress)

export class CheckRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** Belongs into a transaction. */
  async add(check: CheckRow, reports: readonly CheckReportRow[]): Promise<void> {
    await this.#db.insertInto('checks').values(check).execute()
    for (const report of reports) await this.#db.insertInto('checkReports').values(report).execute()
  }

  async find(id: string): Promise<CheckRow | undefined> {
    return await this.#db.selectFrom('checks').selectAll().where('id', '=', id).executeTakeFirst()
  }

  /** Newest first. */
  async list({ app, build, stage, name }: CheckFilter, request: PageRequest): Promise<Page<CheckRow>> {
    let query = this.#db
      .selectFrom('checks')
      .selectAll()
      .where('app', '=', app)
      .where('build', '=', build)
      .orderBy('id', 'desc')
      .limit(request.limit + 1)
    if (stage !== null) query = query.where('stage', '=', stage)
    if (name !== null) query = query.where('name', '=', name)
    if (request.cursor !== null) query = query.where('id', '<', request.cursor)
    return pageOf(await query.execute(), request.limit, (row) => row.id)
  }

  /** The newest run of each stage and name, which is the one that counts. */
  async newest(app: string, build: number): Promise<readonly CheckRow[]> {
    const newestIds = this.#db
      .selectFrom('checks')
      .select(({ fn }) => fn.max('id').as('id'))
      .where('app', '=', app)
      .where('build', '=', build)
      .groupBy(['stage', 'name'])
    return await this.#db
      .selectFrom('checks')
      .selectAll()
      .where('id', 'in', newestIds)
      .orderBy('id')
      .execute()
  }

  /** Of these checks, by check and position. */
  async reportsOf(ids: readonly string[]): Promise<readonly CheckReportHead[]> {
    if (ids.length === 0) return []
    return await this.#db
      .selectFrom('checkReports')
      .select(['checkId', 'position', 'name', 'format', 'sizeBytes', 'counts'])
      .where('checkId', 'in', ids)
      .orderBy('checkId')
      .orderBy('position')
      .execute()
  }

  /** What the reports of a check hold, in their order. */
  async itemsOf(
    id: string,
  ): Promise<readonly { readonly report: string; readonly items: readonly ReportItem[] }[]> {
    const rows = await this.#db
      .selectFrom('checkReports')
      .select(['name', 'items'])
      .where('checkId', '=', id)
      .orderBy('position')
      .execute()
    return await Promise.all(
      rows.map(async ({ name, items }) => ({
        report: name,
        items: JSON.parse((await decompress(items)).toString('utf8')) as ReportItem[],
      })),
    )
  }
}
