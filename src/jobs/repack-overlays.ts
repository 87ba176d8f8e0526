/** Every revision is one small pack; joined now and then, git finds what it needs in few of them. */
import type { Hub } from '../hub.ts'

const MANY_PACKS = 50

export async function repackOverlays(hub: Pick<Hub, 'overlays'>): Promise<void> {
  for (const { repository } of hub.overlays.values()) {
    if ((await repository.packCount()) > MANY_PACKS) await repository.repack()
  }
}
