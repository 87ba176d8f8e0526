/** What a revision changed, for people: each file with its text before and after. */
import type { Oid } from '../git/objects.ts'
import type { Records } from '../records/records.ts'
import { readOverlayBlob } from './overlay-history.ts'

export interface FileDiff {
  readonly path: string
  readonly action: 'add' | 'change' | 'remove'
  /** null: not there, or not text. */
  readonly before: string | null
  readonly after: string | null
}

/** The files that revision `number` changed, by path. */
export async function diffRevision(
  records: Records,
  environment: string,
  number: number,
): Promise<readonly FileDiff[]> {
  const changes = await records.overlays.changesOf(environment, number)
  return await Promise.all(
    changes.map(async ({ path, oid }): Promise<FileDiff> => {
      const oldOid = await records.overlays.oidBefore(environment, path, number)
      const before = oldOid === undefined ? null : await textOf(records, oldOid)
      const after = oid === null ? null : await textOf(records, oid)
      return {
        path,
        action: oldOid === undefined ? 'add' : oid === null ? 'remove' : 'change',
        before,
        after,
      }
    }),
  )
}

async function textOf(records: Records, oid: string): Promise<string | null> {
  const content = await readOverlayBlob(records, oid as Oid)
  return content.includes(0) ? null : content.toString('utf8')
}
