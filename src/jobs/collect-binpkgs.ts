/** Removes what a hub that died left of restore points: uploads that became signed packages, or were refused. */
import type { Hub } from '../hub.ts'
import { removeUnneededBlob } from '../nodes/remove-unneeded-blob.ts'

export async function collectBinpkgs(
  hub: Pick<Hub, 'records' | 'binpkgBlobs' | 'turns' | 'log'>,
): Promise<void> {
  for await (const sha512 of hub.binpkgBlobs.list()) {
    if (await removeUnneededBlob(hub, sha512))
      hub.log.info({ sha512 }, 'a file that no restore point needs was removed')
  }
}
