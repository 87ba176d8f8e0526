/** What a node has in /etc/portage because of its hub, by path: what `/nodes/<node>/etc/portage/` serves. */
import { HubError } from '../errors.ts'
import {
  renderBinreposConf,
  renderFetchProgram,
  renderMakeConf,
  renderMirrors,
  renderReposConf,
  renderVerifyProgram,
} from '../gentoo/node-config.ts'
import type { Hub } from '../hub.ts'
import { overlayName } from '../overlays/plan-overlay.ts'
import type { NodeRow } from '../records/nodes.ts'
import { trustAnchors } from './trust-anchors.ts'
import type { TrustAnchors } from './trust-anchors.ts'

/**
 * Parts of what an administrator may keep as one file or as a folder. In a folder they are files of this name; in a file
 * they stand between markers.
 */
export const PART_FILE = 'portage-hub.conf'
export const SHARED_PARTS = ['repos.conf', 'binrepos.conf', 'make.conf', 'mirrors'] as const
/** Files of the hub's own folder, with their modes. */
export const OWN_FILES = {
  'hub/fetch': '755',
  'hub/gpg': '755',
  'hub/hub.asc': '644',
  'hub/binhost.asc': '644',
  'hub/hub-node.json': '644',
} as const

export type NodeFilePath = `${(typeof SHARED_PARTS)[number]}/${typeof PART_FILE}` | keyof typeof OWN_FILES

export interface NodeFacts {
  readonly hub: string
  readonly node: string
  readonly environment: string
  readonly overlay: string
  /** Of the mirror of distfiles, in `mirror://<name>/`. */
  readonly mirrorName: string
  /** Those that the hub's packages may be of. */
  readonly categories: readonly string[]
  readonly anchors: TrustAnchors
}

/** The text of each file, by its path below /etc/portage. */
export function renderNodeFiles(facts: NodeFacts): Readonly<Record<NodeFilePath, string>> {
  const { hub, node, environment, overlay, mirrorName, categories, anchors } = facts
  const settings = { hub, node, environment, overlay, categories, encryptTo: [] }
  return {
    'repos.conf/portage-hub.conf': renderReposConf({
      name: overlay,
      syncUri: `${hub}/git/${environment}.git`,
    }),
    'binrepos.conf/portage-hub.conf': renderBinreposConf({
      name: 'portage-hub',
      syncUri: `${hub}/binhost/nodes/${node}`,
      categories,
    }),
    'make.conf/portage-hub.conf': renderMakeConf(),
    'mirrors/portage-hub.conf': renderMirrors({ mirrorName, path: `distfiles/${environment}` }),
    'hub/fetch': renderFetchProgram(hub),
    'hub/gpg': renderVerifyProgram(),
    'hub/hub.asc': anchors.overlay.publicKeys,
    'hub/binhost.asc': anchors.binhost.publicKeys,
    'hub/hub-node.json': `${JSON.stringify(settings, null, 2)}\n`,
  }
}

/** One of these files, as the node should have it now. @throws {HubError} `request.unknown_route`. */
export async function readNodeFile(
  hub: Pick<Hub, 'config' | 'records' | 'overlayKeys' | 'binhostKeys'>,
  { name, environment }: NodeRow,
  path: string,
): Promise<string> {
  const { config } = hub
  const released = await hub.records.releases.categoriesIn(environment)
  const files: Readonly<Record<string, string>> = renderNodeFiles({
    ...{ hub: config.publicUrl, node: name, environment, overlay: overlayName(config, environment) },
    mirrorName: config.overlayPrefix,
    categories: [...new Set([...released, config.category])].toSorted(),
    anchors: trustAnchors(hub),
  })
  const text = Object.hasOwn(files, path) ? files[path] : undefined
  if (text !== undefined) return text
  throw new HubError(
    'request.unknown_route',
    `a node has no /etc/portage/${path.slice(0, 100)} of the hub; there are: ${Object.keys(files).join(', ')}`,
  )
}
