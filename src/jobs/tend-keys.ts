/** What follows from keys that are believed no more: whatever nodes still get of them is signed anew. */
import type { Hub } from '../hub.ts'
import { signPackagesAgain } from '../nodes/sign-again.ts'
import { renewSignature } from '../overlays/renew-signature.ts'

/** A run ends soon after, since a stop waits for it; the next goes on. */
const RUN_MS = 30_000

export async function tendKeys(hub: Hub): Promise<void> {
  const until = performance.now() + RUN_MS
  for (const { name } of hub.config.environments) await renewSignature(hub, name)
  await signPackagesAgain(hub, () => performance.now() < until)
}
