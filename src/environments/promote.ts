/**
 * Promotion: the request that a build be published in an environment, judged, carried out and remembered. What a
 * policy does by itself (staging takes each upload) is a promotion too, requested by the policy.
 */
import { HubError } from '../errors.ts'
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { Published } from '../overlays/overlay.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { judge } from './eligibility.ts'
import { releaseBuild } from './release-build.ts'

type Needs = Pick<Hub, 'overlays' | 'records' | 'config' | 'clock' | 'blobs' | 'log'>

/** A promotion's states and where each may go. `refused`: a rule said no. `failed`: we could not tell or not finish. */
export const PROMOTION_MOVES = {
  requested: ['publishing', 'refused', 'failed'],
  publishing: ['released', 'failed'],
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
 * @throws {HubError} `promotion.not_eligible`, whose `rules` are the whole verdict; the refusal is recorded.
 */
export async function promote(hub: Needs & Pick<Hub, 'turns'>, request: PromotionRequest): Promise<Promoted> {
  const { build, environment } = request
  overlayOf(hub, environment)
  return await hub.turns.run(`promote:${environment}:${build.app}:${String(build.build)}`, async () => {
    const release = await hub.records.releases.living(environment, build.app, build.build)
    const earlier = release && (await hub.records.promotions.findByRelease(release.id))
    if (earlier) return { promotion: earlier, published: null, isNew: false }
    const cutShort = (await hub.records.promotions.ofBuild(build.app, build.build)).find(
      (promotion) => promotion.environment === environment && isUnderWay(promotion),
    )
    const promotion = cutShort ?? newPromotion(hub, request)
    if (!cutShort && !request.dryRun) await hub.records.promotions.add(promotion)
    return await carryOut(hub, promotion, request)
  })
}

/** Carries out a promotion that is recorded as requested: right after its request, or at the start after a crash. */
export async function carryOut(
  hub: Needs,
  promotion: PromotionRow,
  request: PromotionRequest,
): Promise<Promoted> {
  const { build, environment, dryRun } = request
  const verdict = await judge(hub, build, environment, request.liftWithdrawal)
  if (!verdict.eligible) {
    const unmet = verdict.rules.filter(({ state }) => state === 'unmet')
    const detail = unmet.map((rule) => rule.detail).join(' ')
    if (!dryRun) await finish(hub, promotion, { state: 'refused', detail })
    throw new HubError('promotion.not_eligible', detail, { rules: verdict.rules })
  }
  if (!dryRun) await hub.records.promotions.update(promotion.id, { state: 'publishing' })
  try {
    const { release, published } = await releaseBuild(hub, {
      environment,
      build,
      by: promotion.requestedBy,
      dryRun,
    })
    const end = { state: 'released', releaseId: release.id, revision: release.revision, detail: null }
    return {
      promotion: dryRun ? { ...promotion, ...end } : await finish(hub, promotion, end),
      published,
      isNew: true,
    }
  } catch (error) {
    // What is recorded as released will be finished; only what never got its row has failed.
    if (!dryRun && !(await hub.records.releases.living(environment, build.app, build.build))) {
      await finish(hub, promotion, { state: 'failed', detail: 'the hub could not publish it; see its log' })
    }
    throw error
  }
}

/** A promotion as it is first recorded. */
export function newPromotion(
  hub: Pick<Hub, 'clock'>,
  request: {
    readonly build: Pick<BuildRow, 'app' | 'build'>
    readonly environment: string
    readonly by: string
  },
): PromotionRow {
  const now = hub.clock.now()
  return {
    id: newId('pro', now),
    app: request.build.app,
    build: request.build.build,
    environment: request.environment,
    state: 'requested',
    requestedBy: request.by,
    requestedAt: timestamp(now),
    finishedAt: null,
    releaseId: null,
    revision: null,
    detail: null,
  }
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
    await finish(hub, promotion, {
      state: 'failed',
      detail: `there is no environment ${environment} any more`,
    })
    return
  }
  try {
    await carryOut(hub, promotion, {
      build,
      environment,
      by: promotion.requestedBy,
      liftWithdrawal: false,
      dryRun: false,
    })
  } catch (error) {
    hub.log.warn(
      { err: error, promotion: promotion.id },
      'a promotion that was cut short could not be carried out',
    )
  }
}

async function finish(
  hub: Pick<Hub, 'records' | 'clock'>,
  promotion: PromotionRow,
  end: Partial<PromotionRow> & { readonly state: string },
): Promise<PromotionRow> {
  const ended = { ...promotion, ...end, finishedAt: timestamp(hub.clock.now()) }
  const { state, finishedAt, releaseId, revision, detail } = ended
  await hub.records.promotions.update(promotion.id, { state, finishedAt, releaseId, revision, detail })
  return ended
}

/** Whether it was requested and has come to no end. */
export function isUnderWay({ state }: Pick<PromotionRow, 'state'>): boolean {
  return state === 'requested' || state === 'publishing'
}
