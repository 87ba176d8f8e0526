/** The status of nodes, from the records: few queries for a whole page of them. */
import type { OfApp } from '../environments/standing-builds.ts'
import type { Hub } from '../hub.ts'
import { overlayName } from '../overlays/plan-overlay.ts'
import type { NodeFilter, NodePackageRow, NodeRow } from '../records/nodes.ts'
import type { Page, PageRequest } from '../records/page.ts'
import { knownChanges } from './known-changes.ts'
import { statusOf } from './node-status.ts'
import type { NodeStatus } from './node-status.ts'

/** In the order of `nodes`. */
export async function readStatuses(
  hub: Pick<Hub, 'records' | 'clock' | 'config' | 'standing'>,
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
        const installed = there.flatMap(({ name }) => packages.get(name) ?? []).flatMap(buildOf)
        const apps = [...new Set(installed.map(({ app }) => app))]
        const builds = await hub.standing.of(environment, apps, distinct(installed))
        return [environment, { overlay: overlayName(hub.config, environment), builds }] as const
      }),
    ),
  )
  return nodes.map((node) => {
    const there = wanted.get(node.environment) ?? { overlay: '', builds: new Map() }
    const reported = {
      packages: packages.get(node.name) ?? [],
      changes: new Map(changes.get(node.name)?.map((row) => [row.cpv, knownChanges(row)])),
    }
    return statusOf(node, reported, there, now)
  })
}

/** By name. `drifted`: only those that have, or have not; null: both. What is wanted is in no column: it is judged for each. */
export async function listStatuses(
  hub: Pick<Hub, 'records' | 'clock' | 'config' | 'standing'>,
  filter: NodeFilter,
  drifted: boolean | null,
  request: PageRequest,
): Promise<Page<NodeStatus>> {
  if (drifted === null) {
    const page = await hub.records.nodes.list(filter, request)
    return { ...page, items: await readStatuses(hub, page.items) }
  }
  const found: NodeStatus[] = []
  let { cursor } = request
  do {
    const page = await hub.records.nodes.list(filter, { limit: 500, cursor })
    found.push(...(await readStatuses(hub, page.items)).filter(({ isDrifted }) => isDrifted === drifted))
    cursor = page.nextCursor
  } while (cursor !== null && found.length <= request.limit)
  const items = found.slice(0, request.limit)
  return { items, nextCursor: found.length > items.length ? (items.at(-1)?.node.name ?? null) : null }
}

function buildOf({ app, build }: NodePackageRow): readonly OfApp[] {
  return app === null || build === null ? [] : [{ app, build }]
}

function distinct(builds: readonly OfApp[]): readonly OfApp[] {
  return [...new Map(builds.map((one) => [`${one.app}~${String(one.build)}`, one])).values()]
}
