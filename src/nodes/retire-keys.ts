/** A key that gave way to another is published until nothing needs it. */
import { recordChange } from '../audit/record-change.ts'
import { unixSeconds } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { signerOfNewest } from '../overlays/renew-signature.ts'
import type { HubKey, KeyRing } from '../storage/key-ring.ts'
import { DEFAULT_OVERLAP_SEC } from './rotate-key.ts'

type Needs = Pick<Hub, 'keys' | 'overlayKeys' | 'records' | 'clock' | 'config' | 'turns' | 'log'>

/**
 * Retires keys that nothing which nodes get is signed by, and that gave way a week ago: a node may still be at what it
 * fetched before.
 */
export async function retireKeys(hub: Needs): Promise<void> {
  await hub.turns.run('keys', async () => {
    const needed = await neededKeys(hub)
    const ready = [hub.keys.overlay, hub.keys.binhost].flatMap((ring) =>
      ring.keys.filter((entry) => isPast(hub, ring, entry) && !needed.has(entry.key.fingerprint)),
    )
    // Of some packages it is not known yet who signed them.
    const gone = ready.filter(({ purpose }) => purpose === 'overlay' || !needed.has(null))
    if (gone.length === 0) return
    await hub.keys.retire(gone)
    await hub.records.transaction(async (records) => {
      for (const { purpose, key } of gone) {
        const change = { type: 'key.retired', subject: key.fingerprint, after: { purpose } } as const
        await recordChange(records, hub.clock, change)
      }
    })
    for (const { purpose, key } of gone)
      hub.log.info({ purpose, fingerprint: key.fingerprint }, 'a signing key was retired')
  })
}

async function neededKeys(hub: Needs): Promise<ReadonlySet<string | null>> {
  const needed = new Set<string | null>((await hub.records.binpkgs.countBySigner()).keys())
  for (const { name } of hub.config.environments) {
    const signer = await signerOfNewest(hub, name)
    if (signer !== null) needed.add(signer)
  }
  return needed
}

function isPast({ clock }: Needs, ring: KeyRing, entry: HubKey): boolean {
  if (ring.stateOf(entry) !== 'retiring') return false
  const successor = ring.keys.slice(ring.keys.indexOf(entry) + 1)[0]
  return successor !== undefined && successor.signsFromSec + DEFAULT_OVERLAP_SEC <= unixSeconds(clock.now())
}
