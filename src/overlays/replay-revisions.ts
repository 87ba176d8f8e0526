/**
 * Brings an overlay's repository up to its records: the last steps of every publish, the finish of one that a crash
 * cut, and the rebuild of a lost repository are the same work. Commit ids come out as recorded or it stops.
 */
import { encodeCommit, objectId } from '../git/objects.ts'
import type { Oid } from '../git/objects.ts'
import { encodeTreeDelta } from '../git/delta.ts'
import { newObjects } from '../git/tree-diff.ts'
import type { NewTree } from '../git/tree-diff.ts'
import { EMPTY_TREE, applyChanges, treeFromFiles } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import type { Logger } from '../log.ts'
import type { RevisionRow } from '../records/overlays.ts'
import type { Records } from '../records/records.ts'
import type { GitRepository, PackedObject } from '../storage/git-repository.ts'
import { commitFields, readOverlayBlob } from './overlay-history.ts'
import type { OverlayState } from './overlay-history.ts'

interface Replay {
  readonly records: Records
  readonly log: Logger
  readonly repository: GitRepository
  readonly environment: string
  /** The state in memory; null at start. */
  readonly from: OverlayState | null
  readonly newest: RevisionRow
  /** The tree of the newest, where it was just made: its id says whether it is the one, so it need not be made again. */
  readonly made: Tree | null
}

/** Objects of a rebuild that are written at once. */
const OBJECTS_PER_PACK = 5000
const MIN_DELTA_BYTES = 1024
/** States that a replay gives back at the most: a rebuild of a long history must not hold every tree of it. */
const STATES_KEPT = 64

/**
 * Writes what the repository lacks of the recorded revisions, moves its ref to the newest, and returns the states from
 * the one after `from` to the newest, oldest first.
 * @throws {Error} when a recomputed commit differs from the recorded one: the records are damaged.
 */
export async function replayRevisions(replay: Replay): Promise<readonly OverlayState[]> {
  const start = replay.from ?? (await stateOfRepository(replay))
  const states: OverlayState[] = start !== null && replay.from === null ? [start] : []
  let state = start
  let pending: PackedObject[] = []
  const tip = await replay.repository.readTip()
  for (let number = (start?.revision ?? 0) + 1; number <= replay.newest.number; number++) {
    const next = await nextState(replay, state, number)
    pending.push(...(await objectsOfStep(replay.records, state?.tree ?? null, next)))
    state = next
    states.push(next)
    if (states.length > STATES_KEPT) states.shift()
    if (pending.length >= OBJECTS_PER_PACK) {
      await replay.repository.growPack(pending)
      pending = []
    }
  }
  await replay.repository.growPack(pending)
  if (state !== null && state.commit !== tip) await replay.repository.updateTip(state.commit, tip)
  return states
}

/** The state that the repository on disk shows, if the records know it; null when it must be made from the beginning. */
async function stateOfRepository(replay: Replay): Promise<OverlayState | null> {
  const { records, environment, newest, repository } = replay
  const tip = await repository.readTip()
  if (tip === null) return null
  const revision = await records.overlays.findRevisionByCommit(environment, tip)
  if (!revision) {
    replay.log.warn(
      { environment, tip },
      'the overlay repository shows a commit that the records do not know; it is rebuilt',
    )
    return null
  }
  const files =
    revision.number === newest.number
      ? (await records.overlays.files(environment)).map(({ path, oid }) => [path, oid as Oid] as const)
      : ((await records.overlays.filesAt(environment, revision.number)) as ReadonlyMap<string, Oid>)
  return stateOf(revision, treeFromFiles(files))
}

async function nextState(replay: Replay, before: OverlayState | null, number: number): Promise<OverlayState> {
  const { records, environment } = replay
  const revision =
    number === replay.newest.number ? replay.newest : await records.overlays.findRevision(environment, number)
  if (!revision) throw new Error(`revision ${String(number)} of ${environment} is missing in the records`)
  if (replay.made?.oid === revision.treeOid) return stateOf(revision, replay.made)
  const changes = await records.overlays.changesOf(environment, number)
  const tree = applyChanges(
    before?.tree ?? EMPTY_TREE,
    new Map(changes.map(({ path, oid }) => [path, oid as Oid | null])),
  )
  return stateOf(revision, tree)
}

function stateOf(revision: RevisionRow, tree: Tree): OverlayState {
  const commitBytes = encodeCommit({ ...commitFields(revision), signature: revision.signature })
  const commit = objectId('commit', commitBytes)
  if (tree.oid !== revision.treeOid || commit !== revision.commitOid) {
    throw new Error(
      `the records of ${revision.environment} revision ${String(revision.number)} give the tree ${tree.oid} and the ` +
        `commit ${commit}, its row says ${revision.treeOid} and ${revision.commitOid}: run "portage-hub verify"`,
    )
  }
  return { revision: revision.number, commit, commitBytes, tree }
}

async function objectsOfStep(
  records: Records,
  before: Tree | null,
  after: OverlayState,
): Promise<PackedObject[]> {
  const { trees, blobs } = newObjects(before, after.tree)
  const objects: PackedObject[] = [
    { type: 'commit', oid: after.commit, content: after.commitBytes },
    ...trees.map(treeObject),
  ]
  for (const oid of blobs) objects.push({ type: 'blob', oid, content: await readOverlayBlob(records, oid) })
  return objects
}

/** Small folders stand whole: a delta wins nothing there. The bytes of a large one are put together if it does too. */
function treeObject({ tree, base }: NewTree): PackedObject {
  const delta =
    base === null || tree.sizeBytes < MIN_DELTA_BYTES
      ? {}
      : { delta: { base: base.oid, encode: () => encodeTreeDelta(base, tree) } }
  return {
    type: 'tree',
    oid: tree.oid,
    get content() {
      return tree.content
    },
    ...delta,
  }
}
