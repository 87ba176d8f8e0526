/** A token that a CI got for its identity goes when it has ended: there is one for each of its jobs. The audit keeps its name. */
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'

export async function pruneExchanges({ records, clock }: Pick<Hub, 'records' | 'clock'>): Promise<void> {
  await records.transaction(async ({ trusts }) => {
    await trusts.prune(timestamp(clock.now()))
  })
}
