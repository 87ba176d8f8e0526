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
import type { Override } from './policy-verdict.ts'
import { refuseHeld } from './holds.ts'
import { planListing } from './plan-listing.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock' | 'blobs' | 'steps'>

export interface ReleaseRequest {
  readonly environment: string
  /** Of an app each; several are a release set. */
  readonly builds: readonly BuildRow[]
  readonly by: string
  /** Who skipped the waiting, and why: whoever is told of the release is told of that. */
  readonly override?: Override | null
  readonly dryRun: boolean
}

export interface Released {
  /** Of each build, in their order, as recorded; with `dryRun` those that would be, without an id. */
  readonly releases: readonly ReleaseRow[]
  readonly published: Published
}

/**
 * Publishes the builds: their distfiles in the environment's mirror, then one revision of the overlay, for all of them or
 * none. A build that stands there already stays as it is; if all do there is no new revision.
 * @throws {HubError} `promotion.not_eligible` when one was held meanwhile.
 */
export async function releaseBuilds(hub: Needs, request: ReleaseRequest): Promise<Released> {
  const { environment, builds, by } = request
  let standing: readonly (ReleaseRow | undefined)[] = []
  const added = (): readonly BuildRow[] => builds.filter((_, place) => standing[place] === undefined)
  const published = await overlayOf(hub, environment).publish({
    author: by,
    message: await messageOf(hub, request),
    dryRun: request.dryRun,
    plan: async (tree) => {
      standing = await Promise.all(
        builds.map(async ({ app, build }) => await hub.records.releases.living(environment, app, build)),
      )
      const apps = added().map(({ app }) => app)
      return apps.length === 0
        ? new Map()
        : await planListing(hub, tree, { environment, apps, added: added() })
    },
    record: async (records, revision) => {
      // Whoever held one since it was judged was told that nothing promotes it.
      for (const build of added()) await refuseHeld(records, build, environment)
      const releases: ReleaseRow[] = []
      for (const [place, build] of builds.entries())
        releases.push(standing[place] ?? (await addRelease({ ...hub, records }, request, build, revision)))
      standing = releases
    },
    beforeSwitch: async () => {
      for (const { distfileName, sha512 } of builds)
        await hub.blobs.linkIntoMirror(environment, distfileName, sha512)
    },
  })
  const releases = builds.map(
    (build, place) =>
      standing[place] ?? {
        ...newRelease(hub, { environment, build, by }),
        id: '',
        revision: published.revision,
      },
  )
  return { releases, published }
}

async function addRelease(
  hub: Pick<Hub, 'records' | 'clock'>,
  { environment, by, override = null }: ReleaseRequest,
  build: BuildRow,
  revision: number,
): Promise<ReleaseRow> {
  const release = { ...newRelease(hub, { environment, build, by }), revision }
  await hub.records.releases.add(release)
  await recordChange(hub.records, hub.clock, {
    ...{ type: 'release.published', subject: release.id, app: build.app, build: build.build, environment },
    reason: override?.reason ?? null,
    after: {
      ...{ revision, cpv: `${build.category}/${build.pn}-${build.pv}`, sha512: build.sha512 },
      ...(override && { overriddenBy: override.by }),
    },
  })
  return release
}

async function messageOf(hub: Needs, { environment, builds }: ReleaseRequest): Promise<string> {
  const messages: string[] = []
  for (const build of builds) {
    const before = await hub.records.releases.ofBuild(build.app, build.build)
    const isBack = before.some((earlier) => earlier.environment === environment)
    messages.push(releaseMessage(build, isBack ? 'lift the withdrawal of' : 'add'))
  }
  if (messages.length === 1) return messages.join('')
  return `Release ${String(builds.length)} builds together\n\n${messages.join('\n')}`
}

/** A release as it is first recorded, but for its revision. */
export function newRelease(
  hub: Pick<Hub, 'clock'>,
  { environment, build, by }: { readonly environment: string; readonly build: BuildRow; readonly by: string },
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

export interface Withdrawn {
  /** As recorded, or with `dryRun` as it would be. */
  readonly release: ReleaseRow
  readonly published: Published
}

/**
 * Takes a release back: its version is masked in the overlay with the reason, so that nodes go to the best version
 * that remains. Nothing is removed.
 * @throws {HubError} `release.unknown`; `release.already_withdrawn`.
 */
export async function withdrawRelease(hub: Needs, request: WithdrawRequest): Promise<Withdrawn> {
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
