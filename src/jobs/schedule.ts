/** What a running hub does by the clock. Each job is a plain function; a run that fails is logged and comes again. */
import cron from 'node-cron'
import { advanceWaiting, resumePromotions } from '../environments/promote.ts'
import { promoteWhatWaited } from '../environments/promote-upload.ts'
import type { Hub } from '../hub.ts'
import { collectBinpkgs } from './collect-binpkgs.ts'
import { collectUploads } from './collect-uploads.ts'
import { followAudit } from './follow-audit.ts'
import { pruneDeliveries } from './prune-deliveries.ts'
import { pruneExchanges } from './prune-exchanges.ts'
import { pruneIdempotencyKeys } from './prune-idempotency-keys.ts'
import { pruneRestorePoints } from './prune-restore-points.ts'
import { pruneSessions } from './prune-sessions.ts'
import { repackOverlays } from './repack-overlays.ts'
import { tendKeys } from './tend-keys.ts'

type Job = (hub: Hub) => Promise<void>

/** In UTC, spread over the hour. */
const SCHEDULE: readonly { readonly at: string; readonly name: string; readonly job: Job }[] = [
  { at: '7 * * * *', name: 'repack overlays', job: repackOverlays },
  { at: '23 * * * *', name: 'prune idempotency keys', job: pruneIdempotencyKeys },
  { at: '53 * * * *', name: 'prune exchanged tokens', job: pruneExchanges },
  { at: '29 * * * *', name: 'prune sessions', job: pruneSessions },
  { at: '*/10 * * * *', name: 'collect uploads', job: collectUploads },
  { at: '31 4 * * *', name: 'prune restore points', job: pruneRestorePoints },
  { at: '43 4 * * *', name: 'prune deliveries of webhooks', job: pruneDeliveries },
  { at: '37 4 * * *', name: 'collect binary packages', job: collectBinpkgs },
  { at: '47 4 * * *', name: 'follow the audit', job: followAudit },
  { at: '* * * * *', name: 'catch up overlays', job: catchUpOverlays },
  { at: '* * * * *', name: 'tend keys', job: tendKeys },
]

/** Starts all jobs; the returned function stops them and waits for those that run. */
export function startJobs(hub: Hub): () => Promise<void> {
  const running = new Set<Promise<void>>()
  const tasks = SCHEDULE.map(({ at, name, job }) => {
    const task = cron.schedule(
      at,
      async () => {
        const run = hub.jobRuns
          .run(name, async () => {
            await job(hub)
          })
          .catch((error: unknown) => {
            hub.log.error({ err: error, job: name }, 'a scheduled job failed')
          })
        running.add(run)
        await run
        running.delete(run)
      },
      { name, timezone: 'UTC', noOverlap: true },
    )
    hub.jobRuns.plan(name, at, () => task.getNextRun())
    return task
  })
  return async () => {
    await Promise.all(tasks.map(async (task) => await task.destroy()))
    await Promise.all(running)
  }
}

/** Ends what a fault (a full disk, for example) kept from being shown when it was recorded. */
async function catchUpOverlays(hub: Hub): Promise<void> {
  for (const overlay of hub.overlays.values()) await overlay.catchUp()
  await resumePromotions(hub)
  await advanceWaiting(hub)
  await promoteWhatWaited(hub)
}
