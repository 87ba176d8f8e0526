/** Answers are kept for a day: a client that has not repeated its request by then will not. */
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'

const KEPT_MS = 24 * 3600 * 1000

export async function pruneIdempotencyKeys(hub: Pick<Hub, 'records' | 'clock'>): Promise<void> {
  await hub.records.idempotency.prune(timestamp(new Date(hub.clock.now().getTime() - KEPT_MS)))
}
