/**
 * Holds: what is held is promoted by nobody, by policy or by hand, until somebody lifts the hold. One that masks also takes
 * its builds from the nodes of its environment, by a line in the overlay's package.mask.
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
  readonly reason: string
  readonly by: string
  readonly dryRun: boolean
}

export interface Held {
  readonly hold: HeldBuild
  /** The revision with or without the mask; null where none was asked for. */
  readonly published: Published | null
}

/**
 * Sets a hold. With a mask it becomes true with the revision that shows it.
 * @throws {HubError} `environment.unknown`; `app.unknown`; `build.unknown`; `hold.impossible` for a mask without one build
 *   and one environment.
 */
export async function setHold(hub: Needs, request: HoldRequest): Promise<Held> {
  const { environment, by, dryRun } = request
  if (environment !== null) overlayOf(hub, environment)
  const hold = await newHold(hub, request)
  if (environment === null || hold.mask === 0) {
    if (!dryRun)
      await hub.records.transaction(async (records) => {
        await addHold({ records, clock: hub.clock }, hold)
      })
    return { hold, published: null }
  }
  const published = await overlayOf(hub, environment).publish({
    author: by,
    message: holdMessage([hold], 'hold'),
    dryRun,
    plan: async (tree) =>
      planHeldMask(tree, [...(await hub.records.holds.masksIn(environment)), hold], new Map()),
    record: async (records, revision) => {
      await addHold({ records, clock: hub.clock }, { ...hold, heldRevision: revision })
    },
  })
  return { hold: { ...hold, heldRevision: published.revision }, published }
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
  const lift = {
    liftedBy: by,
    liftedAt: timestamp(hub.clock.now()),
    liftReason: reason,
    liftedRevision: null,
  }
  const record = async (records: Records, revision: number | null): Promise<void> => {
    if (!(await records.holds.lift(id, { ...lift, liftedRevision: revision })))
      throw alreadyLifted(await findHold({ records }, id))
    const { app, build, environment } = hold
    await recordChange(records, hub.clock, {
      ...{ type: 'hold.lifted', subject: id, app, build, environment, reason },
      ...{ before: { reason: hold.reason, mask: hold.mask === 1 }, after: { revision } },
    })
  }
  const { environment } = hold
  if (environment === null || hold.mask === 0) {
    if (!dryRun)
      await hub.records.transaction(async (records) => {
        await record(records, null)
      })
    return { hold: { ...hold, ...lift }, published: null }
  }
  const published = await overlayOf(hub, environment).publish({
    author: by,
    message: `${holdMessage([hold], 'lift the hold of')}Lifted: ${reason}\n`,
    dryRun,
    plan: async (tree) => {
      const others = (await hub.records.holds.masksIn(environment)).filter((other) => other.id !== id)
      return planHeldMask(tree, others, new Map())
    },
    record,
  })
  return { hold: { ...hold, ...lift, liftedRevision: published.revision }, published }
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
  if (request.mask && (number === null || environment === null))
    throw new HubError(
      'hold.impossible',
      'a mask is of one build in one environment: name both, or leave "mask" out',
    )
  const build = number === null ? null : await hub.records.builds.find(app, number)
  if (build === undefined)
    throw new HubError(
      'build.unknown',
      `there is no build ${String(number)} of ${JSON.stringify(app.slice(0, 100))}`,
    )
  const now = hub.clock.now()
  return {
    ...{ id: newId('hld', now), app, build: number, environment },
    ...{ newer: request.newer ? 1 : 0, mask: request.mask ? 1 : 0, rollback: request.rollback ?? null },
    ...{ reason: request.reason, heldBy: request.by, heldAt: timestamp(now), heldRevision: null },
    ...{ liftedBy: null, liftedAt: null, liftedRevision: null, liftReason: null },
    ...{ category: build?.category ?? null, pn: build?.pn ?? null, pv: build?.pv ?? null },
  }
}

/** Records a new hold. Belongs into a transaction. */
export async function addHold(hub: Pick<Hub, 'records' | 'clock'>, hold: HeldBuild): Promise<void> {
  await hub.records.holds.add(rowOf(hold))
  const { id, app, build, environment, reason, newer, mask, rollback, heldRevision } = hold
  await recordChange(hub.records, hub.clock, {
    ...{ type: 'hold.set', subject: id, app, build, environment, reason },
    after: { newer: newer === 1, mask: mask === 1, rollback, revision: heldRevision },
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
  const where = hold.environment ?? 'all environments'
  const what =
    hold.build === null
      ? `Every build of ${hold.app}`
      : `Build ${String(hold.build)}${hold.newer === 1 ? ' and what is newer' : ''}`
  return {
    code: 'environment.held',
    state: 'unmet',
    detail: `${what} is held in ${where} since ${hold.heldAt} by ${hold.heldBy}: ${hold.reason}.`,
    since: hold.heldAt,
    by: hold.heldBy,
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
  { records }: Pick<Hub, 'records'>,
  environment: string,
  apps: readonly string[],
): Promise<readonly StandingBuild[]> {
  const masks = await records.holds.masksIn(environment)
  const builds = await records.releases.standing(environment, apps)
  return builds.map((build) => {
    const isMasked = masks.some((hold) => hold.app === build.app && covers(hold, build))
    return isMasked && build.state === 'released' ? { ...build, state: 'held' as const } : build
  })
}

function alreadyLifted({ id, liftedBy, liftedAt, liftReason }: HoldRow): HubError {
  return new HubError(
    'hold.lifted',
    `${id} was lifted by ${liftedBy ?? '?'} at ${liftedAt ?? '?'}: ${liftReason ?? ''}`,
  )
}
