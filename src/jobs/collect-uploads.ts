/**
 * Collects resumable uploads that nobody goes on with: those that expired, files whose row was never written or is
 * gone, and rows whose file is gone. Of those that were archived only the row is kept, until it expires too.
 */
import { removeUpload } from '../builds/partial-upload.ts'
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import type { PartialUploadRow } from '../records/partial-uploads.ts'

type Needs = Pick<Hub, 'records' | 'partialUploads' | 'clock' | 'log'>

export async function collectUploads(hub: Needs): Promise<void> {
  const now = timestamp(hub.clock.now())
  for (const upload of await hub.records.partialUploads.all()) {
    if (upload.expiresAt <= now) await collect(hub, upload, 'an upload expired and was removed')
    else if (upload.build !== null) await hub.partialUploads.remove(upload.id)
    else if (await isLost(hub, upload))
      await collect(hub, upload, 'an upload whose bytes are gone was removed')
  }
  for (const id of await hub.partialUploads.list()) await collectFile(hub, id)
}

async function isLost(hub: Needs, { id, offsetBytes }: PartialUploadRow): Promise<boolean> {
  const sizeBytes = await hub.partialUploads.sizeBytes(id)
  if (sizeBytes !== null && sizeBytes >= offsetBytes) return false
  // It may have become a build since it was listed.
  return (await hub.records.partialUploads.find(id))?.build === null
}

/** One that is just being begun has a file and no row yet, and is held: the row is looked for after that. */
async function collectFile(hub: Needs, id: string): Promise<void> {
  if (hub.partialUploads.holds.isHeld(id)) return
  if (!(await hub.records.partialUploads.find(id))) await hub.partialUploads.remove(id)
}

async function collect(
  hub: Needs,
  { id, principal, sizeBytes, offsetBytes }: PartialUploadRow,
  what: string,
): Promise<void> {
  await removeUpload(hub, id)
  hub.log.info({ upload: id, principal, sizeBytes, offsetBytes }, what)
}
