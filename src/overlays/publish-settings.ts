/** The files that follow from the settings: the first revision of an overlay, and a further one when they changed. */
import type { Hub } from '../hub.ts'
import { overlayOf } from './overlay-of.ts'
import { planSettings } from './plan-overlay.ts'

/** Publishes a revision if the overlay's own files are not what the settings say. */
export async function publishSettings(
  hub: Pick<Hub, 'overlays' | 'config'>,
  environment: string,
): Promise<void> {
  const overlay = overlayOf(hub, environment)
  await overlay.publish({
    author: 'Portage Hub',
    message:
      overlay.state === null ? `Begin the overlay of ${environment}` : 'Follow the settings of the hub',
    plan: (tree) => Promise.resolve(planSettings(hub.config, environment, tree)),
  })
}
