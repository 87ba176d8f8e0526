/** An overlay as it was at any of its revisions: its files, looked at one by one. */
import { HubError } from '../errors.ts'
import type { Oid } from '../git/objects.ts'
import { lookup } from '../git/tree.ts'
import type { Tree, TreeEntry } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import type { RevisionRow } from '../records/overlays.ts'
import { treeAt } from './overlay-history.ts'
import { overlayOf } from './overlay-of.ts'

type Needs = Pick<Hub, 'records' | 'overlays'>

/** All files of the revision, from memory where they are still there. */
export async function treeOfRevision(hub: Needs, revision: RevisionRow): Promise<Tree> {
  const { environment, number, commitOid } = revision
  const state = await overlayOf(hub, environment).recall(commitOid as Oid)
  return state?.tree ?? (await treeAt(hub.records, environment, number))
}

/**
 * What stood at the path: a folder has `tree`. The empty path is the whole overlay.
 * @throws {HubError} `overlay.no_such_path`.
 */
export async function entryOfRevision(
  hub: Needs,
  revision: RevisionRow,
  path: string,
): Promise<Pick<TreeEntry, 'oid' | 'tree'>> {
  const tree = await treeOfRevision(hub, revision)
  const entry = path === '' ? { oid: tree.oid, tree } : lookup(tree, path)
  if (entry) return entry
  throw new HubError(
    'overlay.no_such_path',
    `revision ${String(revision.number)} of the overlay of ${revision.environment} has no ${JSON.stringify(path.slice(0, 200))}`,
  )
}

/** The revision that stood at a moment. @throws {HubError} `overlay.unknown_revision` before the first. */
export async function revisionAt(
  hub: Pick<Hub, 'records'>,
  environment: string,
  at: Date,
): Promise<RevisionRow> {
  const request = { limit: 1, cursor: null, until: at }
  const [revision] = (await hub.records.overlays.listRevisions(environment, request)).items
  if (revision) return revision
  throw new HubError(
    'overlay.unknown_revision',
    `nothing was published in ${environment} by ${at.toISOString()}: ask for a later moment`,
  )
}
