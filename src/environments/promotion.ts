/** A promotion as it is kept: its states, its moves, and what the audit says of them. */
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import type { Override } from './policy-verdict.ts'

const FROM_WAITING = [
  'checking',
  'awaiting_approval',
  'scheduled',
  'publishing',
  'refused',
  'cancelled',
  'superseded',
  'failed',
] as const

/**
 * A promotion's states and where each may go. It waits for checks, then for people, then for its time. `refused`: a rule or
 * a person said no. `failed`: we could not tell or not finish.
 */
export const PROMOTION_MOVES = {
  requested: FROM_WAITING,
  checking: FROM_WAITING,
  awaiting_approval: FROM_WAITING,
  scheduled: FROM_WAITING,
  // Cut short, it is judged and published again.
  publishing: [...FROM_WAITING, 'released'],
  released: [],
  refused: [],
  cancelled: [],
  superseded: [],
  failed: [],
} as const
export type PromotionState = keyof typeof PROMOTION_MOVES

/** Who asks for a promotion. */
export interface Requester {
  readonly name: string
  /** Of the token or person; null: it is a policy. */
  readonly id: string | null
  /** Who is behind it and so may not approve it; null: it is not known. */
  readonly owner: string | null
}

/** The name of who requested a promotion that nobody asked for by hand. */
export const BY_POLICY = 'policy'

/** A policy that asks for what `owner` uploaded. */
export function policyFor(owner: string | null): Requester {
  return { name: BY_POLICY, id: null, owner }
}

/** The states in which it waits for something that may still happen. */
export const WAITING_STATES = ['checking', 'awaiting_approval', 'scheduled'] as const
export type WaitingState = (typeof WAITING_STATES)[number]

/** Whether it was requested and has come to no end. */
export function isOpen({ state }: Pick<PromotionRow, 'state'>): boolean {
  return PROMOTION_MOVES[state as PromotionState].length > 0
}

/** Whether it is open and waits for something outside. */
export function isWaiting({ state }: Pick<PromotionRow, 'state'>): boolean {
  return WAITING_STATES.some((waiting) => waiting === state)
}

/** A promotion as it is first recorded. */
export function newPromotion(
  hub: Pick<Hub, 'clock'>,
  request: {
    readonly build: Pick<BuildRow, 'app' | 'build'>
    readonly environment: string
    readonly by: Requester
    readonly liftWithdrawal?: boolean
    readonly overrideReason?: string | null
  },
): PromotionRow {
  const now = hub.clock.now()
  const { by, overrideReason = null } = request
  const override = overrideReason === null ? { by: null, owner: null } : { by: by.name, owner: by.owner }
  return {
    ...{ id: newId('pro', now), app: request.build.app, build: request.build.build },
    ...{ environment: request.environment, state: 'requested' },
    liftWithdrawal: request.liftWithdrawal === true ? 1 : 0,
    ...{ requestedBy: by.name, requestedWith: by.id, requestedOwner: by.owner },
    requestedAt: timestamp(now),
    ...{ finishedAt: null, releaseId: null, revision: null, detail: null, policyVersion: null },
    ...{ overrideReason, overrideBy: override.by, overrideOwner: override.owner, supersededBy: null },
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

/**
 * Moves a promotion on. To the state in which it is already nothing is moved, but what is said of it may change.
 * @throws {Error} for a move that the table does not have: a fault of ours.
 */
export async function movePromotion(
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
  const { id, app, build, environment, state, releaseId, revision, detail, policyVersion } = moved
  const { supersededBy, finishedAt } = moved
  await hub.records.transaction(async (records) => {
    const kept = { state, finishedAt, releaseId, revision, detail, policyVersion, supersededBy }
    await records.promotions.update(id, kept)
    if (from === state && from !== 'publishing') return
    await recordChange(records, hub.clock, {
      ...{ type: 'promotion.moved', subject: id, app, build, environment },
      ...{
        before: { state: from },
        after: { state, detail, releaseId, revision, policyVersion, supersededBy },
      },
    })
  })
  return moved
}

/** Who skips the waiting of this promotion; null: nobody. */
export function overrideOf({ overrideBy: by, overrideReason: reason }: PromotionRow): Override | null {
  return by === null || reason === null ? null : { by, reason }
}
