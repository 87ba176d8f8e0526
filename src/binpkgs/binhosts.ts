/** The indexes of binhosts in memory, read from the records when somebody asks first: polls cost no query. */
import { ByteCache } from '../byte-cache.ts'
import { HubError } from '../errors.ts'
import type { IndexFields } from '../gentoo/packages-index.ts'
import type { Hub } from '../hub.ts'
import { BinhostIndex } from './binhost-index.ts'
import type { IndexKey, PublishedIndex } from './binhost-index.ts'

const KEPT_BYTES = 128 * 1024 * 1024
/** Of an index without packages, as it lies in memory. */
const LEAST_BYTES = 4096

/** TIMESTAMP of a binhost that never had a package: older than any that it will have. */
export const FIRST_TIMESTAMP_SEC = 1

export class Binhosts {
  readonly #records: Hub['records']
  readonly #kept = new ByteCache<Promise<BinhostIndex>>(KEPT_BYTES)

  constructor({ records }: Pick<Hub, 'records'>) {
    this.#records = records
  }

  /** The newest state of a node's index. @throws {HubError} `node.unknown`. */
  async published(node: string): Promise<PublishedIndex> {
    return (await this.#of(node)).published
  }

  /** Shows packages whose rows are written, with the TIMESTAMP that is recorded for them. */
  async show(node: string, fields: readonly IndexFields[], timestampSec: number): Promise<void> {
    const index = await this.#kept.get(node)
    // One that is not in memory is read with the packages when somebody asks.
    index?.change({ put: fields }, timestampSec)
    if (index) this.#keep(node, Promise.resolve(index), sizeOf(index.published))
  }

  /** Shows no longer what is out of the records, with the TIMESTAMP that is recorded for it. */
  async hide(node: string, keys: readonly IndexKey[], timestampSec: number): Promise<void> {
    const index = await this.#kept.get(node)
    index?.change({ remove: keys }, timestampSec)
    if (index) this.#keep(node, Promise.resolve(index), sizeOf(index.published))
  }

  async #of(node: string): Promise<BinhostIndex> {
    const kept = this.#kept.get(node)
    if (kept) return await kept
    const reading = this.#read(node)
    this.#keep(node, reading, LEAST_BYTES)
    try {
      const index = await reading
      this.#keep(node, reading, sizeOf(index.published))
      return index
    } catch (error) {
      this.#forget(node)
      throw error
    }
  }

  async #read(node: string): Promise<BinhostIndex> {
    // Rows and TIMESTAMP of one moment: new packages under the old time would be "not modified" to every node.
    const { timestampSec, rows } = await this.#records.transaction(async ({ nodes, binpkgs }) => {
      if (!(await nodes.find(node)))
        throw new HubError('node.unknown', `there is no node ${JSON.stringify(node.slice(0, 100))}`)
      const recorded = (await binpkgs.timestampSec(node)) ?? FIRST_TIMESTAMP_SEC
      return { timestampSec: recorded, rows: await binpkgs.ofNode(node) }
    })
    const entries = rows.map(({ indexFields }) => JSON.parse(indexFields) as IndexFields)
    return new BinhostIndex({ header: {}, timestampSec, entries })
  }

  #keep(node: string, index: Promise<BinhostIndex>, sizeBytes: number): void {
    this.#kept.set(node, index, sizeBytes)
  }

  #forget(node: string): void {
    this.#kept.delete(node)
  }
}

function sizeOf({ packages, packagesGz }: PublishedIndex): number {
  const pieces = [...packages, ...packagesGz]
  return LEAST_BYTES + pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
}
