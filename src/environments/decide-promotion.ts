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
import { isOpen, movePromotion } from './promotion.ts'
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
 * person is the same approval, whichever token it comes with. Then the promotion goes as far as it can.
 * @throws {HubError} `promotion.unknown`; `promotion.ended`; `promotion.own_request` for whoever asked for it, or uploaded
 *   what the policy asked for; `promotion.approval_forbidden` for a role that the policy does not name.
 */
export async function approvePromotion(
  hub: Needs,
  { id, by, reason, dryRun }: Decision,
): Promise<ApprovalRow> {
  const { environment, app } = await findPromotion(hub, id)
  const approval = await takeTurn(hub, { environment, app }, async () => {
    const promotion = await findOpenPromotion(hub, id)
    const { version, role } = await refuseApprover(hub, promotion, by)
    const now = hub.clock.now()
    const given = await hub.records.approvals.find({
      promotion: id,
      owner: by.owner,
      policyVersion: version,
    })
    if (given) return given
    const approval: ApprovalRow = {
      ...{ id: newId('apr', now), promotion: id, by: by.name, approver: by.id, owner: by.owner, role },
      ...{ policyVersion: version, comment: reason, at: timestamp(now) },
    }
    if (!dryRun)
      await hub.records.transaction(async (records) => {
        await records.approvals.add(approval)
        const { build } = promotion
        const change = { type: 'promotion.approved', subject: id, app, build, environment } as const
        await recordChange(records, hub.clock, { ...change, reason, after: { policyVersion: version } })
      })
    return approval
  })
  if (!dryRun) await carryOnQuietly(hub, id)
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
  const { environment, app } = await findPromotion(hub, id)
  return await takeTurn(hub, { environment, app }, async () => {
    const promotion = await findOpenPromotion(hub, id)
    return dryRun ? { ...promotion, state, detail } : await movePromotion(hub, promotion, { state, detail })
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

async function findOpenPromotion(hub: Pick<Hub, 'records'>, id: string): Promise<PromotionRow> {
  const promotion = await findPromotion(hub, id)
  if (isOpen(promotion)) return promotion
  throw new HubError(
    'promotion.ended',
    `${id} is ${promotion.state} since ${promotion.finishedAt ?? 'just now'}: ask for a new one`,
  )
}

async function refuseApprover(
  hub: Pick<Hub, 'records' | 'config'>,
  promotion: PromotionRow,
  by: Principal,
): Promise<{ readonly version: number; readonly role: Role }> {
  const { policy, version } = await currentPolicy(hub, promotion.environment)
  const { count, roles } = policy.approvals
  const role = rolesIn(by, promotion).find((one) => roles.includes(one))
  if (count === 0 || role === undefined) {
    const who = count === 0 ? 'the policy asks for no approval' : `the policy asks for ${roles.join(' or ')}`
    throw new HubError(
      'promotion.approval_forbidden',
      `${by.name} (${roleText(by)}) does not approve here: ${who}`,
    )
  }
  if (promotion.requestedOwner === by.owner || promotion.overrideOwner === by.owner)
    throw new HubError(
      'promotion.own_request',
      `whoever is behind ${by.name} asked for this promotion, or uploaded its build: somebody else must approve it`,
    )
  return { version, role }
}

/** The approval is kept whatever comes of the promotion, which says itself how it ended. */
async function carryOnQuietly(hub: Needs, id: string): Promise<void> {
  const promotion = await findPromotion(hub, id)
  const build = await hub.records.builds.find(promotion.app, promotion.build)
  if (!build) return
  try {
    await carryOn(hub, promotion, build)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
  }
}
