/** One change of several overlays: it is true in all of them or in none. */
import type { Hub } from '../hub.ts'
import type { Records } from '../records/records.ts'
import { overlayOf } from './overlay-of.ts'
import type { Overlay, PreparedChange, Published, PublishRequest } from './overlay.ts'

export interface CommonChange {
  /** Whose overlays. With none only the rows become true. */
  readonly environments: readonly string[]
  /** What it is to an overlay. Whether it is a dry run, and which rows become true with it, is said once for all. */
  readonly requestFor: (environment: string) => Omit<PublishRequest, 'dryRun' | 'record'>
  /** Rows that become true with the revisions. */
  readonly record: (records: Records, published: ReadonlyMap<string, Published>) => Promise<void>
  readonly dryRun: boolean
}

/**
 * Changes the overlays, each by one revision or, where nothing changes, by none. All revisions are recorded in one
 * transaction: after a crash the start shows all of them or finds none.
 * @returns by environment; of a dry run what would be.
 * @throws {HubError} `environment.unknown`.
 */
export async function publishTogether(
  hub: Pick<Hub, 'overlays' | 'records'>,
  { environments, requestFor, record, dryRun }: CommonChange,
): Promise<ReadonlyMap<string, Published>> {
  const publish = async (changes: ReadonlyMap<string, PreparedChange>) => {
    const published = new Map([...changes].map(([environment, change]) => [environment, change.published]))
    if (dryRun) return published
    await hub.records.transaction(async (records) => {
      for (const change of changes.values()) await change.record(records)
      await record(records, published)
    })
    await showAll([...changes.values()])
    return published
  }
  const inTurns = async (
    overlays: readonly Overlay[],
    changes: ReadonlyMap<string, PreparedChange>,
  ): Promise<ReadonlyMap<string, Published>> => {
    const [overlay, ...others] = overlays
    if (!overlay) return await publish(changes)
    const { environment } = overlay
    return await overlay.prepared({ ...requestFor(environment), dryRun }, async (change) =>
      inTurns(others, new Map([...changes, [environment, change]])),
    )
  }
  // Always in the same order: of two that take several turns, none waits for the other.
  return await inTurns(
    environments.toSorted().map((environment) => overlayOf(hub, environment)),
    new Map(),
  )
}

/** A fault of one overlay keeps no other from being shown; what it left is shown by the next change or start. */
async function showAll(changes: readonly PreparedChange[]): Promise<void> {
  const shown = await Promise.allSettled(changes.map(async ({ show }) => await show()))
  for (const result of shown) if (result.status === 'rejected') throw result.reason
}
