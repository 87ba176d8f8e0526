/** Removes restore points beyond the newest of each app on a node, but for those that one may need to go back to. */
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { removePoint } from '../nodes/remove-point.ts'

export async function pruneRestorePoints(
  hub: Pick<Hub, 'records' | 'clock' | 'turns' | 'binpkgBlobs' | 'binhosts' | 'log' | 'config'>,
): Promise<void> {
  for (const key of await hub.records.restorePoints.beyond(hub.config.keepRestorePoints)) {
    try {
      await removePoint(hub, key, { evenNewest: false, dryRun: false })
      hub.log.info({ node: key.node, point: key.id }, 'an old restore point was removed')
    } catch (error) {
      if (!(error instanceof HubError) || !PASSED_OVER.has(error.code)) throw error
    }
  }
}

/** Somebody needs it since the list was read, or has removed it. */
const PASSED_OVER: ReadonlySet<string> = new Set(['restore_point.needed', 'restore_point.unknown'])
