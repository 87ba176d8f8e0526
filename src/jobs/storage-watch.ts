/** What takes how much space. Small folders are walked and the rest is summed from the records, and kept for some minutes. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { timestamp } from '../clock.ts'
import { planRetention } from '../environments/retention.ts'
import type { RetentionPlan } from '../environments/retention.ts'
import type { Hub } from '../hub.ts'
import type { AppUsage, NodeUsage } from '../records/usage.ts'
import { Kept } from './kept.ts'
import { databasePath } from './open-data-folder.ts'

type Needs = Pick<Hub, 'config' | 'paths' | 'records' | 'clock' | 'log'>

const FRESH_MS = 5 * 60_000

export interface Usage {
  readonly at: string
  readonly archive: readonly AppUsage[]
  readonly nodes: readonly NodeUsage[]
  /** The repository and the published tree of each environment. */
  readonly overlays: readonly { readonly environment: string; readonly bytes: number }[]
  /** With what is written ahead; the listings are within it. */
  readonly databaseBytes: number
  readonly listingBytes: number
  readonly uploadBytes: number
}

export class StorageWatch {
  readonly #usage: Kept<Usage>
  readonly #plan: Kept<RetentionPlan>

  constructor(hub: Needs) {
    this.#usage = new Kept(hub, FRESH_MS, async () => await measure(hub))
    this.#plan = new Kept(hub, FRESH_MS, async () => await planRetention(hub))
  }

  async usage(): Promise<Usage> {
    return await this.#usage.value()
  }

  /** What retention would let go of. */
  async plan(): Promise<RetentionPlan> {
    return await this.#plan.value()
  }

  /** The rules are others now. */
  forgetPlan(): void {
    this.#plan.forget()
  }
}

async function measure({ config, paths, records, clock }: Needs): Promise<Usage> {
  const overlays: { environment: string; bytes: number }[] = []
  for (const { name } of config.environments) {
    const bytes = (await bytesIn(paths.overlayRepository(name))) + (await bytesIn(paths.overlayTree(name)))
    overlays.push({ environment: name, bytes })
  }
  const database = databasePath(config)
  const files = [database, `${database}-wal`]
  const sizes = await Promise.all(files.map(async (file) => (await stat(file).catch(() => null))?.size ?? 0))
  return {
    at: timestamp(clock.now()),
    archive: await records.usage.archive(),
    nodes: await records.usage.nodes(),
    overlays,
    databaseBytes: sizes.reduce((sum, size) => sum + size, 0),
    listingBytes: await records.usage.listingBytes(),
    uploadBytes: (await records.usage.partialUploadBytes()) + (await bytesIn(paths.uploads)),
  }
}

/** Of all files below the folder; what goes meanwhile counts for nothing. */
async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  let bytes = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => null))?.size ?? 0
  }
  return bytes
}
