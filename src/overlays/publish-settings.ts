/**
 * What is in an overlay whatever is released there: the files that follow from the settings, and the program of nodes.
 * Its first revision, and a further one when they changed.
 */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import { objectId } from '../git/objects.ts'
import { EMPTY_TREE, lookup } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import { renderRepoName } from '../gentoo/profiles.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from './overlay-of.ts'
import { HUB_NODE_CATEGORIES, HUB_NODE_FOLDER, planHubNode } from './plan-hub-node.ts'
import { overlayName, planSettings } from './plan-overlay.ts'
import type { OverlayPlan } from './plan-overlay.ts'
import { HUB_VERSION } from '../version.ts'

type Needs = Pick<Hub, 'overlays' | 'config' | 'records' | 'hubNode' | 'log' | 'clock'>

/**
 * Publishes a revision if the overlay's own files are not what the settings say.
 * @throws {HubError} `config.invalid` when the overlay would get another name.
 */
export async function publishSettings(hub: Needs, environment: string): Promise<void> {
  const overlay = overlayOf(hub, environment)
  checkName(hub, environment, overlay.state?.tree ?? EMPTY_TREE)
  const before = overlay.state?.revision ?? 0
  await overlay.publish({
    author: 'Portage Hub',
    message:
      overlay.state === null ? `Begin the overlay of ${environment}` : 'Follow the settings of the hub',
    plan: async (tree) => {
      const program = await planProgram(hub, environment, tree)
      const categories = program.size === 0 ? [] : HUB_NODE_CATEGORIES
      return new Map([...planSettings(hub.config, environment, tree, categories), ...program])
    },
    record: async (records, revision) => {
      if (revision === before) return
      const change = { type: 'overlay.settings_published', subject: environment, environment } as const
      await recordChange(records, hub.clock, { ...change, after: { revision } })
    },
  })
}

/** Nothing where the name is taken: what people keep there by hand, or upload as an app, stays theirs. */
async function planProgram(
  { hubNode, config, records, log }: Needs,
  environment: string,
  tree: Tree,
): Promise<OverlayPlan> {
  if (hubNode === null) return new Map()
  const files = await records.overlays.files(environment)
  const [category, name = ''] = HUB_NODE_FOLDER.split('/')
  const app = await records.apps.find(name)
  const isByHand = files.some(({ path, byHand }) => byHand === 1 && path.startsWith(`${HUB_NODE_FOLDER}/`))
  if (!isByHand && app?.category !== category)
    return planHubNode(tree, { content: hubNode, version: HUB_VERSION }, config.keywords)
  log.warn(`${HUB_NODE_FOLDER} of ${environment} is somebody else's: the hub does not publish its own`)
  return new Map()
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
