/**
 * A past revision as a node still has it, for what it is to get since: made from the newest tree by taking back what
 * changed, so that a node that was away for a week costs no git process. Those just published are in memory anyway.
 */
import { encodeCommit } from '../git/objects.ts'
import type { Oid } from '../git/objects.ts'
import { applyChanges } from '../git/tree.ts'
import type { Records } from '../records/records.ts'
import { commitFields } from './overlay-history.ts'
import type { OverlayState } from './overlay-history.ts'

/** Past this, git on disk is asked: taking back everything would be more work than it saves. */
const MOST_REVISIONS_BACK = 5000

/** The state that `commit` was, seen from the newest one; null when it is unknown, or too long ago. */
export async function recallRevision(
  records: Records,
  environment: string,
  newest: OverlayState,
  commit: Oid,
): Promise<OverlayState | null> {
  const revision = await records.overlays.findRevisionByCommit(environment, commit)
  if (!revision || revision.number > newest.revision) return null
  if (newest.revision - revision.number > MOST_REVISIONS_BACK) return null
  const former = await records.overlays.filesBefore(environment, {
    after: revision.number,
    upTo: newest.revision,
  })
  const tree = applyChanges(newest.tree, former as ReadonlyMap<string, Oid | null>)
  // Damaged records: git and its repository may know better.
  if (tree.oid !== revision.treeOid) return null
  const commitBytes = encodeCommit({ ...commitFields(revision), signature: revision.signature })
  return { revision: revision.number, commit, commitBytes, tree }
}
