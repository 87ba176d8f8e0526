/** Deliveries are kept for 30 days after they were delivered or given up, so that they can be looked at and replayed. */
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'

const KEPT_MS = 30 * 86_400_000

export async function pruneDeliveries({ records, clock }: Pick<Hub, 'records' | 'clock'>): Promise<void> {
  await records.webhooks.prune(timestamp(new Date(clock.now().getTime() - KEPT_MS)))
}
