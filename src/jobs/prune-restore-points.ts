/**
 * Removes restore points beyond the newest of each app on a node, but for those that one may need to go back to; and those
 * that their nodes announced and never went on with, with the files that came of them.
 */
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { removeAbandoned } from '../nodes/remove-abandoned.ts'
import { removePoint } from '../nodes/remove-point.ts'
import type { PointKey } from '../records/restore-points.ts'

type Needs = Pick<
  Hub,
  'records' | 'clock' | 'turns' | 'arrivals' | 'binpkgBlobs' | 'binhosts' | 'log' | 'config'
>

export async function pruneRestorePoints(hub: Needs): Promise<void> {
  const { restorePoints } = hub.records
  for (const key of await restorePoints.beyond(hub.config.keepRestorePoints))
    await tryRemoval(hub, key, 'an old restore point was removed', async () => {
      await removePoint(hub, key, { evenNewest: false, dryRun: false })
      return true
    })
  const before = timestamp(new Date(hub.clock.now().getTime() - hub.config.restorePointExpiresSec * 1000))
  for (const key of await restorePoints.silentSince(before))
    await tryRemoval(hub, key, 'a restore point that was never completed was removed', async () =>
      removeAbandoned(hub, key, before),
    )
}

async function tryRemoval(
  hub: Pick<Hub, 'log'>,
  { node, id }: PointKey,
  what: string,
  removal: () => Promise<boolean>,
): Promise<void> {
  try {
    if (await removal()) hub.log.info({ node, point: id }, what)
  } catch (error) {
    if (!(error instanceof HubError) || !PASSED_OVER.has(error.code)) throw error
  }
}

/** Somebody needs it since the list was read, or has removed it. */
const PASSED_OVER: ReadonlySet<string> = new Set(['restore_point.needed', 'restore_point.unknown'])
