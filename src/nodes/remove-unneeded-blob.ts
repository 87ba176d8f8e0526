import type { Hub } from '../hub.ts'
import { BLOB_TURN } from './restore-point.ts'

/** Removes bytes of restore points that no row needs: two nodes may have sent the same. False when one does. */
export async function removeUnneededBlob(
  hub: Pick<Hub, 'records' | 'binpkgBlobs' | 'turns'>,
  sha512: string,
): Promise<boolean> {
  return await hub.turns.run(BLOB_TURN, async () => {
    if (await hub.records.restorePoints.needsBlob(sha512)) return false
    await hub.binpkgBlobs.remove(sha512)
    return true
  })
}
