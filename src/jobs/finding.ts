/** What a check of the archive and the overlays found. */

export interface Finding {
  /** What is wrong, as a sentence. */
  readonly what: string
  /** A file below the data folder, or the record. */
  readonly where: string
  /** What to do about it. */
  readonly mend: string
}

/** Hears how far a check is; `total` is null where nobody knows. */
export type OnProgress = (step: string, done: number, total: number | null) => void

const SETTLE_MS = 300
const TRIES = 3

/**
 * What the check finds, unless it goes away by itself: a hub that runs meanwhile has rows before it has files, for some
 * milliseconds.
 */
export async function lasting(check: () => AsyncIterable<Finding>): Promise<readonly Finding[]> {
  let found: readonly Finding[] = []
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    found = await all(check())
    if (found.length === 0 || attempt === TRIES) break
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  }
  return found
}

async function all(findings: AsyncIterable<Finding>): Promise<readonly Finding[]> {
  const found: Finding[] = []
  for await (const finding of findings) found.push(finding)
  return found
}

export const MEND_RECORDS = 'restore the records (var/hub.db) from a backup'

/** How to mend what follows from the records. */
export function mendByRebuild(environment: string): string {
  return `stop the hub and run "portage-hub rebuild ${environment}"`
}
