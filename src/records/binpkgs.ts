/** The packages that binhosts show. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import type { BinpkgTable } from './point-tables.ts'

export type BinpkgRow = Selectable<BinpkgTable>

export type BinpkgKey = Pick<BinpkgRow, 'node' | 'cpv' | 'binpkgBuildId'>

/** `changedFiles` of a package that is as it was installed. */
export const NOTHING_CHANGED = JSON.stringify({ count: 0, names: [] })

export class BinpkgRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(binpkg: BinpkgRow): Promise<void> {
    await this.#db.insertInto('binpkgs').values(binpkg).execute()
  }

  async find({ node, cpv, binpkgBuildId }: BinpkgKey): Promise<BinpkgRow | undefined> {
    return await this.#db
      .selectFrom('binpkgs')
      .selectAll()
      .where('node', '=', node)
      .where('cpv', '=', cpv)
      .where('binpkgBuildId', '=', binpkgBuildId)
      .executeTakeFirst()
  }

  /** Those that none of these keys signed, as far as is known, by node. */
  async notSignedBy(fingerprints: readonly string[]): Promise<readonly BinpkgKey[]> {
    return await this.#db
      .selectFrom('binpkgs')
      .select(['node', 'cpv', 'binpkgBuildId'])
      .where(({ eb, or }) => or([eb('signedBy', 'is', null), eb('signedBy', 'not in', fingerprints)]))
      .orderBy('node')
      .orderBy('cpv')
      .orderBy('binpkgBuildId')
      .execute()
  }

  /** How many packages each key signed; under null those of which it is not known. */
  async countBySigner(): Promise<ReadonlyMap<string | null, number>> {
    const counts = await this.#db
      .selectFrom('binpkgs')
      .select(({ fn }) => ['signedBy', fn.countAll<number>().as('count')])
      .groupBy('signedBy')
      .execute()
    return new Map(counts.map(({ signedBy, count }) => [signedBy, count]))
  }

  /** Puts other bytes of the same package in place of those that it had. */
  async replace(
    { node, cpv, binpkgBuildId }: BinpkgKey,
    bytes: Pick<BinpkgRow, 'sha512' | 'sha256' | 'sizeBytes' | 'indexFields' | 'signedBy'>,
  ): Promise<void> {
    await this.#db
      .updateTable('binpkgs')
      .set(bytes)
      .where('node', '=', node)
      .where('cpv', '=', cpv)
      .where('binpkgBuildId', '=', binpkgBuildId)
      .execute()
  }

  /** By CPV and build id. */
  async ofNode(node: string): Promise<readonly BinpkgRow[]> {
    return await this.#db
      .selectFrom('binpkgs')
      .selectAll()
      .where('node', '=', node)
      .orderBy('cpv')
      .orderBy('binpkgBuildId')
      .execute()
  }

  async findByPath(node: string, path: string): Promise<BinpkgRow | undefined> {
    return await this.#db
      .selectFrom('binpkgs')
      .selectAll()
      .where('node', '=', node)
      .where('path', '=', path)
      .executeTakeFirst()
  }

  /** The package that these bytes became. */
  async findByUpload(node: string, uploadedSha512: string): Promise<BinpkgRow | undefined> {
    return await this.#db
      .selectFrom('binpkgs')
      .selectAll()
      .where('node', '=', node)
      .where('uploadedSha512', '=', uploadedSha512)
      .executeTakeFirst()
  }

  /**
   * A package with this image, of that version: one of the node's own, or one that has nothing but what was installed. What
   * somebody edited on another node is never matched, so that nobody can find out by guesses what it is.
   */
  async findImage(node: string, cpv: string, imageDigest: string): Promise<BinpkgRow | undefined> {
    return await this.#db
      .selectFrom('binpkgs')
      .selectAll()
      .where('imageDigest', '=', imageDigest)
      .where('cpv', '=', cpv)
      .where(({ eb, or }) => or([eb('node', '=', node), eb('changedFiles', '=', NOTHING_CHANGED)]))
      .orderBy('acceptedAt', 'desc')
      .limit(1)
      .executeTakeFirst()
  }

  /** Whether these are the bytes of a package that a binhost shows. */
  async isShown(sha512: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('binpkgs')
      .select('sha512')
      .where('sha512', '=', sha512)
      .executeTakeFirst()
    return row !== undefined
  }

  /** The highest build id that the node's packages of this version ever had; 0 for none. */
  async newestBuildId(node: string, cpv: string): Promise<number> {
    const here = await this.#db
      .selectFrom('binpkgs')
      .select(({ fn }) => fn.max('binpkgBuildId').as('newest'))
      .where('node', '=', node)
      .where('cpv', '=', cpv)
      .executeTakeFirst()
    const gone = await this.#db
      .selectFrom('binpkgBuildIds')
      .select('newest')
      .where('node', '=', node)
      .where('cpv', '=', cpv)
      .executeTakeFirst()
    return Math.max(here?.newest ?? 0, gone?.newest ?? 0)
  }

  /**
   * Takes out the node's packages of these uploads that no restore point of it has any more, and gives them. Their build
   * ids are never given again: a node would believe to have the package already.
   */
  async removeUnneeded(node: string, uploads: ReadonlySet<string>): Promise<readonly BinpkgRow[]> {
    const rows = await this.#db
      .selectFrom('binpkgs')
      .selectAll()
      .where('node', '=', node)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('restorePointFiles')
              .select('restorePointFiles.sha512')
              .whereRef('restorePointFiles.node', '=', 'binpkgs.node')
              .whereRef('restorePointFiles.sha512', '=', 'binpkgs.uploadedSha512'),
          ),
        ),
      )
      .execute()
    const gone = rows.filter(({ uploadedSha512 }) => uploads.has(uploadedSha512))
    for (const { cpv, binpkgBuildId } of gone) await this.#takeOut(node, cpv, binpkgBuildId)
    return gone
  }

  async #takeOut(node: string, cpv: string, binpkgBuildId: number): Promise<void> {
    const newest = Math.max(binpkgBuildId, await this.newestBuildId(node, cpv))
    await this.#db
      .insertInto('binpkgBuildIds')
      .values({ node, cpv, newest })
      .onConflict((conflict) => conflict.columns(['node', 'cpv']).doUpdateSet({ newest }))
      .execute()
    await this.#db
      .deleteFrom('binpkgs')
      .where('node', '=', node)
      .where('cpv', '=', cpv)
      .where('binpkgBuildId', '=', binpkgBuildId)
      .execute()
  }

  /** TIMESTAMP of a node's index; undefined before its first package. */
  async timestampSec(node: string): Promise<number | undefined> {
    const row = await this.#db
      .selectFrom('binhosts')
      .select('timestampSec')
      .where('node', '=', node)
      .executeTakeFirst()
    return row?.timestampSec
  }

  async setTimestamp(node: string, timestampSec: number): Promise<void> {
    await this.#db
      .insertInto('binhosts')
      .values({ node, timestampSec })
      .onConflict((conflict) => conflict.column('node').doUpdateSet({ timestampSec }))
      .execute()
  }
}
