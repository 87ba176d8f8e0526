/** A restore point goes: out of the records and the binhost first, its bytes last. What one may need to go back to stays. */
import { recordChange } from '../audit/record-change.ts'
import { nextTimestampSec } from '../binpkgs/binhost-index.ts'
import { FIRST_TIMESTAMP_SEC } from '../binpkgs/binhosts.ts'
import { timestamp, unixSeconds } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { Records } from '../records/records.ts'
import type { BinpkgRow } from '../records/binpkgs.ts'
import type { PointKey, RestorePointRow } from '../records/restore-points.ts'
import { removeUnneededBlob } from './remove-unneeded-blob.ts'
import { blobOf, findPoint, pointChange, pointTurn, rollbackTurn } from './restore-point.ts'

export type RemovalNeeds = Pick<Hub, 'records' | 'clock' | 'turns' | 'binpkgBlobs' | 'binhosts' | 'log'>

export interface Removal {
  /** Also the newest complete one of its app. */
  readonly evenNewest: boolean
  readonly dryRun: boolean
}

/**
 * Removes it for good. The node's own copy is the node's.
 * @throws {HubError} `restore_point.unknown`; `restore_point.needed` for one that is kept, that a rollback waits for, or
 *   that is the newest of its app.
 */
export async function removePoint(
  hub: RemovalNeeds,
  key: PointKey,
  { evenNewest, dryRun }: Removal,
): Promise<RestorePointRow> {
  return await inItsTurns(hub, key, async (point) => {
    await refuseNeeded(hub, point, evenNewest)
    if (!dryRun) await remove(hub, point, evenNewest)
    return point
  })
}

/**
 * Removes it for good if `isGoing` says so.
 * @returns whether it was removed.
 * @throws {HubError} as `removePoint`.
 */
export async function removeIf(
  hub: RemovalNeeds,
  key: PointKey,
  isGoing: (point: RestorePointRow) => Promise<boolean>,
): Promise<boolean> {
  return await inItsTurns(hub, key, async (point) => {
    if (!(await isGoing(point))) return false
    await remove(hub, point, false)
    return true
  })
}

/** Works on a point while nothing else happens to it. @throws {HubError} `restore_point.unknown`. */
async function inItsTurns<T>(
  hub: RemovalNeeds,
  key: PointKey,
  work: (point: RestorePointRow) => Promise<T>,
): Promise<T> {
  return await hub.turns.run(pointTurn(key.node), async () => {
    const { app } = await findPoint(hub, key)
    return await hub.turns.run(rollbackTurn(key.node, app), async () => await work(await findPoint(hub, key)))
  })
}

/**
 * Says that a point stays whatever the settings say, or no longer. Once more changes nothing.
 * @throws {HubError} `restore_point.unknown`.
 */
export async function keepPoint(
  hub: Pick<Hub, 'records' | 'clock' | 'turns'>,
  key: PointKey,
  { keep, dryRun }: { readonly keep: boolean; readonly dryRun: boolean },
): Promise<RestorePointRow> {
  return await hub.turns.run(pointTurn(key.node), async () => {
    const point = await findPoint(hub, key)
    const keptAt = keep ? (point.keptAt ?? timestamp(hub.clock.now())) : null
    if (!dryRun && keptAt !== point.keptAt)
      await hub.records.transaction(async (records) => {
        await records.restorePoints.keep(key, keptAt)
        const change = { ...pointChange('restore_point.kept', point), after: { keptAt } }
        await recordChange(records, hub.clock, { ...change, before: { keptAt: point.keptAt } })
      })
    return { ...point, keptAt }
  })
}

async function refuseNeeded(
  { records }: Pick<Hub, 'records'>,
  { node, id, app, keptAt }: RestorePointRow,
  evenNewest: boolean,
): Promise<void> {
  const open = await records.rollbacks.findOpen(node, app)
  if (open?.point === id) throw needed(`the rollback ${open.id} waits for ${id}: cancel it first`)
  if (keptAt !== null) throw needed(`${id} is kept since ${keptAt}: take that back first`)
  const newest = await records.restorePoints.newestOf(node, app)
  if (newest?.id === id && !evenNewest)
    throw needed(
      `${id} is the newest complete restore point of ${app} on ${node}: ?newest=true removes it too`,
    )
}

async function remove(hub: RemovalNeeds, point: RestorePointRow, evenNewest: boolean): Promise<void> {
  const { node, id } = point
  const key = { node, id }
  const files = await hub.records.restorePoints.filesOf(key)
  const uploads = new Set(files.map(({ sha512 }) => sha512))
  const { gone, timestampSec } = await hub.records.transaction(async (records) => {
    // Once more, where nothing comes between: a rollback of all nodes takes no turn of each.
    await refuseNeeded({ records }, point, evenNewest)
    await records.restorePoints.remove(key)
    await recordChange(records, hub.clock, pointChange('restore_point.removed', point))
    return await hidePackages(hub, records, node, await records.binpkgs.removeUnneeded(node, uploads))
  })
  if (gone.length > 0) await hub.binhosts.hide(node, gone, timestampSec)
  for (const sha512 of new Set([...files.map(blobOf), ...gone.map((binpkg) => binpkg.sha512)]))
    await removeUnneededBlob(hub, sha512).catch((error: unknown) => {
      // It is gone for all who ask; the job that collects such files has another try.
      hub.log.warn({ err: error, node, point: id }, 'bytes of a removed restore point are still here')
    })
}

/** The index's new TIMESTAMP goes into the records together with what it no longer shows. */
async function hidePackages(
  hub: Pick<Hub, 'clock'>,
  { binpkgs }: Records,
  node: string,
  gone: readonly BinpkgRow[],
) {
  const before = (await binpkgs.timestampSec(node)) ?? FIRST_TIMESTAMP_SEC
  const timestampSec = nextTimestampSec(before, unixSeconds(hub.clock.now()))
  if (gone.length > 0) await binpkgs.setTimestamp(node, timestampSec)
  return { gone, timestampSec }
}

function needed(why: string): HubError {
  return new HubError('restore_point.needed', why)
}
