/**
 * Holds: what is held is promoted by nobody, by policy or by hand, until somebody lifts the hold. One that masks also takes
 * its builds from the nodes of its environment, by a line in the overlay's package.mask. A yank is a hold that masks one
 * build in all environments at once.
 */
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import { comparePvr, parsePvr } from '../gentoo/version.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { Published } from '../overlays/overlay.ts'
import { planHeldMask } from '../overlays/plan-overlay.ts'
import { publishTogether } from '../overlays/publish-together.ts'
import type { BuildRow } from '../records/builds.ts'
import type { HeldBuild, HoldRow } from '../records/holds.ts'
import type { StandingBuild } from '../records/releases.ts'
import type { Records } from '../records/records.ts'
import type { Rule } from './rule.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'clock'>

export interface HoldRequest {
  readonly app: string
  /** null: every build of the app. */
  readonly build: number | null
  /** Builds whose version is newer than that of `build` too. */
  readonly newer: boolean
  /** null: in all environments. */
  readonly environment: string | null
  /** Mask the build in the environment's overlay. */
  readonly mask: boolean
  /** Hold and mask the build in all environments: it was bad, and everybody is to know. */
  readonly yank: boolean
  readonly reason: string
  readonly by: string
  readonly dryRun: boolean
}

export interface Held {
  readonly hold: HeldBuild
  /** By environment, what became of the overlays that have its mask; empty for a hold without one. */
  readonly published: ReadonlyMap<string, Published>
}

/**
 * Sets a hold. With a mask it becomes true with the revisions that show it, of all environments or of none.
 * @throws {HubError} `environment.unknown`; `app.unknown`; `build.unknown`; `hold.impossible` for a mask without one build
 *   and one environment; `yank.exists`.
 */
export async function setHold(hub: Needs, request: HoldRequest): Promise<Held> {
  const { environment, by, dryRun } = request
  if (environment !== null) overlayOf(hub, environment)
  const hold = await newHold(hub, request)
  const published = await publishTogether(hub, {
    environments: environmentsOfMask(hub, hold),
    requestFor: (name) => ({
      author: by,
      message: holdMessage([hold], hold.yank === 1 ? 'yank' : 'hold'),
      plan: async (tree) => planHeldMask(tree, [...(await hub.records.holds.masksIn(name)), hold], new Map()),
    }),
    record: async (records, revisions) => {
      if (hold.yank === 1) await refuseYanked(records, hold)
      const heldRevision = revisionOf(hold, revisions)
      await addHold({ records, clock: hub.clock }, { ...hold, heldRevision }, changedIn(revisions))
    },
    dryRun,
  })
  return { hold: { ...hold, heldRevision: revisionOf(hold, published) }, published }
}

export interface LiftRequest {
  readonly id: string
  readonly reason: string
  readonly by: string
  readonly dryRun: boolean
}

/**
 * Lifts a hold: what it masked is to be had again from the next revision on. Promotions that it refused stay refused.
 * @throws {HubError} `hold.unknown`; `hold.lifted`.
 */
export async function liftHold(hub: Needs, { id, reason, by, dryRun }: LiftRequest): Promise<Held> {
  const hold = await findHold(hub, id)
  if (hold.liftedAt !== null) throw alreadyLifted(hold)
  const lift = { liftedBy: by, liftedAt: timestamp(hub.clock.now()), liftReason: reason }
  const what = hold.yank === 1 ? 'yank no more' : 'lift the hold of'
  const published = await publishTogether(hub, {
    environments: environmentsOfMask(hub, hold),
    requestFor: (name) => ({
      author: by,
      message: `${holdMessage([hold], what)}Lifted: ${reason}\n`,
      plan: async (tree) => {
        const others = (await hub.records.holds.masksIn(name)).filter((other) => other.id !== id)
        return planHeldMask(tree, others, new Map())
      },
    }),
    record: async (records, revisions) => {
      const liftedRevision = revisionOf(hold, revisions)
      if (!(await records.holds.lift(id, { ...lift, liftedRevision })))
        throw alreadyLifted(await findHold({ records }, id))
      const { app, build, environment } = hold
      await recordChange(records, hub.clock, {
        ...{ type: hold.yank === 1 ? 'yank.lifted' : 'hold.lifted', subject: id, app, build, environment },
        ...{ reason, before: { reason: hold.reason, mask: hold.mask === 1 } },
        after: hold.yank === 1 ? { revisions: changedIn(revisions) } : { revision: liftedRevision },
      })
    },
    dryRun,
  })
  return { hold: { ...hold, ...lift, liftedRevision: revisionOf(hold, published) }, published }
}

/** The environments whose overlays show the hold as a mask where they list its build. */
function environmentsOfMask(
  { overlays }: Pick<Hub, 'overlays'>,
  { mask, environment }: HoldRow,
): readonly string[] {
  if (mask === 0) return []
  return environment === null ? [...overlays.keys()] : [environment]
}

/** Of the environment that the hold is in; null for one without a mask, and for one of all environments. */
function revisionOf({ environment }: HoldRow, published: ReadonlyMap<string, Published>): number | null {
  return (environment === null ? undefined : published.get(environment)?.revision) ?? null
}

/** The revisions that were made, by environment. */
function changedIn(published: ReadonlyMap<string, Published>): Readonly<Record<string, number>> {
  const made = [...published].filter(([, { changes }]) => changes.length > 0)
  return Object.fromEntries(made.map(([environment, { revision }]) => [environment, revision]))
}

/** The hold by which the build is yanked. @throws {HubError} `yank.unknown`. */
export async function findYank(
  { records }: Pick<Hub, 'records'>,
  { app, build }: Pick<BuildRow, 'app' | 'build'>,
): Promise<HeldBuild> {
  const yank = await records.holds.yankOf(app, build)
  if (yank) return yank
  throw new HubError('yank.unknown', `${app} build ${String(build)} is not yanked`)
}

/** @throws {HubError} `hold.unknown`. */
export async function findHold(
  hub: { readonly records: Pick<Records, 'holds'> },
  id: string,
): Promise<HeldBuild> {
  const hold = await hub.records.holds.find(id)
  if (hold) return hold
  throw new HubError('hold.unknown', `there is no hold ${JSON.stringify(id.slice(0, 100))}`)
}

/**
 * A hold as it is first recorded, without its revision.
 * @throws {HubError} as `setHold`, but for the environment.
 */
export async function newHold(
  hub: Pick<Hub, 'records' | 'clock'>,
  request: Omit<HoldRequest, 'dryRun'> & { readonly rollback?: string },
): Promise<HeldBuild> {
  const { app, build: number, environment } = request
  if (!(await hub.records.apps.find(app)))
    throw new HubError('app.unknown', `there is no app ${JSON.stringify(app.slice(0, 100))} to hold`)
  if (number === null && request.newer)
    throw new HubError(
      'hold.impossible',
      'a hold of the whole app has no newer builds: name a build, or leave "newer" out',
    )
  if (request.mask && !request.yank && (number === null || environment === null))
    throw new HubError(
      'hold.impossible',
      'a mask is of one build in one environment: name both, leave "mask" out, or yank the build everywhere',
    )
  const build = number === null ? null : await hub.records.builds.find(app, number)
  if (build === undefined)
    throw new HubError(
      'build.unknown',
      `there is no build ${String(number)} of ${JSON.stringify(app.slice(0, 100))}`,
    )
  if (build && request.yank) await refuseYanked(hub.records, build)
  const now = hub.clock.now()
  return {
    ...{ id: newId('hld', now), app, build: number, environment },
    ...{ newer: request.newer ? 1 : 0, mask: request.mask ? 1 : 0, yank: request.yank ? 1 : 0 },
    rollback: request.rollback ?? null,
    ...{ reason: request.reason, heldBy: request.by, heldAt: timestamp(now), heldRevision: null },
    ...{ liftedBy: null, liftedAt: null, liftedRevision: null, liftReason: null },
    ...{ category: build?.category ?? null, pn: build?.pn ?? null, pv: build?.pv ?? null },
  }
}

/** Records a new hold. Belongs into a transaction. `revisions` are those that show a yank. */
export async function addHold(
  hub: Pick<Hub, 'records' | 'clock'>,
  hold: HeldBuild,
  revisions: Readonly<Record<string, number>> = {},
): Promise<void> {
  await hub.records.holds.add(rowOf(hold))
  const { id, app, build, environment, reason, newer, mask, yank, rollback, heldRevision } = hold
  await recordChange(hub.records, hub.clock, {
    ...{ type: yank === 1 ? 'yank.set' : 'hold.set', subject: id, app, build, environment, reason },
    after:
      yank === 1 ? { revisions } : { newer: newer === 1, mask: mask === 1, rollback, revision: heldRevision },
  })
}

/** The row alone, without the package that it was joined with. */
export function rowOf({ category: _category, pn: _pn, pv: _pv, ...row }: HeldBuild): HoldRow {
  return row
}

/** The commit's message for holds of builds of one package: what, why, and whose hold it is. */
export function holdMessage(holds: readonly HeldBuild[], what: string): string {
  const [{ category, pn, reason } = { category: null, pn: null, reason: '' }] = holds
  const versions = holds.map(({ newer, pv }) => `${newer === 1 ? '>=' : ''}${pv ?? ''}`).join(', ')
  const trailers = holds.map(({ id }) => `Hold: ${id}\n`).join('')
  return `${category ?? ''}/${pn ?? ''}: ${what} ${versions}\n\n${reason}\n\n${trailers}`
}

/** Whether the hold is one of this build, wherever it binds. */
export function covers(
  hold: Pick<HeldBuild, 'build' | 'newer' | 'pv'>,
  build: Pick<BuildRow, 'build' | 'pv'>,
): boolean {
  if (hold.build === null || hold.build === build.build) return true
  return hold.newer === 1 && hold.pv !== null && comparePvr(parsePvr(build.pv), parsePvr(hold.pv)) > 0
}

export function isIn(hold: Pick<HoldRow, 'environment'>, environment: string): boolean {
  return hold.environment === null || hold.environment === environment
}

/** What the verdict says of a hold. */
export function heldRule(hold: HeldBuild): Rule {
  const told = { state: 'unmet', since: hold.heldAt, by: hold.heldBy } as const
  if (hold.yank === 1) {
    const name = `${hold.app} ${String(hold.build)}`
    return {
      ...told,
      code: 'build.yanked',
      detail: `Build ${String(hold.build)} is yanked since ${hold.heldAt} by ${hold.heldBy}: ${hold.reason}.`,
      toMeet: `Send a build that is better, or unyank it (portage-hub unyank ${name}) when the reason is gone.`,
    }
  }
  const where = hold.environment ?? 'all environments'
  const what =
    hold.build === null
      ? `Every build of ${hold.app}`
      : `Build ${String(hold.build)}${hold.newer === 1 ? ' and what is newer' : ''}`
  return {
    ...told,
    code: 'environment.held',
    detail: `${what} is held in ${where} since ${hold.heldAt} by ${hold.heldBy}: ${hold.reason}.`,
    toMeet: `Lift the hold ${hold.id} (portage-hub hold lift ${hold.id}) when its reason is gone.`,
  }
}

/** Whether anything holds the build there. */
export async function isHeld(
  { records }: { readonly records: Pick<Records, 'holds'> },
  build: Pick<BuildRow, 'app' | 'build' | 'pv'>,
  environment: string,
): Promise<boolean> {
  const holds = await records.holds.openOf(build.app)
  return holds.some((hold) => isIn(hold, environment) && covers(hold, build))
}

/**
 * Belongs into the transaction that makes the release true.
 * @throws {HubError} `promotion.not_eligible`.
 */
export async function refuseHeld(
  records: Pick<Records, 'holds'>,
  build: BuildRow,
  environment: string,
): Promise<void> {
  const holds = await records.holds.openOf(build.app)
  const rules = holds.filter((hold) => isIn(hold, environment) && covers(hold, build)).map(heldRule)
  if (rules.length === 0) return
  throw new HubError('promotion.not_eligible', rules.map(({ detail }) => detail).join(' '), { rules })
}

/** As `releases.standing`, with the builds that are masked by a hold marked as held: nodes do not get them. */
export async function standingUnheld(
  { records }: { readonly records: Pick<Records, 'holds' | 'releases'> },
  environment: string,
  apps: readonly string[],
): Promise<readonly StandingBuild[]> {
  const mask = await maskedBuilds(records, environment)
  return (await records.releases.standing(environment, apps)).map(mask)
}

/** Marks a build of the environment as held if a hold masks it. */
export async function maskedBuilds(
  { holds }: Pick<Records, 'holds'>,
  environment: string,
): Promise<(build: StandingBuild) => StandingBuild> {
  const masks = Map.groupBy(await holds.masksIn(environment), ({ app }) => app)
  return (build) => {
    const isMasked = masks.get(build.app)?.some((hold) => covers(hold, build)) ?? false
    return isMasked && build.state === 'released' ? { ...build, state: 'held' } : build
  }
}

/** @throws {HubError} `yank.exists`. */
async function refuseYanked(
  records: Pick<Records, 'holds'>,
  { app, build }: Pick<HoldRow, 'app' | 'build'>,
): Promise<void> {
  const yank = await records.holds.yankOf(app, build ?? 0)
  if (yank) throw new HubError('yank.exists', heldRule(yank).detail)
}

function alreadyLifted({ id, liftedBy, liftedAt, liftReason }: HoldRow): HubError {
  return new HubError(
    'hold.lifted',
    `${id} was lifted by ${liftedBy ?? '?'} at ${liftedAt ?? '?'}: ${liftReason ?? ''}`,
  )
}
