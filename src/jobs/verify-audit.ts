/** The audit: whether its chain is whole. */
import { verifyChain } from '../audit/verify-chain.ts'
import { MEND_RECORDS } from './finding.ts'
import type { Finding, OnProgress } from './finding.ts'
import type { DataFolder } from './open-data-folder.ts'

export async function* verifyAudit(
  { records }: Pick<DataFolder, 'records'>,
  onProgress: OnProgress,
): AsyncGenerator<Finding> {
  const { faults } = await verifyChain(records, null, (done, total) => {
    onProgress('audit', done, total)
  })
  for (const { seq, what } of faults)
    yield {
      what,
      where: `record ${String(seq)} of the audit`,
      mend: `somebody altered the records: find out who, and ${MEND_RECORDS}`,
    }
}
