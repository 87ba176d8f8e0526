import type { Records } from '../records/records.ts'
import { ChainCheck } from './chain.ts'
import type { ChainFault, ChainHead } from './chain.ts'

export interface ChainVerdict {
  readonly faults: readonly ChainFault[]
  /** The newest record that is there. */
  readonly head: ChainHead
}

const ROWS_AT_ONCE = 500

/**
 * Follows the whole chain, and looks whether it ends where the records say it does. Others may append meanwhile.
 * @param expected a head that was kept elsewhere; null: none.
 */
export async function verifyChain(
  { audit }: Pick<Records, 'audit'>,
  expected: ChainHead | null = null,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<ChainVerdict> {
  const check = new ChainCheck(expected)
  for (;;) {
    // Before the rows: what is appended between the two is no fault, and is read in the next round.
    const recorded = await audit.head()
    const rows = await audit.after(check.head.seq, ROWS_AT_ONCE)
    for (const row of rows) {
      check.follow(row)
      if (row.seq === recorded.seq && rows.at(-1) === row)
        return { faults: check.end(recorded), head: check.head }
    }
    if (rows.length === 0) return { faults: check.end(recorded), head: check.head }
    onProgress(check.head.seq, Math.max(recorded.seq, check.head.seq))
    // The database never waits by itself, and others want their turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
