/** What binary packages of complete restore points tell of files that were changed since they were installed. */
import type { Db } from './database.ts'

export interface PackageChangesRow {
  readonly node: string
  readonly cpv: string
  readonly point: string
  readonly takenAt: string
  /** JSON of `ChangedFiles`. */
  readonly changedFiles: string
}

export class PackageChangeRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** Of these points of a node, those whose package tells. */
  async ofPoints(node: string, ids: readonly string[]): Promise<readonly PackageChangesRow[]> {
    if (ids.length === 0) return []
    return await this.#known()
      .where('restorePoints.node', '=', node)
      .where('restorePoints.id', 'in', ids)
      .execute()
  }

  /** Of what these nodes reported as installed: the newest point of each package, by node and package. */
  async ofInstalled(nodes: readonly string[]): Promise<readonly PackageChangesRow[]> {
    if (nodes.length === 0) return []
    const rows = await this.#known()
      .innerJoin('nodePackages', (join) =>
        join
          .onRef('nodePackages.node', '=', 'restorePoints.node')
          .onRef('nodePackages.cpv', '=', 'restorePoints.cpv'),
      )
      .where('restorePoints.node', 'in', nodes)
      .orderBy('restorePoints.takenAt')
      .orderBy('restorePoints.id')
      .execute()
    return [...new Map(rows.map((row) => [`${row.node} ${row.cpv}`, row])).values()]
  }

  /** A package may be in several points, and is found by the bytes that came, in each of them. */
  #known() {
    return this.#db
      .selectFrom('restorePoints')
      .innerJoin('restorePointFiles', (join) =>
        join
          .onRef('restorePointFiles.node', '=', 'restorePoints.node')
          .onRef('restorePointFiles.point', '=', 'restorePoints.id'),
      )
      .innerJoin('binpkgs', (join) =>
        join
          .onRef('binpkgs.node', '=', 'restorePoints.node')
          .onRef('binpkgs.cpv', '=', 'restorePoints.cpv')
          .onRef('binpkgs.uploadedSha512', '=', 'restorePointFiles.sha512'),
      )
      .select([
        'restorePoints.node',
        'restorePoints.cpv',
        'restorePoints.id as point',
        'restorePoints.takenAt',
      ])
      .select((eb) => eb.ref('binpkgs.changedFiles').$notNull().as('changedFiles'))
      .where('restorePoints.state', '=', 'complete')
      .where('restorePointFiles.kind', '=', 'binpkg')
      .where('binpkgs.changedFiles', 'is not', null)
  }
}
