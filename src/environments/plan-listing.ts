/** What an environment's overlay is to list: from the records and what is about to become true, to paths and texts. */
import type { Tree } from '../git/tree.ts'
import { applyChanges } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import { effectiveChanges } from '../overlays/overlay.ts'
import { planApp, planHeldMask, planMask } from '../overlays/plan-overlay.ts'
import type { OverlayPlan, PlannedFile } from '../overlays/plan-overlay.ts'
import type { BuildRow } from '../records/builds.ts'
import type { ListedBuild } from '../records/releases.ts'

export interface WantedListing {
  readonly environment: string
  /** Whose packages are rendered; all others stay as they are. */
  readonly apps: readonly string[]
  /** Builds that are about to be released there. */
  readonly added?: readonly BuildRow[]
  /** A pin that is about to be set or lifted. */
  readonly pin?: { readonly build: BuildRow; readonly isSet: boolean }
}

/** The packages of the apps, and the masks that follow. */
export async function planListing(
  hub: Pick<Hub, 'config' | 'records'>,
  tree: Tree,
  { environment, apps, added = [], pin }: WantedListing,
): Promise<OverlayPlan> {
  const { records, config } = hub
  const planned = new Map<string, PlannedFile>()
  let planning = tree
  for (const [place, app] of apps.entries()) {
    const builds = [
      ...(await records.releases.buildsOf(environment, app)).filter((build) => !isAmong(added, build)),
      ...added.filter((build) => build.app === app).map(asReleased),
    ]
    const description = (await records.apps.find(app))?.description ?? null
    const plan = planApp(config, planning, builds, description, await pinnedOf(hub, app, pin))
    for (const [path, file] of plan) planned.set(path, file)
    // What one app adds to files that all share, the next one must find.
    if (place + 1 < apps.length) planning = applyChanges(planning, effectiveChanges(planning, plan).changes)
  }
  const withdrawn = await records.releases.withdrawn(environment)
  const standing = withdrawn.filter((build) => !isAmong(added, build))
  const held = await records.holds.masksIn(environment)
  return new Map([...planned, ...planMask(tree, standing, planned), ...planHeldMask(tree, held, planned)])
}

async function pinnedOf(
  { records }: Pick<Hub, 'records'>,
  app: string,
  pin: WantedListing['pin'],
): Promise<ReadonlySet<number>> {
  const pinned = new Set(await records.pins.buildsOf(app))
  if (pin?.build.app !== app) return pinned
  if (pin.isSet) pinned.add(pin.build.build)
  else pinned.delete(pin.build.build)
  return pinned
}

function asReleased(build: BuildRow): ListedBuild {
  return { ...build, state: 'released', reason: null, withdrawnBy: null, withdrawnAt: null }
}

function isAmong(builds: readonly BuildRow[], { app, build }: Pick<BuildRow, 'app' | 'build'>): boolean {
  return builds.some((one) => one.app === app && one.build === build)
}
