/** An overlay's past as the records keep it: commits, texts and trees. */
import { HubError } from '../errors.ts'
import type { CommitFields, Oid } from '../git/objects.ts'
import { treeFromFiles } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import type { RevisionRow } from '../records/overlays.ts'
import type { Records } from '../records/records.ts'

/** A published state of the overlay; never changed. */
export interface OverlayState {
  readonly revision: number
  readonly commit: Oid
  readonly commitBytes: Buffer
  readonly tree: Tree
}

/** The committer of every revision; the author is who asked for the change. */
export const COMMITTER = { name: 'Portage Hub', email: 'portage-hub@localhost' } as const

/** The commit that a revision's row describes, without its signature. */
export function commitFields(
  revision: Omit<RevisionRow, 'commitOid' | 'signature'>,
): Omit<CommitFields, 'signature'> {
  return {
    tree: revision.treeOid as Oid,
    parent: revision.parentOid as Oid | null,
    author: { name: revision.authorName, email: revision.authorEmail },
    committer: COMMITTER,
    timeSec: revision.timeSec,
    message: revision.message,
  }
}

/** Reads a text of the overlay's history. @throws {Error} when the records lack it: they are damaged. */
export async function readOverlayBlob(records: Records, oid: Oid): Promise<Buffer> {
  const content = await records.overlays.findBlob(oid)
  if (!content) throw new Error(`the records have no text ${oid}: run "portage-hub verify"`)
  return content
}

/** Several at once, at most some hundreds. @throws as `readOverlayBlob`. */
export async function readOverlayBlobs(
  records: Records,
  oids: readonly Oid[],
): Promise<ReadonlyMap<Oid, Buffer>> {
  const found = (await records.overlays.findBlobs(oids)) as ReadonlyMap<Oid, Buffer>
  for (const oid of oids) if (!found.has(oid)) await readOverlayBlob(records, oid)
  return found
}

/** The tree of a past revision. @throws {HubError} `overlay.unknown_revision`. */
export async function treeAt(records: Records, environment: string, revision: number): Promise<Tree> {
  if (!(await records.overlays.findRevision(environment, revision))) {
    throw new HubError(
      'overlay.unknown_revision',
      `the overlay of ${environment} has no revision ${String(revision)}`,
    )
  }
  return treeFromFiles((await records.overlays.filesAt(environment, revision)) as ReadonlyMap<string, Oid>)
}
