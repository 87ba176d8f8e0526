/**
 * Promotion: the request that a build be published in an environment, judged, waited for, carried out and remembered. What
 * a policy does by itself (staging takes each upload) is a promotion too, requested by the policy.
 */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import { comparePvr, parsePvr } from '../gentoo/version.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { Published } from '../overlays/overlay.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { judge } from './eligibility.ts'
import type { Verdict } from './eligibility.ts'
import { isHeld } from './holds.ts'
import {
  addPromotion,
  BY_POLICY,
  isOpen,
  isWaiting,
  movePromotion,
  newPromotion,
  overrideOf,
  WAITING_STATES,
} from './promotion.ts'
import type { Requester } from './promotion.ts'
import { releaseBuild } from './release-build.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock' | 'blobs' | 'log' | 'steps' | 'turns'>

export interface PromotionRequest {
  readonly build: BuildRow
  readonly environment: string
  readonly by: Requester
  /** Publish again what was withdrawn from there. */
  readonly liftWithdrawal: boolean
  /** Why the requester skips the waiting, by the right that the policy gives; null: it is waited for. */
  readonly overrideReason?: string | null
  readonly dryRun: boolean
}

export interface Promoted {
  readonly promotion: PromotionRow
  /** Null when nothing was to be done, or when it waits. */
  readonly published: Published | null
  /** False: the build stood there already, or was asked for before and waits. */
  readonly isNew: boolean
  /** What it waits for, as the whole verdict; null when it does not wait. */
  readonly verdict: Verdict | null
}

/**
 * Promotes a build: at once where every rule is met, and otherwise when those that only time, checks or people can meet are.
 * Asked again for one that stands there already, it gives back the promotion that put it there; for one that waits, that
 * one; asked at the same time, one of the two waits for the other. What a fault cut short is finished. An older one of the
 * same app that waits there is superseded.
 * @throws {HubError} `promotion.not_eligible`, whose `rules` are the whole verdict; the refusal is recorded.
 */
export async function promote(hub: Needs, request: PromotionRequest): Promise<Promoted> {
  const { build, environment } = request
  overlayOf(hub, environment)
  return await takeTurn(hub, { app: build.app, environment }, async () => {
    const release = await hub.records.releases.living(environment, build.app, build.build)
    const earlier = release && (await hub.records.promotions.findByRelease(release.id))
    if (earlier && !(await isHeld(hub, build, environment)))
      return { promotion: earlier, published: null, isNew: false, verdict: null }
    const known = (await hub.records.promotions.ofBuild(build.app, build.build)).find(
      (promotion) => promotion.environment === environment && isOpen(promotion),
    )
    const promotion = known ? await insistOn(hub, known, request) : newPromotion(hub, request)
    if (!known && !request.dryRun)
      await hub.records.transaction(async (records) => {
        await addPromotion({ ...hub, records }, promotion)
      })
    hub.steps.reached('promotion.requested')
    const advanced = await advance(hub, promotion, build, request.dryRun)
    return { ...advanced, isNew: advanced.published !== null || !known }
  })
}

/** Asked for once more, what waits may be hurried on, or its withdrawal be lifted. */
async function insistOn(
  hub: Needs,
  known: PromotionRow,
  { by, overrideReason = null, liftWithdrawal, dryRun }: PromotionRequest,
): Promise<PromotionRow> {
  const change = {
    ...(overrideReason !== null && { overrideReason, overrideBy: by.name, overrideOwner: by.owner }),
    ...(liftWithdrawal && { liftWithdrawal: 1 }),
  }
  if (dryRun || Object.keys(change).length === 0) return { ...known, ...change }
  const { id: subject, app, build, environment } = known
  await hub.records.transaction(async (records) => {
    await records.promotions.update(subject, change)
    const told = { type: 'promotion.insisted', subject, app, build, environment } as const
    await recordChange(records, hub.clock, { ...told, reason: overrideReason, after: change })
  })
  return { ...known, ...change }
}

/**
 * Judges a promotion that is recorded and has come to no end, and carries it as far as it goes: right after its request,
 * when something happened that it may wait for, at the start after a crash, or by the clock. One that ended meanwhile is
 * left as it is.
 * @throws {HubError} as `promote`.
 */
export async function carryOn(
  hub: Needs,
  promotion: Pick<PromotionRow, 'id' | 'app' | 'environment'>,
  build: BuildRow,
): Promise<void> {
  await takeTurn(hub, promotion, async () => {
    const now = await hub.records.promotions.find(promotion.id)
    if (now && isOpen(now)) await advance(hub, now, build, false)
  })
}

/** One at a time for the same app in the same environment: requests, repeated uploads and the clock may meet. */
export async function takeTurn<T>(
  hub: Pick<Hub, 'turns'>,
  { environment, app }: Pick<PromotionRow, 'environment' | 'app'>,
  work: () => Promise<T>,
): Promise<T> {
  return await hub.turns.run(`promote:${environment}:${app}`, work)
}

async function advance(
  hub: Needs,
  promotion: PromotionRow,
  build: BuildRow,
  dryRun: boolean,
): Promise<Omit<Promoted, 'isNew'>> {
  const { environment } = promotion
  const liftWithdrawal = promotion.liftWithdrawal === 1
  const verdict = await judge(hub, build, environment, {
    liftWithdrawal,
    override: overrideOf(promotion),
    promotion,
  })
  const { eligible, rules, policyVersion, waitsFor } = verdict
  if (eligible) {
    const { moved, published } = await publish(hub, promotion, build, { policyVersion, dryRun })
    if (!dryRun) await supersedeOlder(hub, moved, build)
    return { promotion: moved, published, verdict: null }
  }
  const detail = rules
    .filter(({ state }) => state === 'unmet')
    .map((rule) => rule.detail)
    .join(' ')
  if (waitsFor === null) {
    if (!dryRun) await movePromotion(hub, promotion, { state: 'refused', detail, policyVersion })
    throw new HubError('promotion.not_eligible', detail, { rules })
  }
  const waiting = { state: waitsFor, detail, policyVersion }
  if (dryRun) return { promotion: { ...promotion, ...waiting }, published: null, verdict }
  const moved = await movePromotion(hub, promotion, waiting)
  await supersedeOlder(hub, moved, build)
  return { promotion: moved, published: null, verdict }
}

async function publish(
  hub: Needs,
  promotion: PromotionRow,
  build: BuildRow,
  { policyVersion, dryRun }: { readonly policyVersion: number; readonly dryRun: boolean },
): Promise<{ readonly moved: PromotionRow; readonly published: Published }> {
  const { environment, requestedBy: by } = promotion
  const publishing = dryRun
    ? promotion
    : await movePromotion(hub, promotion, { state: 'publishing', detail: null, policyVersion })
  hub.steps.reached('promotion.publishing')
  try {
    const { release, published } = await releaseBuild(hub, { environment, build, by, dryRun })
    const end = {
      state: 'released',
      releaseId: release.id,
      revision: release.revision,
      detail: null,
    } as const
    const moved = dryRun ? { ...promotion, ...end, policyVersion } : await movePromotion(hub, publishing, end)
    hub.steps.reached('promotion.released')
    return { moved, published }
  } catch (error) {
    if (!dryRun) await endUnlessReleased(hub, publishing, error)
    throw error
  }
}

/** What is recorded as released will be finished; only what never got its row was refused or has failed. */
async function endUnlessReleased(hub: Needs, publishing: PromotionRow, cause: unknown): Promise<void> {
  const { environment, app, build } = publishing
  try {
    if (await hub.records.releases.living(environment, app, build)) return
    const isRefusal = cause instanceof HubError && cause.code === 'promotion.not_eligible'
    const end = isRefusal
      ? ({ state: 'refused', detail: cause.message } as const)
      : ({ state: 'failed', detail: 'the hub could not publish it; see its log' } as const)
    await movePromotion(hub, publishing, end)
  } catch (error) {
    // The fault before this one is the one to tell; the promotion stays under way and is taken up again.
    hub.log.warn({ err: error, promotion: publishing.id }, 'the end of a promotion could not be recorded')
  }
}

/**
 * Ends what was asked for before and still waits. What a policy asked for gives way to newer versions only: uploads may come
 * in any order, and the newest is what the environment is to have.
 */
async function supersedeOlder(hub: Needs, by: PromotionRow, build: BuildRow): Promise<void> {
  const open = await hub.records.promotions.inStates(WAITING_STATES, by)
  for (const older of open.filter(({ id }) => id < by.id)) {
    if (by.requestedBy === BY_POLICY && !(await isNewer(hub, build, older))) continue
    const detail = `Build ${String(by.build)} was asked for by ${by.requestedBy} (${by.id}).`
    await movePromotion(hub, older, { state: 'superseded', supersededBy: by.id, detail })
  }
}

async function isNewer(
  { records }: Pick<Hub, 'records'>,
  build: BuildRow,
  older: PromotionRow,
): Promise<boolean> {
  const other = await records.builds.find(older.app, older.build)
  return other !== undefined && comparePvr(parsePvr(build.pv), parsePvr(other.pv)) > 0
}

/** Takes up what a crash left between request and end. */
export async function resumePromotions(hub: Needs): Promise<void> {
  // What was being published first: a request for the next environment may wait for it.
  for (const state of ['publishing', 'requested'] as const) {
    for (const promotion of await hub.records.promotions.inState(state)) await resume(hub, promotion)
  }
}

/** Judges anew what waits: something may have happened, or its time have come. */
export async function advanceWaiting(
  hub: Needs,
  of: { readonly app?: string; readonly environment?: string } = {},
): Promise<void> {
  for (const promotion of await hub.records.promotions.inStates(WAITING_STATES, of))
    await resume(hub, promotion)
}

async function resume(hub: Needs, promotion: PromotionRow): Promise<void> {
  const { app, build: number, environment } = promotion
  const build = await hub.records.builds.find(app, number)
  if (!build || !hub.overlays.has(environment)) {
    const detail = `there is no environment ${environment} any more`
    await movePromotion(hub, promotion, { state: 'failed', detail })
    return
  }
  try {
    await carryOn(hub, promotion, build)
  } catch (error) {
    // A refusal is recorded and told to whoever asks.
    if (isWaiting(promotion) && error instanceof HubError) return
    hub.log.warn({ err: error, promotion: promotion.id }, 'a promotion could not be carried on')
  }
}
