/** Nodes: the machines that are enrolled, the newest report of each, and the packages that it named. */
import type { Selectable } from 'kysely'
import { contains } from './apps.ts'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { NodePackageTable, NodeTable } from './schema.ts'

export type NodeRow = Selectable<NodeTable>
export type NodePackageRow = Selectable<NodePackageTable>

/** Of an app and one of its builds, the number of nodes that have it. */
export interface BuildOnNodes {
  readonly environment: string
  readonly app: string | null
  readonly build: number | null
  readonly nodes: number
}

export interface NodeWithBuild {
  readonly node: string
  readonly environment: string
  /** When a report first said so. */
  readonly since: string
}

export interface NodeFilter {
  /** null: of all. */
  readonly environments: readonly string[] | null
  /** Only this one; null: all. */
  readonly name: string | null
  /** Part of the name; null: any. */
  readonly q: string | null
  /** true: those that left, false: those that did not; null: both. */
  readonly left: boolean | null
}

/** What a report changes of its node. */
export interface ReportedState {
  readonly reportedAt: string
  readonly syncedCommit: string | null
  /** JSON of the report. */
  readonly body: string
  /** All that are installed: they take the place of those of the report before. */
  readonly packages: readonly NodePackageRow[]
}

/** Parameters of one statement stay far below SQLite's and PostgreSQL's limits. */
const ROWS_PER_STATEMENT = 500

export class NodeRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  /** Adds the node. One that left is enrolled again, and what it reported then is forgotten. */
  async put(node: NodeRow): Promise<void> {
    const { name, ...rest } = node
    await this.#db.deleteFrom('nodeReports').where('node', '=', name).execute()
    await this.#db.deleteFrom('nodePackages').where('node', '=', name).execute()
    await this.#db
      .insertInto('nodes')
      .values(node)
      .onConflict((conflict) => conflict.column('name').doUpdateSet(rest))
      .execute()
  }

  async find(name: string): Promise<NodeRow | undefined> {
    return await this.#db.selectFrom('nodes').selectAll().where('name', '=', name).executeTakeFirst()
  }

  /** The node that was enrolled with this token last. */
  async enrolledWith(tokenId: string): Promise<NodeRow | undefined> {
    return await this.#db
      .selectFrom('nodes')
      .selectAll()
      .where('enrolledWith', '=', tokenId)
      .orderBy('enrolledAt', 'desc')
      .limit(1)
      .executeTakeFirst()
  }

  /** By name. */
  async list(filter: NodeFilter, request: PageRequest): Promise<Page<NodeRow>> {
    if (filter.environments?.length === 0) return { items: [], nextCursor: null }
    let query = this.#db
      .selectFrom('nodes')
      .selectAll()
      .orderBy('name')
      .limit(request.limit + 1)
    if (request.cursor !== null) query = query.where('name', '>', request.cursor)
    if (filter.environments !== null) query = query.where('environment', 'in', filter.environments)
    if (filter.name !== null) query = query.where('name', '=', filter.name)
    if (filter.q !== null) query = query.where(contains('name', filter.q))
    if (filter.left !== null) query = query.where('leftAt', filter.left ? 'is not' : 'is', null)
    return pageOf(await query.execute(), request.limit, (row) => row.name)
  }

  /** Marks the node as gone; a second call keeps the first time. */
  async leave(name: string, at: string): Promise<void> {
    await this.#db
      .updateTable('nodes')
      .set({ leftAt: at })
      .where('name', '=', name)
      .where('leftAt', 'is', null)
      .execute()
  }

  /** Keeps a report in place of the one before. Belongs into a transaction. */
  async saveReport(name: string, { reportedAt, syncedCommit, body, packages }: ReportedState): Promise<void> {
    await this.#db.updateTable('nodes').set({ reportedAt, syncedCommit }).where('name', '=', name).execute()
    await this.#db
      .insertInto('nodeReports')
      .values({ node: name, body })
      .onConflict((conflict) => conflict.column('node').doUpdateSet({ body }))
      .execute()
    await this.#db.deleteFrom('nodePackages').where('node', '=', name).execute()
    for (let at = 0; at < packages.length; at += ROWS_PER_STATEMENT) {
      const part = packages.slice(at, at + ROWS_PER_STATEMENT)
      await this.#db.insertInto('nodePackages').values(part).execute()
    }
  }

  /** JSON of the newest report. */
  async findReport(name: string): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('nodeReports')
      .select('body')
      .where('node', '=', name)
      .executeTakeFirst()
    return row?.body
  }

  /** On how many nodes of these environments each build of these apps is installed. */
  async buildsOn(environments: readonly string[], apps: readonly string[]): Promise<readonly BuildOnNodes[]> {
    const rows = await this.#db
      .selectFrom('nodePackages')
      .innerJoin('nodes', 'nodes.name', 'nodePackages.node')
      .select(['nodes.environment', 'nodePackages.app', 'nodePackages.build'])
      .select(({ fn }) => fn.countAll<number>().as('nodes'))
      .where('nodes.leftAt', 'is', null)
      .where('nodes.environment', 'in', environments)
      .where('nodePackages.app', 'in', apps)
      .groupBy(['nodes.environment', 'nodePackages.app', 'nodePackages.build'])
      .execute()
    return rows
  }

  /** The nodes of these environments on which the build is installed, by name. */
  async withBuild(
    { app, build }: { readonly app: string; readonly build: number },
    environments: readonly string[],
    limit: number,
  ): Promise<readonly NodeWithBuild[]> {
    return await this.#db
      .selectFrom('nodePackages')
      .innerJoin('nodes', 'nodes.name', 'nodePackages.node')
      .select(['nodePackages.node', 'nodes.environment', 'nodePackages.since'])
      .where('nodes.leftAt', 'is', null)
      .where('nodes.environment', 'in', environments)
      .where('nodePackages.app', '=', app)
      .where('nodePackages.build', '=', build)
      .orderBy('nodePackages.node')
      .limit(limit)
      .execute()
  }

  /** What these nodes have installed, by node and package. */
  async packagesOf(names: readonly string[]): Promise<readonly NodePackageRow[]> {
    if (names.length === 0) return []
    return await this.#db
      .selectFrom('nodePackages')
      .selectAll()
      .where('node', 'in', names)
      .orderBy('node')
      .orderBy('cpv')
      .execute()
  }
}
