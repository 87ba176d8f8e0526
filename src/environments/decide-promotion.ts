/** What people say of a promotion that waits: approved, rejected, taken back. */
import { recordChange } from '../audit/record-change.ts'
import { roleText, rolesIn } from '../access/rights.ts'
import type { Principal, Role } from '../access/rights.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { ApprovalRow } from '../records/approvals.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { currentPolicy } from './environment-policy.ts'
import { isOpen, keyOf, movePromotions } from './promotion.ts'
import { carryOn, takeTurn } from './promote.ts'

type Needs = Parameters<typeof carryOn>[0]

export interface Decision {
  readonly id: string
  readonly by: Principal
  /** Why; null: nothing is said. */
  readonly reason: string | null
  readonly dryRun: boolean
}

/**
 * Approves a promotion, by the policy that holds now: another policy needs another approval. Once more by the same
 * person is the same approval, whichever token it comes with. Of a release set it is one approval of all. Then the
 * promotion goes as far as it can.
 * @throws {HubError} `promotion.unknown`; `promotion.ended`; `promotion.own_request` for whoever asked for it, or uploaded
 *   what the policy asked for; `promotion.approval_forbidden` for a role that the policy does not name.
 */
export async function approvePromotion(
  hub: Needs,
  { id, by, reason, dryRun }: Decision,
): Promise<ApprovalRow> {
  const asked = await findPromotion(hub, id)
  const approval = await inTurn(hub, asked, async (promotions) => {
    const { version, role } = await refuseApprover(hub, promotions, by)
    const now = hub.clock.now()
    const promotion = keyOf(asked)
    const given = await hub.records.approvals.find({ promotion, owner: by.owner, policyVersion: version })
    if (given) return given
    const approval: ApprovalRow = {
      ...{ id: newId('apr', now), promotion, by: by.name, approver: by.id, owner: by.owner, role },
      ...{ policyVersion: version, comment: reason, at: timestamp(now) },
    }
    if (!dryRun)
      await hub.records.transaction(async (records) => {
        await records.approvals.add(approval)
        for (const { id: subject, app, build, environment } of promotions) {
          const change = { type: 'promotion.approved', subject, app, build, environment } as const
          await recordChange(records, hub.clock, { ...change, reason, after: { policyVersion: version } })
        }
      })
    return approval
  })
  if (!dryRun) hub.steps.reached('promotion.approved')
  if (!dryRun) await carryOnQuietly(hub, asked)
  return approval
}

/** @throws {HubError} as `approvePromotion`, but whoever asked for it may reject it too. */
export async function rejectPromotion(hub: Needs, decision: Decision): Promise<PromotionRow> {
  return await end(hub, decision, 'refused', `Rejected by ${decision.by.name}: ${decision.reason ?? ''}`)
}

/** Takes a wish back. @throws {HubError} `promotion.unknown`; `promotion.ended`. */
export async function cancelPromotion(hub: Needs, decision: Decision): Promise<PromotionRow> {
  return await end(hub, decision, 'cancelled', `Cancelled by ${decision.by.name}: ${decision.reason ?? ''}`)
}

async function end(
  hub: Needs,
  { id, dryRun }: Decision,
  state: 'refused' | 'cancelled',
  detail: string,
): Promise<PromotionRow> {
  const asked = await findPromotion(hub, id)
  await inTurn(hub, asked, async (promotions) => {
    if (!dryRun)
      await hub.records.transaction(
        async (records) => await movePromotions({ ...hub, records }, promotions, () => ({ state, detail })),
      )
  })
  return dryRun ? { ...asked, state, detail } : await findPromotion(hub, id)
}

/**
 * Gives `work` the promotion with all that go together with it, while nobody else moves them.
 * @throws {HubError} `promotion.ended`.
 */
async function inTurn<T>(
  hub: Needs,
  asked: PromotionRow,
  work: (promotions: readonly PromotionRow[]) => Promise<T>,
): Promise<T> {
  const { environment } = asked
  const apps = (await hub.records.promotions.together(asked)).map(({ app }) => app)
  return await takeTurn(hub, { environment, apps }, async () => {
    const promotions = await hub.records.promotions.together(asked)
    for (const promotion of promotions) refuseEnded(promotion)
    return await work(promotions)
  })
}

/** @throws {HubError} `promotion.unknown`. */
export async function findPromotion(hub: Pick<Hub, 'records'>, id: string): Promise<PromotionRow> {
  const promotion = await hub.records.promotions.find(id)
  if (promotion) return promotion
  throw unknownPromotion(id)
}

/** Also for one that is there and not to be seen. */
export function unknownPromotion(id: string): HubError {
  return new HubError('promotion.unknown', `there is no promotion ${JSON.stringify(id.slice(0, 100))}`)
}

function refuseEnded(promotion: PromotionRow): void {
  if (isOpen(promotion)) return
  const { id, state, finishedAt } = promotion
  throw new HubError(
    'promotion.ended',
    `${id} is ${state} since ${finishedAt ?? 'just now'}: ask for a new one`,
  )
}

/** The role that counts, which whoever approves must have for each of them. */
async function refuseApprover(
  hub: Pick<Hub, 'records' | 'config'>,
  promotions: readonly PromotionRow[],
  by: Principal,
): Promise<{ readonly version: number; readonly role: Role }> {
  const { policy, version } = await currentPolicy(hub, promotions[0]?.environment ?? '')
  const { count, roles } = policy.approvals
  const counting = promotions.map((promotion) => rolesIn(by, promotion).find((one) => roles.includes(one)))
  const [role] = counting
  if (count === 0 || role === undefined || counting.includes(undefined)) {
    const who = count === 0 ? 'the policy asks for no approval' : `the policy asks for ${roles.join(' or ')}`
    throw new HubError(
      'promotion.approval_forbidden',
      `${by.name} (${roleText(by)}) does not approve here: ${who}`,
    )
  }
  if (promotions.some((one) => one.requestedOwner === by.owner || one.overrideOwner === by.owner))
    throw new HubError(
      'promotion.own_request',
      `whoever is behind ${by.name} asked for this promotion, or uploaded its build: somebody else must approve it`,
    )
  return { version, role }
}

/** The approval is kept whatever comes of the promotion, which says itself how it ended. */
async function carryOnQuietly(hub: Needs, promotion: PromotionRow): Promise<void> {
  try {
    await carryOn(hub, promotion)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
  }
}
