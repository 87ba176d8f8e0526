/**
 * The revisions of one overlay as the records keep them: each follows the one before, its files give its tree, its
 * fields and signature give its commit id, and the last tree is the one that the hub works with.
 */
import { encodeCommit, objectId } from '../git/objects.ts'
import type { Oid } from '../git/objects.ts'
import { EMPTY_TREE, applyChanges, listFiles } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import { commitFields } from '../overlays/overlay-history.ts'
import type { RevisionRow } from '../records/overlays.ts'
import type { Records } from '../records/records.ts'
import { MEND_RECORDS } from './finding.ts'
import type { Finding, OnProgress } from './finding.ts'
import { faultOf } from './verify-texts.ts'
import type { Texts } from './verify-texts.ts'

interface Needs {
  readonly records: Records
  readonly texts: Texts
  readonly environment: string
}

/** Goes through the revisions with one tree in memory. What follows a broken link cannot be judged and is left out. */
export async function* verifyHistory(needs: Needs, onProgress: OnProgress): AsyncGenerator<Finding> {
  const { records, environment } = needs
  const newest = await records.overlays.newestRevision(environment)
  if (!newest) return
  let tree = EMPTY_TREE
  let parent: string | null = null
  for (let number = 1; number <= newest.number; number++) {
    onProgress(`revisions of ${environment}`, number, newest.number)
    const where = `revision ${String(number)} of ${environment}`
    const revision = await records.overlays.findRevision(environment, number)
    if (!revision) {
      yield { what: 'this revision is missing in the records', where, mend: MEND_RECORDS }
      return
    }
    if (revision.parentOid !== parent) {
      yield { what: 'it does not follow the revision before it', where, mend: MEND_RECORDS }
    }
    yield* verifyTexts(needs, number)
    const next = await treeAfter(records, tree, revision)
    const fault = typeof next === 'string' ? next : faultOfRevision(revision, next)
    if (fault !== null) yield { what: fault, where, mend: MEND_RECORDS }
    if (typeof next === 'string' || next.oid !== revision.treeOid) return
    tree = next
    parent = revision.commitOid
  }
  yield* verifyFiles(records, environment, tree, newest.number)
}

async function* verifyTexts({ records, texts, environment }: Needs, number: number): AsyncGenerator<Finding> {
  for (const { path, oid } of await records.overlays.changesOf(environment, number)) {
    if (oid === null) continue
    const { finding } = await texts.read(oid, `${path} in revision ${String(number)} of ${environment}`)
    if (finding) yield finding
  }
}

async function treeAfter(records: Records, before: Tree, revision: RevisionRow): Promise<Tree | string> {
  const changes = await records.overlays.changesOf(revision.environment, revision.number)
  try {
    return applyChanges(before, new Map(changes.map(({ path, oid }) => [path, oid as Oid | null])))
  } catch (error) {
    return `its changes cannot be: ${(error as Error).message}`
  }
}

function faultOfRevision(revision: RevisionRow, tree: Tree): string | null {
  if (tree.oid !== revision.treeOid) {
    return `its recorded changes give the tree ${tree.oid}, its row says ${revision.treeOid}`
  }
  let commitOid = ''
  const fault = faultOf(() => {
    const commit = encodeCommit({ ...commitFields(revision), signature: revision.signature })
    commitOid = objectId('commit', commit)
  })
  if (fault !== null) return `its row gives no commit: ${fault}`
  if (commitOid === revision.commitOid) return null
  return `its row gives the commit ${commitOid}, and says ${revision.commitOid}`
}

async function* verifyFiles(
  records: Records,
  environment: string,
  tree: Tree,
  number: number,
): AsyncGenerator<Finding> {
  const newest = await records.overlays.newestRevision(environment)
  // A hub that runs has published meanwhile: the list is of another tree then.
  if (newest?.number !== number) return
  const expected = new Map<string, string>(listFiles(tree))
  for (const { path, oid } of await records.overlays.files(environment)) {
    if (expected.get(path) === oid) expected.delete(path)
    else expected.set(path, '')
  }
  for (const path of expected.keys()) {
    yield {
      what: 'the list of its files differs from its history',
      where: `overlay_files ${environment} ${path}`,
      mend: MEND_RECORDS,
    }
  }
}
