/**
 * Promotion: the request that a build be published in an environment, judged, carried out and remembered. What a
 * policy does by itself (staging takes each upload) is a promotion too, requested by the policy.
 */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { Published } from '../overlays/overlay.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { judge } from './eligibility.ts'
import { isHeld } from './holds.ts'
import type { Override } from './policy-verdict.ts'
import { releaseBuild } from './release-build.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock' | 'blobs' | 'log' | 'steps' | 'turns'>

/** A promotion's states and where each may go. `refused`: a rule said no. `failed`: we could not tell or not finish. */
export const PROMOTION_MOVES = {
  requested: ['publishing', 'refused', 'failed'],
  // Cut short, it is judged and published again.
  publishing: ['publishing', 'released', 'refused', 'failed'],
  released: [],
  refused: [],
  failed: [],
} as const
export type PromotionState = keyof typeof PROMOTION_MOVES

/** Who requested a promotion that nobody asked for by hand. */
export const BY_POLICY = 'policy'

export interface PromotionRequest {
  readonly build: BuildRow
  readonly environment: string
  readonly by: string
  /** Publish again what was withdrawn from there. */
  readonly liftWithdrawal: boolean
  /** Why the requester skips the waiting, by the right that the policy gives; null: it is waited for. */
  readonly overrideReason?: string | null
  readonly dryRun: boolean
}

export interface Promoted {
  readonly promotion: PromotionRow
  /** Null when nothing was to be done. */
  readonly published: Published | null
  /** False: the build stood there already. */
  readonly isNew: boolean
}

/**
 * Promotes a build. Asked again for one that stands there already, it gives back the promotion that put it there;
 * asked at the same time, one of the two waits for the other. What a fault cut short is finished.
 * One that stands there and is held is refused: it is not to be had.
 * @throws {HubError} `promotion.not_eligible`, whose `rules` are the whole verdict; the refusal is recorded.
 */
export async function promote(hub: Needs, request: PromotionRequest): Promise<Promoted> {
  const { build, environment } = request
  overlayOf(hub, environment)
  return await takeTurn(hub, { ...build, environment }, async () => {
    const release = await hub.records.releases.living(environment, build.app, build.build)
    const earlier = release && (await hub.records.promotions.findByRelease(release.id))
    if (earlier && !(await isHeld(hub, build, environment)))
      return { promotion: earlier, published: null, isNew: false }
    const cutShort = (await hub.records.promotions.ofBuild(build.app, build.build)).find(
      (promotion) => promotion.environment === environment && isUnderWay(promotion),
    )
    const promotion = cutShort ?? newPromotion(hub, request)
    if (!cutShort && !request.dryRun)
      await hub.records.transaction(async (records) => {
        await addPromotion({ ...hub, records }, promotion)
      })
    hub.steps.reached('promotion.requested')
    return await publishPromoted(hub, promotion, build, request.dryRun)
  })
}

/**
 * Carries out a promotion that is recorded and has come to no end: right after its request, at the start after a
 * crash, or by the clock after a fault. One that ended meanwhile is left as it is.
 * @throws {HubError} as `promote`.
 */
export async function carryOut(hub: Needs, promotion: PromotionRow, build: BuildRow): Promise<void> {
  await takeTurn(hub, promotion, async () => {
    const now = await hub.records.promotions.find(promotion.id)
    if (now && isUnderWay(now)) await publishPromoted(hub, now, build, false)
  })
}

/** One at a time for the same build in the same environment: requests, repeated uploads and the clock may meet. */
async function takeTurn<T>(
  hub: Pick<Hub, 'turns'>,
  { environment, app, build }: Pick<PromotionRow, 'environment' | 'app' | 'build'>,
  work: () => Promise<T>,
): Promise<T> {
  return await hub.turns.run(`promote:${environment}:${app}:${String(build)}`, work)
}

async function publishPromoted(
  hub: Needs,
  promotion: PromotionRow,
  build: BuildRow,
  dryRun: boolean,
): Promise<Promoted> {
  const { environment, requestedBy: by } = promotion
  const liftWithdrawal = promotion.liftWithdrawal === 1
  const wish = { liftWithdrawal, override: overrideOf(promotion) }
  const { eligible, rules, policyVersion } = await judge(hub, build, environment, wish)
  if (!eligible) {
    const unmet = rules.filter(({ state }) => state === 'unmet')
    const detail = unmet.map((rule) => rule.detail).join(' ')
    if (!dryRun) await move(hub, promotion, { state: 'refused', detail, policyVersion })
    throw new HubError('promotion.not_eligible', detail, { rules })
  }
  const publishing = dryRun ? promotion : await move(hub, promotion, { state: 'publishing', policyVersion })
  hub.steps.reached('promotion.publishing')
  try {
    const { release, published } = await releaseBuild(hub, { environment, build, by, dryRun })
    const end = {
      state: 'released',
      releaseId: release.id,
      revision: release.revision,
      detail: null,
    } as const
    const released = dryRun ? { ...promotion, ...end, policyVersion } : await move(hub, publishing, end)
    hub.steps.reached('promotion.released')
    return { promotion: released, published, isNew: true }
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
    if (isRefusal) await move(hub, publishing, { state: 'refused', detail: cause.message })
    else await move(hub, publishing, { state: 'failed', detail: 'the hub could not publish it; see its log' })
  } catch (error) {
    // The fault before this one is the one to tell; the promotion stays under way and is taken up again.
    hub.log.warn({ err: error, promotion: publishing.id }, 'the end of a promotion could not be recorded')
  }
}

/** Records a new promotion. Belongs into a transaction. */
export async function addPromotion(
  hub: Pick<Hub, 'records' | 'clock'>,
  promotion: PromotionRow,
): Promise<void> {
  await hub.records.promotions.add(promotion)
  const { id, app, build, environment, state, requestedBy, liftWithdrawal, overrideReason } = promotion
  await recordChange(hub.records, hub.clock, {
    ...{ type: 'promotion.requested', subject: id, app, build, environment, reason: overrideReason },
    after: { state, requestedBy, liftWithdrawal: liftWithdrawal === 1, override: overrideReason !== null },
  })
}

/** A promotion as it is first recorded. */
export function newPromotion(
  hub: Pick<Hub, 'clock'>,
  request: {
    readonly build: Pick<BuildRow, 'app' | 'build'>
    readonly environment: string
    readonly by: string
    readonly liftWithdrawal?: boolean
    readonly overrideReason?: string | null
  },
): PromotionRow {
  const now = hub.clock.now()
  return {
    id: newId('pro', now),
    app: request.build.app,
    build: request.build.build,
    environment: request.environment,
    state: 'requested',
    liftWithdrawal: request.liftWithdrawal === true ? 1 : 0,
    requestedBy: request.by,
    requestedAt: timestamp(now),
    finishedAt: null,
    releaseId: null,
    revision: null,
    detail: null,
    policyVersion: null,
    overrideReason: request.overrideReason ?? null,
  }
}

function overrideOf({ requestedBy: by, overrideReason: reason }: PromotionRow): Override | null {
  return reason === null ? null : { by, reason }
}

/** Takes up what a crash left between request and end. */
export async function resumePromotions(hub: Needs): Promise<void> {
  // What was being published first: a request for the next environment may wait for it.
  for (const state of ['publishing', 'requested'] as const) {
    for (const promotion of await hub.records.promotions.inState(state)) await resume(hub, promotion)
  }
}

async function resume(hub: Needs, promotion: PromotionRow): Promise<void> {
  const { app, build: number, environment } = promotion
  const build = await hub.records.builds.find(app, number)
  if (!build || !hub.overlays.has(environment)) {
    await move(hub, promotion, { state: 'failed', detail: `there is no environment ${environment} any more` })
    return
  }
  try {
    await carryOut(hub, promotion, build)
  } catch (error) {
    const text = 'a promotion that was cut short could not be carried out'
    hub.log.warn({ err: error, promotion: promotion.id }, text)
  }
}

/** @throws {Error} for a move that the table does not have: a fault of ours. */
async function move(
  hub: Pick<Hub, 'records' | 'clock'>,
  promotion: PromotionRow,
  change: Partial<PromotionRow> & { readonly state: PromotionState },
): Promise<PromotionRow> {
  const from = promotion.state as PromotionState
  const mayMoveTo: readonly PromotionState[] = PROMOTION_MOVES[from]
  if (!mayMoveTo.includes(change.state))
    throw new Error(`a promotion cannot go from ${from} to ${change.state}`)
  const isEnd = PROMOTION_MOVES[change.state].length === 0
  const moved = { ...promotion, ...change, finishedAt: isEnd ? timestamp(hub.clock.now()) : null }
  const { state, finishedAt, releaseId, revision, detail, policyVersion } = moved
  await hub.records.transaction(async (records) => {
    await records.promotions.update(promotion.id, {
      ...{ state, finishedAt, releaseId, revision, detail, policyVersion },
    })
    await recordChange(records, hub.clock, {
      ...{ type: 'promotion.moved', subject: promotion.id, app: promotion.app, build: promotion.build },
      environment: promotion.environment,
      before: { state: from },
      after: { state, detail, releaseId, revision, policyVersion },
    })
  })
  return moved
}

/** Whether it was requested and has come to no end. */
export function isUnderWay({ state }: Pick<PromotionRow, 'state'>): boolean {
  return state === 'requested' || state === 'publishing'
}
