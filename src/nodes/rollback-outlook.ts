/** What a rollback of an environment would mean for each of its nodes, by what they reported and what is kept of them. */
import { splitPf } from '../gentoo/cpv.ts'
import { comparePvr, parsePvr, pvOf } from '../gentoo/version.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { NodePackageRow, NodeRow } from '../records/nodes.ts'
import type { RestorePointRow } from '../records/restore-points.ts'
import { schemaRefusal } from './roll-back.ts'

/** What is known of a node before: only those that go back get a wish. */
export interface NodeOutlook {
  readonly node: string
  /** `no_point`: it has no restore point of that build here; the mask alone takes it from what it runs. */
  readonly outlook: 'goes_back' | 'no_point' | 'is_there' | 'is_older' | 'not_installed'
  /** The package that it reported last. */
  readonly from: string | null
  readonly restorePoint: string | null
  readonly takenAt: string | null
  readonly dumps: readonly string[]
  /** Why the database would not fit the older build; null where nothing speaks against it. */
  readonly schemaRefusal: string | null
}

/** Of every node there, by name. */
export async function outlooksOf(
  hub: Pick<Hub, 'records'>,
  { environment, app }: { readonly environment: string; readonly app: string },
  target: BuildRow,
): Promise<readonly NodeOutlook[]> {
  const found: NodeOutlook[] = []
  let cursor: string | null = null
  do {
    const filter = { environments: [environment], name: null, q: null, left: false }
    const page: { readonly items: readonly NodeRow[]; readonly nextCursor: string | null } =
      await hub.records.nodes.list(filter, { limit: 500, cursor })
    const packages = await hub.records.nodes.packagesOf(page.items.map(({ name }) => name))
    for (const { name } of page.items) {
      const installed = packages.find((pkg) => pkg.node === name && pkg.app === app)
      found.push(await outlookOf(hub, name, installed, target))
    }
    cursor = page.nextCursor
  } while (cursor !== null)
  return found
}

async function outlookOf(
  hub: Pick<Hub, 'records'>,
  node: string,
  installed: NodePackageRow | undefined,
  target: BuildRow,
): Promise<NodeOutlook> {
  const none = {
    ...{ node, from: installed?.cpv ?? null, restorePoint: null, takenAt: null },
    ...{ dumps: [], schemaRefusal: null },
  }
  if (!installed) return { ...none, outlook: 'not_installed' }
  const order = compareInstalled(installed.cpv, target.pv)
  if (order <= 0) return { ...none, outlook: order === 0 ? 'is_there' : 'is_older' }
  const point = await pointOf(hub, node, target)
  if (!point) return { ...none, outlook: 'no_point' }
  const files = await hub.records.restorePoints.filesOf({ node, id: point.id })
  return {
    ...{ node, outlook: 'goes_back', from: installed.cpv, restorePoint: point.id, takenAt: point.takenAt },
    dumps: files.filter(({ kind }) => kind === 'dump').map(({ name }) => name),
    schemaRefusal: await schemaRefusal(hub, installed.cpv, point),
  }
}

/** Below 0 when what is installed is older. A revision is of the ebuild: the build is the same. */
function compareInstalled(cpv: string, pv: string): number {
  const pvr = splitPf(cpv.slice(cpv.indexOf('/') + 1))?.pvr
  return pvr === undefined ? 0 : comparePvr(pvOf(pvr), parsePvr(pv))
}

/** The newest complete point of that build. */
async function pointOf(
  { records }: Pick<Hub, 'records'>,
  node: string,
  { app, category, pn, pv }: BuildRow,
): Promise<RestorePointRow | undefined> {
  let cursor: string | null = null
  do {
    const page: { readonly items: readonly RestorePointRow[]; readonly nextCursor: string | null } =
      await records.restorePoints.list(node, { app, rehearsed: null }, { limit: 100, cursor })
    const found = page.items.find(
      ({ state, cpv }) => state === 'complete' && isBuildOf(cpv, `${category}/${pn}`, pv),
    )
    if (found) return found
    cursor = page.nextCursor
  } while (cursor !== null)
  return undefined
}

function isBuildOf(cpv: string, cp: string, pv: string): boolean {
  return cpv.startsWith(`${cp}-`) && compareInstalled(cpv, pv) === 0
}
