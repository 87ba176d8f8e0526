/** The thread of `RevisionWriter`: trees, commits with their signatures, packs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../src/clock.ts'
import { encodeTreeDelta } from '../../src/git/delta.ts'
import { commitPayload, encodeCommit, objectId } from '../../src/git/objects.ts'
import type { Oid } from '../../src/git/objects.ts'
import { encodePack, encodePackIndex, packDelta, packObject } from '../../src/git/pack.ts'
import type { PackEntry } from '../../src/git/pack.ts'
import { newObjects } from '../../src/git/tree-diff.ts'
import { applyChanges, treeFromFiles } from '../../src/git/tree.ts'
import { COMMITTER, commitFields } from '../../src/overlays/overlay-history.ts'
import type { RevisionRow } from '../../src/records/overlays.ts'
import { GitRepository } from '../../src/storage/git-repository.ts'
import { SigningKey } from '../../src/storage/signing-key.ts'
import type { PackedRevision, WriterSettings } from './revision-writer.ts'

const settings = workerData as WriterSettings
const key = await SigningKey.open(settings.keys, 'hub.key', '', systemClock.now())
let parent: Oid = settings.parent
let tree = treeFromFiles(settings.files)
let work: Promise<void> = Promise.resolve()

parentPort?.on('message', (revisions: readonly PackedRevision[] | null) => {
  // One batch after another: each commit follows the one before.
  work = work.then(async () => {
    parentPort?.postMessage(await (revisions === null ? finish() : write(revisions)))
  })
})

/** All of a batch as one pack. */
async function write(revisions: readonly PackedRevision[]): Promise<RevisionRow[]> {
  const rows: RevisionRow[] = []
  const entries = new Map<Oid, PackEntry>()
  for (const revision of revisions) {
    await addObjects(revision, entries)
    const { row, bytes } = await commit(revision)
    entries.set(parent, await packObject('commit', parent, bytes))
    rows.push(row)
  }
  const list = [...entries.values()]
  const { parts, digest } = encodePack(list)
  const path = join(settings.repository, 'objects', 'pack', `pack-${digest.toString('hex')}`)
  writeFileSync(`${path}.pack`, Buffer.concat(parts), { mode: 0o444 })
  writeFileSync(`${path}.idx`, encodePackIndex(list, digest), { mode: 0o444 })
  return rows
}

/** Makes the tree of the revision; folders are deltas where the pack has what they were before. */
async function addObjects({ changes, blobs }: PackedRevision, entries: Map<Oid, PackEntry>): Promise<void> {
  const before = tree
  tree = applyChanges(before, new Map(changes))
  for (const { tree: folder, base } of newObjects(before, tree).trees) {
    const { oid } = folder
    if (entries.has(oid)) continue
    const isDelta = base !== null && entries.has(base.oid)
    const entry = isDelta
      ? await packDelta(oid, base.oid, encodeTreeDelta(base, folder))
      : await packObject('tree', oid, folder.content)
    entries.set(oid, entry)
  }
  for (const { oid, bytes } of blobs) entries.set(oid, { oid, bytes: Buffer.from(bytes) })
}

async function commit({ number, timeSec, author, message }: PackedRevision) {
  const fields = {
    ...{ environment: settings.environment, number, treeOid: tree.oid, parentOid: parent, timeSec },
    ...{ authorName: author, authorEmail: COMMITTER.email, message },
  }
  const signature = await key.sign(commitPayload(commitFields(fields)), new Date(timeSec * 1000))
  const bytes = encodeCommit({ ...commitFields(fields), signature })
  parent = objectId('commit', bytes)
  return { row: { ...fields, signature, commitOid: parent }, bytes }
}

async function finish(): Promise<RevisionRow[]> {
  const repository = await GitRepository.open(settings.repository)
  await repository.updateTip(parent, await repository.readTip())
  return []
}
