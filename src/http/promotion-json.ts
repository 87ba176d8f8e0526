import { judgePromotion } from '../environments/eligibility.ts'
import { isOpen, keyOf } from '../environments/promotion.ts'
import type { Hub } from '../hub.ts'
import type { PromotionRow } from '../records/promotions.ts'
import { approvalJson, promotionJson } from './representations.ts'

/** Promotions as they are listed, each with the release set that it goes with. */
export async function promotionsJson({ records }: Pick<Hub, 'records'>, promotions: readonly PromotionRow[]) {
  const setIds = new Set(promotions.flatMap(({ setId }) => setId ?? []))
  const members = await records.promotions.ofSets([...setIds])
  return promotions.map((promotion) => {
    const { setId } = promotion
    return promotionJson(
      promotion,
      setId === null ? null : members.filter((member) => member.setId === setId),
    )
  })
}

/** One as it is listed. */
export async function listedPromotionJson(hub: Pick<Hub, 'records'>, promotion: PromotionRow) {
  const members = promotion.setId === null ? null : await hub.records.promotions.together(promotion)
  return promotionJson(promotion, members)
}

/** With who approved it, and, while it is open, the verdict that it waits for. */
export async function wholePromotionJson(hub: Hub, promotion: PromotionRow) {
  const approvals = (await hub.records.approvals.of(keyOf(promotion))).map(approvalJson)
  const rules = isOpen(promotion) ? (await judgePromotion(hub, promotion)).rules : null
  return { ...(await listedPromotionJson(hub, promotion)), approvals, rules }
}
