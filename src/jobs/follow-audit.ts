import type { Hub } from '../hub.ts'

/** Follows the chain of the audit, so that pages can say up to where it was whole and since when. */
export async function followAudit({ chainWatch, log }: Pick<Hub, 'chainWatch' | 'log'>): Promise<void> {
  const { faults } = await chainWatch.follow()
  if (faults.length > 0)
    log.error({ faults: faults.slice(0, 10) }, 'the chain of the audit is broken: see /audit')
}
