/** The thread of `RevisionWriter`: commits, their signatures, packs. */
import { linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../src/clock.ts'
import { commitPayload, encodeCommit, objectId } from '../../src/git/objects.ts'
import type { Oid } from '../../src/git/objects.ts'
import { encodePack, encodePackIndex, packDelta, packObject } from '../../src/git/pack.ts'
import type { PackEntry } from '../../src/git/pack.ts'
import { COMMITTER, commitFields } from '../../src/overlays/overlay-history.ts'
import type { RevisionRow } from '../../src/records/overlays.ts'
import { GitRepository } from '../../src/storage/git-repository.ts'
import { SigningKey } from '../../src/storage/signing-key.ts'
import type { PlainObject, Unsigned, WriterSettings } from './revision-writer.ts'

const settings = workerData as WriterSettings
const key = await SigningKey.open(settings.keys, '', systemClock.now())
let parent: Oid = settings.parent
let work: Promise<void> = Promise.resolve()

parentPort?.on('message', (revisions: readonly Unsigned[] | null) => {
  // One batch after another: each commit follows the one before.
  work = work.then(async () =>
    parentPort?.postMessage(await (revisions === null ? finish() : write(revisions))),
  )
})

async function write(revisions: readonly Unsigned[]): Promise<RevisionRow[]> {
  const rows: RevisionRow[] = []
  const entries: PackEntry[] = []
  for (const revision of revisions) {
    const { row, bytes } = await commit(revision)
    rows.push(row)
    entries.push(await packObject('commit', parent, bytes))
    keepTarball(revision.tarball)
    for (const object of revision.objects) entries.push(await packed(object))
  }
  const unique = [...new Map(entries.map((entry) => [entry.oid, entry])).values()]
  const { parts, digest } = encodePack(unique)
  const path = join(settings.repository, 'objects', 'pack', `pack-${digest.toString('hex')}`)
  writeFileSync(`${path}.pack`, Buffer.concat(parts), { mode: 0o444 })
  writeFileSync(`${path}.idx`, encodePackIndex(unique, digest), { mode: 0o444 })
  return rows
}

/** Into the archive, and by its distfile's name into the environment's mirror. */
function keepTarball({ bytes, blob, mirrorFile }: Unsigned['tarball']): void {
  mkdirSync(dirname(blob), { recursive: true })
  writeFileSync(blob, bytes, { mode: 0o444, flag: 'wx' })
  linkSync(blob, mirrorFile)
}

async function commit({ number, treeOid, timeSec, author, message }: Unsigned) {
  const fields = {
    ...{ environment: settings.environment, number, treeOid, parentOid: parent, timeSec },
    ...{ authorName: author, authorEmail: COMMITTER.email, message },
  }
  const signature = await key.sign(commitPayload(commitFields(fields)), new Date(timeSec * 1000))
  const bytes = encodeCommit({ ...commitFields(fields), signature })
  parent = objectId('commit', bytes)
  return { row: { ...fields, signature, commitOid: parent }, bytes }
}

async function packed({ type, oid, content, base }: PlainObject): Promise<PackEntry> {
  return base === undefined
    ? await packObject(type, oid, Buffer.from(content))
    : await packDelta(oid, base, Buffer.from(content))
}

async function finish(): Promise<RevisionRow[]> {
  const repository = await GitRepository.open(settings.repository)
  await repository.updateTip(parent, await repository.readTip())
  return []
}
