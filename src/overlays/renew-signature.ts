/** Nodes check the newest commit of an overlay: it must be of a key that they are to believe. */
import { recordChange } from '../audit/record-change.ts'
import type { Hub } from '../hub.ts'
import type { KeyRing } from '../storage/key-ring.ts'
import { overlayOf } from './overlay-of.ts'

type Needs = Pick<Hub, 'overlays' | 'overlayKeys' | 'records' | 'clock' | 'log'>

/** The key that signed the newest revision; null before the first, and for a key that the hub does not know. */
export async function signerOfNewest(
  { records, overlayKeys }: Pick<Hub, 'records' | 'overlayKeys'>,
  environment: string,
): Promise<string | null> {
  const newest = await records.overlays.newestRevision(environment)
  if (!newest) return null
  return (await overlayKeys.signerOf(newest.signature))?.key.fingerprint ?? null
}

/** Publishes the newest tree once more, signed by the key that signs now, if its signature is not to be believed. */
export async function renewSignature(hub: Needs, environment: string): Promise<void> {
  const overlay = overlayOf(hub, environment)
  if (overlay.state === null || !(await isDistrusted(hub, environment))) return
  const published = await overlay.publish({
    author: 'Portage Hub',
    message: 'Sign the overlay anew\n\nThe key that signed the revision before is believed no more.',
    plan: async () => await Promise.resolve(new Map()),
    evenUnchanged: async () => await isDistrusted(hub, environment),
    record: async (records, revision) => {
      const change = {
        type: 'overlay.signed_again',
        subject: environment,
        environment,
        after: { revision },
      } as const
      await recordChange(records, hub.clock, change)
    },
  })
  hub.log.info({ environment, revision: published.revision }, 'the overlay was signed anew')
}

async function isDistrusted(hub: Needs, environment: string): Promise<boolean> {
  const signer = await signerOfNewest(hub, environment)
  return signer === null || !isBelieved(hub.overlayKeys, signer)
}

function isBelieved({ fingerprints }: KeyRing, fingerprint: string): boolean {
  return fingerprints.includes(fingerprint)
}
