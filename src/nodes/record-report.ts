/** A report becomes what the hub knows of its node. */
import { recordChange } from '../audit/record-change.ts'
import { findBuildOfCpv } from '../builds/find-build-of-cpv.ts'
import { timestamp } from '../clock.ts'
import { standingUnheld } from '../environments/holds.ts'
import { HubError } from '../errors.ts'
import { parseCpv } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import { overlayName } from '../overlays/plan-overlay.ts'
import type { NodePackageRow, NodeRow } from '../records/nodes.ts'
import type { Records } from '../records/records.ts'
import { findEnrolledNode } from './find-node.ts'
import { statusOf } from './node-status.ts'
import { keepRehearsals } from './rehearsals.ts'
import type { Report, ReportedPackage } from './report.ts'

export interface NodeReport {
  readonly name: string
  readonly report: Report
  readonly dryRun: boolean
}

/**
 * Keeps the report in place of the node's last one.
 * @throws {HubError} `node.unknown`; `node.left`; `node.cloned` when another machine shows this node's token;
 *   `request.invalid` for a package that is none.
 */
export async function recordReport(
  hub: Pick<Hub, 'records' | 'clock' | 'config'>,
  { name, report, dryRun }: NodeReport,
): Promise<void> {
  const node = await findEnrolledNode(hub, name)
  checkMachine(node, report)
  const identified = await Promise.all(report.packages.map(async (pkg) => await identify(hub.records, pkg)))
  if (dryRun) return
  const reportedAt = timestamp(hub.clock.now())
  await hub.records.transaction(async (records) => {
    const before = await records.nodes.packagesOf([name])
    const packages = withTimes(name, identified, before, reportedAt)
    const state = { reportedAt, syncedCommit: report.sync.commit, body: JSON.stringify(report), packages }
    await records.nodes.saveReport(name, state)
    await tellOfChange({ ...hub, records }, node, before, packages)
    await keepRehearsals({ records, clock: hub.clock }, name, report)
  })
}

/** So many packages a change names. */
const NAMED_PACKAGES = 50

/** Most reports say what the one before said: only what is new is told, to those who follow drift. */
async function tellOfChange(
  hub: Pick<Hub, 'records' | 'clock' | 'config'>,
  node: NodeRow,
  before: readonly NodePackageRow[],
  after: readonly NodePackageRow[],
): Promise<void> {
  if (installedOf(before) === installedOf(after)) return
  const apps = [...new Set([...before, ...after].flatMap(({ app }) => app ?? []))]
  const overlay = overlayName(hub.config, node.environment)
  const standing = await standingUnheld(hub, node.environment, apps)
  const wanted = { overlay, builds: Map.groupBy(standing, ({ app }) => app) }
  const factsOf = (packages: readonly NodePackageRow[]) => ({
    packages: ofApps(packages)
      .map(({ cpv }) => cpv)
      .slice(0, NAMED_PACKAGES),
    drifted: statusOf(node, { packages, changes: new Map() }, wanted, hub.clock.now()).isDrifted,
  })
  await recordChange(hub.records, hub.clock, {
    ...{ type: 'node.changed', subject: node.name, node: node.name, environment: node.environment },
    ...{ before: factsOf(before), after: factsOf(after) },
  })
}

/** What drift follows from, as text. */
function installedOf(packages: readonly NodePackageRow[]): string {
  return JSON.stringify(ofApps(packages).map(({ app, cpv, repository }) => [app, cpv, repository]))
}

/** Those of the hub's apps, by name. */
function ofApps(packages: readonly NodePackageRow[]): readonly NodePackageRow[] {
  return packages.filter(({ app }) => app !== null).toSorted((one, other) => (one.cpv < other.cpv ? -1 : 1))
}

/** A copied disk carries the token along: two machines would overwrite each other's state, and both would act on it. */
function checkMachine(node: NodeRow, { machineId }: Report): void {
  if (machineId === undefined || node.machineId === null || machineId === node.machineId) return
  throw new HubError(
    'node.cloned',
    `${node.name} was enrolled on another machine: enrol this one under a name of its own, with its own token`,
  )
}

type Identified = Omit<NodePackageRow, 'node' | 'since'>

async function identify(records: Records, pkg: ReportedPackage): Promise<Identified> {
  const build = await findBuildOfCpv(records, parseCpv(pkg.cpv))
  return {
    cpv: pkg.cpv,
    repository: pkg.repo,
    app: build?.app ?? null,
    build: build?.build ?? null,
    binpkgBuildId: pkg.binpkgBuildId,
    restorePoint: pkg.restorePoint,
  }
}

/** What was installed at the report before is so since then; what is new is so since now. */
function withTimes(
  node: string,
  packages: readonly Identified[],
  before: readonly NodePackageRow[],
  now: string,
): readonly NodePackageRow[] {
  const since = new Map(before.map((row) => [row.cpv, row.since]))
  return packages.map((pkg) => ({ ...pkg, node, since: since.get(pkg.cpv) ?? now }))
}
