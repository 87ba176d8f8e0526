/**
 * How a node stands: what it should run, what it says it runs, and where the two part. Only what is installed counts:
 * which apps a node runs is its administrator's choice; the version of them is the environment's.
 */
import { timestamp } from '../clock.ts'
import { comparePvr, parsePvr, pvOf } from '../gentoo/version.ts'
import { splitPf } from '../gentoo/cpv.ts'
import type { NodePackageRow, NodeRow } from '../records/nodes.ts'
import type { StandingBuild } from '../records/releases.ts'
import type { KnownChanges } from './known-changes.ts'

/** A node that was silent for so long is not seen: two of its daily reports may be missing, for example. */
export const SILENT_AFTER_SEC = 24 * 3600

export interface Drift {
  readonly code: 'behind' | 'ahead' | 'withdrawn' | 'held' | 'not_released' | 'other_repository'
  readonly detail: string
}

export interface PackageStatus {
  readonly installed: NodePackageRow
  /** The newest living release of the app in the node's environment; null where there is none, or it is no app. */
  readonly wanted: StandingBuild | null
  /** Why it is not what is wanted; empty when it is. */
  readonly drift: readonly Drift[]
  /** Null where no restore point of this version tells. Edited configuration is no drift: it is what nodes are for. */
  readonly changedFiles: KnownChanges | null
}

export interface NodeStatus {
  readonly node: NodeRow
  readonly packages: readonly PackageStatus[]
  readonly isDrifted: boolean
  /** The last time that it was heard of, when that is long ago; null while it reports. */
  readonly notSeenSince: string | null
}

/** What an environment has, for `statusOf`. */
export interface Wanted {
  /** The name of its overlay. */
  readonly overlay: string
  /** By app, of those that the node has: the best version that it can have, and what it has, as `StandingBuilds` tells. */
  readonly builds: ReadonlyMap<string, readonly StandingBuild[]>
}

/** What a node said, and what its restore points tell of it. */
export interface Reported {
  readonly packages: readonly NodePackageRow[]
  /** By package. */
  readonly changes: ReadonlyMap<string, KnownChanges>
}

export function statusOf(
  node: NodeRow,
  { packages, changes }: Reported,
  wanted: Wanted,
  now: Date,
): NodeStatus {
  const statuses = packages.map((installed) => ({
    ...packageStatus(installed, wanted),
    changedFiles: changes.get(installed.cpv) ?? null,
  }))
  return {
    node,
    packages: statuses,
    isDrifted: statuses.some(({ drift }) => drift.length > 0),
    notSeenSince: notSeenSince(node, now),
  }
}

function notSeenSince({ leftAt, reportedAt, enrolledAt }: NodeRow, now: Date): string | null {
  const seen = reportedAt ?? enrolledAt
  const isSilent = seen < timestamp(new Date(now.getTime() - SILENT_AFTER_SEC * 1000))
  return leftAt === null && isSilent ? seen : null
}

function packageStatus(
  installed: NodePackageRow,
  { overlay, builds }: Wanted,
): Omit<PackageStatus, 'changedFiles'> {
  if (installed.app === null) return { installed, wanted: null, drift: [] }
  const ofApp = builds.get(installed.app) ?? []
  const wanted = newestReleased(ofApp)
  const here = ofApp.find(({ build }) => build === installed.build)
  const drift: Drift[] = [
    ...standingDrift(here),
    ...(wanted === null ? [] : orderDrift(installed, wanted)),
    ...(installed.repository === overlay ? [] : [fromElsewhere(installed.repository, overlay)]),
  ]
  return { installed, wanted, drift }
}

function standingDrift(here: StandingBuild | undefined): readonly Drift[] {
  if (here === undefined) return [NOT_RELEASED]
  return { released: [], withdrawn: [WITHDRAWN], held: [HELD] }[here.state]
}

const NOT_RELEASED: Drift = {
  code: 'not_released',
  detail: 'this build was never released in the environment of the node',
}
const WITHDRAWN: Drift = { code: 'withdrawn', detail: 'this build was withdrawn' }

const HELD: Drift = { code: 'held', detail: 'this build is held and masked' }

function orderDrift({ cpv }: NodePackageRow, wanted: StandingBuild): readonly Drift[] {
  const pvr = splitPf(cpv.slice(cpv.indexOf('/') + 1))?.pvr
  // A revision is of the ebuild: the build is the same.
  const order = pvr === undefined ? 0 : comparePvr(pvOf(pvr), parsePvr(wanted.pv))
  if (order === 0) return []
  return order < 0
    ? [{ code: 'behind', detail: `${wanted.pv} is released` }]
    : [{ code: 'ahead', detail: `the newest release is ${wanted.pv}` }]
}

function fromElsewhere(repository: string, overlay: string): Drift {
  return { code: 'other_repository', detail: `it was installed from ${repository}, not from ${overlay}` }
}

/** The best version that nodes can have of the builds of an app; null where there is none. */
export function newestReleased(builds: readonly StandingBuild[]): StandingBuild | null {
  return builds
    .filter(({ state }) => state === 'released')
    .reduce<StandingBuild | null>(
      (best, build) =>
        best === null || comparePvr(parsePvr(build.pv), parsePvr(best.pv)) > 0 ? build : best,
      null,
    )
}
