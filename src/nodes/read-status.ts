/** The status of nodes, from the records: few queries for a whole page of them. */
import { standingUnheld } from '../environments/holds.ts'
import type { Hub } from '../hub.ts'
import { overlayName } from '../overlays/plan-overlay.ts'
import type { NodePackageRow, NodeRow } from '../records/nodes.ts'
import { knownChanges } from './known-changes.ts'
import { statusOf } from './node-status.ts'
import type { NodeStatus } from './node-status.ts'

/** In the order of `nodes`. */
export async function readStatuses(
  hub: Pick<Hub, 'records' | 'clock' | 'config'>,
  nodes: readonly NodeRow[],
): Promise<readonly NodeStatus[]> {
  const now = hub.clock.now()
  const packages = Map.groupBy(
    await hub.records.nodes.packagesOf(nodes.map(({ name }) => name)),
    ({ node }) => node,
  )
  const changes = Map.groupBy(
    await hub.records.packageChanges.ofInstalled(nodes.map(({ name }) => name)),
    ({ node }) => node,
  )
  const wanted = new Map(
    await Promise.all(
      [...Map.groupBy(nodes, ({ environment }) => environment)].map(async ([environment, there]) => {
        const apps = appsOf(there.flatMap(({ name }) => packages.get(name) ?? []))
        const builds = await standingUnheld(hub, environment, apps)
        return [environment, { overlay: overlayName(hub.config, environment), builds }] as const
      }),
    ),
  )
  return nodes.map((node) => {
    const there = wanted.get(node.environment) ?? { overlay: '', builds: [] }
    const reported = {
      packages: packages.get(node.name) ?? [],
      changes: new Map(changes.get(node.name)?.map((row) => [row.cpv, knownChanges(row)])),
    }
    return statusOf(node, reported, there, now)
  })
}

function appsOf(packages: readonly NodePackageRow[]): readonly string[] {
  return [...new Set(packages.flatMap(({ app }) => (app === null ? [] : [app])))]
}
