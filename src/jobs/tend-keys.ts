/** What follows from keys that are believed no more, or need not be: what they signed is signed anew, and they go. */
import type { Hub } from '../hub.ts'
import { retireKeys } from '../nodes/retire-keys.ts'
import { signPackagesAgain } from '../nodes/sign-again.ts'
import { renewSignature } from '../overlays/renew-signature.ts'

/** A run ends soon after, since a stop waits for it; the next goes on. */
const RUN_MS = 30_000

export async function tendKeys(hub: Hub): Promise<void> {
  const until = performance.now() + RUN_MS
  for (const { name } of hub.config.environments) await renewSignature(hub, name)
  await signPackagesAgain(hub, () => performance.now() < until)
  await retireKeys(hub)
}
