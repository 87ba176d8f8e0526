/** Publishing a build in an environment, and taking it back: one overlay revision each. */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { Published } from '../overlays/overlay.ts'
import { planMask } from '../overlays/plan-overlay.ts'
import type { BuildRow } from '../records/builds.ts'
import type { ReleaseRow } from '../records/releases.ts'
import { refuseHeld } from './holds.ts'
import { planListing } from './plan-listing.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock' | 'blobs' | 'steps'>

export interface ReleaseRequest {
  readonly environment: string
  readonly build: BuildRow
  readonly by: string
  readonly dryRun: boolean
}

export interface Released {
  /** The release as recorded; with `dryRun` the one that would be, without an id. */
  readonly release: ReleaseRow
  readonly published: Published
}

/**
 * Publishes the build: its distfile in the environment's mirror, then one revision of the overlay. A build that stands
 * there already is given back as it is, with no new revision.
 * @throws {HubError} `promotion.not_eligible` when it was held meanwhile.
 */
export async function releaseBuild(hub: Needs, request: ReleaseRequest): Promise<Released> {
  const { environment, build, by } = request
  let release: ReleaseRow | undefined
  const before = await hub.records.releases.ofBuild(build.app, build.build)
  const isBack = before.some((earlier) => earlier.environment === environment)
  const published = await overlayOf(hub, environment).publish({
    author: by,
    message: releaseMessage(build, isBack ? 'lift the withdrawal of' : 'add'),
    dryRun: request.dryRun,
    plan: async (tree) => {
      release = await hub.records.releases.living(environment, build.app, build.build)
      return release
        ? new Map()
        : await planListing(hub, tree, { environment, apps: [build.app], added: [build] })
    },
    record: async (records, revision) => {
      if (release) return
      // Whoever held it since it was judged was told that nothing promotes it.
      await refuseHeld(records, build, environment)
      release = { ...newRelease(hub, request), revision }
      await records.releases.add(release)
      await recordChange(records, hub.clock, {
        ...{
          type: 'release.published',
          subject: release.id,
          app: build.app,
          build: build.build,
          environment,
        },
        after: { revision, cpv: `${build.category}/${build.pn}-${build.pv}`, sha512: build.sha512 },
      })
    },
    beforeSwitch: async () => await hub.blobs.linkIntoMirror(environment, build.distfileName, build.sha512),
  })
  return {
    release: release ?? { ...newRelease(hub, request), id: '', revision: published.revision },
    published,
  }
}

/** A release as it is first recorded, but for its revision. */
export function newRelease(
  hub: Pick<Hub, 'clock'>,
  { environment, build, by }: Pick<ReleaseRequest, 'environment' | 'build' | 'by'>,
): Omit<ReleaseRow, 'revision'> {
  const now = hub.clock.now()
  return {
    id: newId('rel', now),
    environment,
    app: build.app,
    build: build.build,
    state: 'released',
    releasedBy: by,
    releasedAt: timestamp(now),
    withdrawnBy: null,
    withdrawnAt: null,
    withdrawnRevision: null,
    reason: null,
  }
}

export interface WithdrawRequest {
  readonly environment: string
  readonly releaseId: string
  readonly reason: string
  readonly by: string
  readonly dryRun: boolean
}

/**
 * Takes a release back: its version is masked in the overlay with the reason, so that nodes go to the best version
 * that remains. Nothing is removed.
 * @throws {HubError} `release.unknown`; `release.already_withdrawn`.
 */
export async function withdrawRelease(hub: Needs, request: WithdrawRequest): Promise<Released> {
  const { environment } = request
  const overlay = overlayOf(hub, environment)
  let release = await findRelease(hub, request)
  const build = await hub.records.builds.find(release.app, release.build)
  if (!build) throw new Error(`release ${release.id} names a build that the records lack`)
  const withdrawal = {
    withdrawnBy: request.by,
    withdrawnAt: timestamp(hub.clock.now()),
    reason: request.reason,
  }
  const published = await overlay.publish({
    author: request.by,
    message: `${build.category}/${build.pn}: withdraw ${build.pv}\n\n${request.reason}\n\n${trailer(build)}`,
    dryRun: request.dryRun,
    plan: async (tree) => {
      await findRelease(hub, request)
      const masked = [
        ...(await hub.records.releases.withdrawn(environment)),
        { ...build, ...withdrawal, state: 'withdrawn' as const },
      ]
      return planMask(tree, masked, new Map())
    },
    record: async (records, revision) => {
      release = { ...release, ...withdrawal, state: 'withdrawn', withdrawnRevision: revision }
      await records.releases.withdraw(release.id, { ...withdrawal, withdrawnRevision: revision })
      await recordChange(records, hub.clock, {
        ...{
          type: 'release.withdrawn',
          subject: release.id,
          app: build.app,
          build: build.build,
          environment,
        },
        ...{ reason: request.reason, before: { state: 'released' }, after: { state: 'withdrawn', revision } },
      })
    },
  })
  hub.steps.reached('withdrawal.done')
  return { release: request.dryRun ? { ...release, ...withdrawal, state: 'withdrawn' } : release, published }
}

async function findRelease(hub: Needs, { environment, releaseId }: WithdrawRequest): Promise<ReleaseRow> {
  const release = await hub.records.releases.find(releaseId)
  if (release?.environment !== environment) {
    throw new HubError(
      'release.unknown',
      `${environment} has no release ${JSON.stringify(releaseId.slice(0, 100))}; GET /api/v1/environments/${environment}/releases lists them`,
    )
  }
  if (release.state === 'withdrawn') {
    throw new HubError(
      'release.already_withdrawn',
      `${release.app} build ${String(release.build)} was withdrawn from ${environment} by ${release.withdrawnBy ?? '?'}: ${release.reason ?? ''}`,
    )
  }
  return release
}

/** The commit's message for what happens to a build. */
export function releaseMessage(build: BuildRow, what: string): string {
  return `${build.category}/${build.pn}: ${what} ${build.pv}\n\n${trailer(build)}`
}

/** Lines in the form of git trailers, for whoever reads the history without the hub. */
function trailer(build: BuildRow): string {
  const lines = [`Build: ${String(build.build)}`]
  if (build.semver !== null) lines.push(`Version: ${build.semver}`)
  if (build.commitId !== null) lines.push(`Source-commit: ${build.commitId}`)
  return `${lines.join('\n')}\n`
}
