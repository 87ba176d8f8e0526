/** A report becomes what the hub knows of its node. */
import { findBuildOfCpv } from '../builds/find-build-of-cpv.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import { parseCpv } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import type { NodePackageRow, NodeRow } from '../records/nodes.ts'
import type { Records } from '../records/records.ts'
import { findEnrolledNode } from './find-node.ts'
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
  hub: Pick<Hub, 'records' | 'clock'>,
  { name, report, dryRun }: NodeReport,
): Promise<void> {
  checkMachine(await findEnrolledNode(hub, name), report)
  const identified = await Promise.all(report.packages.map(async (pkg) => await identify(hub.records, pkg)))
  if (dryRun) return
  const reportedAt = timestamp(hub.clock.now())
  await hub.records.transaction(async (records) => {
    const before = await records.nodes.packagesOf([name])
    const packages = withTimes(name, identified, before, reportedAt)
    const state = { reportedAt, syncedCommit: report.sync.commit, body: JSON.stringify(report), packages }
    await records.nodes.saveReport(name, state)
    await keepRehearsals({ records, clock: hub.clock }, name, report)
  })
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
