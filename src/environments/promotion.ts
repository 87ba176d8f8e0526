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

/** The states from which there is a way on. */
export const OPEN_STATES = (Object.keys(PROMOTION_MOVES) as PromotionState[]).filter(
  (state) => PROMOTION_MOVES[state].length > 0,
)

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
    setId: null,
  }
}

/** What the audit says of whom a promotion goes together with. */
function setFact(promotions: readonly PromotionRow[]) {
  return promotions.length === 1 ? {} : { set: promotions.map(({ app, build }) => ({ app, build })) }
}

/** Records new promotions that go together: one, or a release set. Belongs into a transaction. */
export async function addPromotions(
  hub: Pick<Hub, 'records' | 'clock'>,
  promotions: readonly PromotionRow[],
): Promise<void> {
  for (const promotion of promotions) {
    await hub.records.promotions.add(promotion)
    const { id, app, build, environment, state, requestedBy, liftWithdrawal, overrideReason } = promotion
    const asked = {
      state,
      requestedBy,
      liftWithdrawal: liftWithdrawal === 1,
      override: overrideReason !== null,
    }
    await recordChange(hub.records, hub.clock, {
      ...{ type: 'promotion.requested', subject: id, app, build, environment, reason: overrideReason },
      after: { ...asked, ...setFact(promotions) },
    })
  }
}

export type Move = Partial<PromotionRow> & { readonly state: PromotionState }

/**
 * Moves promotions that go together on. To the state in which they are already nothing is moved, but what is said of them
 * may change. Belongs into a transaction.
 * @throws {Error} for a move that the table does not have: a fault of ours.
 */
export async function movePromotions(
  hub: Pick<Hub, 'records' | 'clock'>,
  promotions: readonly PromotionRow[],
  moveOf: (promotion: PromotionRow) => Move,
): Promise<readonly PromotionRow[]> {
  const moved: PromotionRow[] = []
  for (const promotion of promotions)
    moved.push(await movePromotion(hub, promotion, moveOf(promotion), setFact(promotions)))
  return moved
}

async function movePromotion(
  hub: Pick<Hub, 'records' | 'clock'>,
  promotion: PromotionRow,
  move: Move,
  set: ReturnType<typeof setFact>,
): Promise<PromotionRow> {
  const from = promotion.state as PromotionState
  const mayMoveTo: readonly PromotionState[] = PROMOTION_MOVES[from]
  if (!mayMoveTo.includes(move.state)) throw new Error(`a promotion cannot go from ${from} to ${move.state}`)
  const isEnd = PROMOTION_MOVES[move.state].length === 0
  const moved = { ...promotion, ...move, finishedAt: isEnd ? timestamp(hub.clock.now()) : null }
  const { id, app, build, environment, state, releaseId, revision, detail, policyVersion } = moved
  const { supersededBy, finishedAt } = moved
  const kept = { state, finishedAt, releaseId, revision, detail, policyVersion, supersededBy }
  await hub.records.promotions.update(id, kept)
  if (from === state && from !== 'publishing') return moved
  await recordChange(hub.records, hub.clock, {
    ...{ type: 'promotion.moved', subject: id, app, build, environment },
    before: { state: from },
    after: { state, detail, releaseId, revision, policyVersion, supersededBy, ...set },
  })
  return moved
}

/** What approvals are kept under: of a release set they are all of its first promotion. */
export function keyOf({ id, setId }: Pick<PromotionRow, 'id' | 'setId'>): string {
  return setId ?? id
}

/** Who skips the waiting of this promotion; null: nobody. */
export function overrideOf({ overrideBy: by, overrideReason: reason }: PromotionRow): Override | null {
  return by === null || reason === null ? null : { by, reason }
}
