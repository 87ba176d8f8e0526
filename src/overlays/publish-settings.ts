/** The files that follow from the settings: the first revision of an overlay, and a further one when they changed. */
import { HubError } from '../errors.ts'
import { objectId } from '../git/objects.ts'
import { EMPTY_TREE, lookup } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import { renderRepoName } from '../gentoo/profiles.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from './overlay-of.ts'
import { overlayName, planSettings } from './plan-overlay.ts'

/**
 * Publishes a revision if the overlay's own files are not what the settings say.
 * @throws {HubError} `config.invalid` when the overlay would get another name.
 */
export async function publishSettings(
  hub: Pick<Hub, 'overlays' | 'config'>,
  environment: string,
): Promise<void> {
  const overlay = overlayOf(hub, environment)
  checkName(hub, environment, overlay.state?.tree ?? EMPTY_TREE)
  await overlay.publish({
    author: 'Portage Hub',
    message:
      overlay.state === null ? `Begin the overlay of ${environment}` : 'Follow the settings of the hub',
    plan: (tree) => Promise.resolve(planSettings(hub.config, environment, tree)),
  })
}

/** Nodes know an overlay by its name, and archived ebuilds fetch from the mirror of that prefix: neither can change. */
function checkName(hub: Pick<Hub, 'config'>, environment: string, tree: Tree): void {
  const name = overlayName(hub.config, environment)
  const shown = lookup(tree, 'profiles/repo_name')?.oid
  if (shown === undefined || shown === objectId('blob', Buffer.from(renderRepoName(name)))) return
  throw new HubError(
    'config.invalid',
    `the overlay of ${environment} has another name than ${name}: set HUB_OVERLAY_PREFIX back to what it was`,
  )
}
