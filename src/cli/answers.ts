/** The API's answers as the commands read them: the types of what the routes send. */
import type { auditJson } from '../http/audit-routes.ts'
import type { Verdict } from '../environments/eligibility.ts'
import type { checkJson } from '../http/check-routes.ts'
import type { keysJson } from '../http/key-json.ts'
import type { policyJson } from '../http/policy-routes.ts'
import type { personJson } from '../http/people-routes.ts'
import type { deliveryJson, webhookJson } from '../http/webhook-routes.ts'
import type { trustJson } from '../http/trust-routes.ts'
import type { storedPointJson } from '../http/restore-point-routes.ts'
import type {
  appJson,
  approvalJson,
  buildJson,
  environmentJson,
  environmentRollbackJson,
  holdJson,
  nodeReportJson,
  nodeStatusJson,
  pinJson,
  pointJson,
  promotionJson,
  publishedJson,
  publishedTogetherJson,
  releaseJson,
  revisionJson,
  rollbackJson,
  tokenJson,
} from '../http/representations.ts'

export type AuditAnswer = ReturnType<typeof auditJson>
export type WebhookAnswer = ReturnType<typeof webhookJson>
export type DeliveryAnswer = ReturnType<typeof deliveryJson>
export type TrustAnswer = Omit<ReturnType<typeof trustJson>, 'id'> & {
  /** null in a dry run. */
  readonly id: string | null
}
export type AppAnswer = ReturnType<typeof appJson>
export type BuildAnswer = ReturnType<typeof buildJson>
export type VerdictAnswer = Verdict
export type PolicyAnswer = ReturnType<typeof policyJson>
export type CheckAnswer = ReturnType<typeof checkJson>
export type RecordedCheckAnswer = CheckAnswer & { readonly warnings: readonly string[] }
export type EnvironmentAnswer = ReturnType<typeof environmentJson>
export type EnvironmentRollbackAnswer = Omit<ReturnType<typeof environmentRollbackJson>, 'id'> & {
  /** null in a dry run. */
  readonly id: string | null
}
export type HoldAnswer = ReturnType<typeof holdJson>
export type NodeAnswer = ReturnType<typeof nodeStatusJson>
export type NodeDetailAnswer = NodeAnswer & {
  readonly neverRehearsed: readonly string[]
  readonly report: ReturnType<typeof nodeReportJson>
}
export type RestorePointAnswer = ReturnType<typeof pointJson>
export type StoredPointAnswer = ReturnType<typeof storedPointJson>
export type RollbackAnswer = ReturnType<typeof rollbackJson>
export type PromotionAnswer = ReturnType<typeof promotionJson>
export type WholePromotionAnswer = PromotionAnswer & {
  readonly approvals: readonly ReturnType<typeof approvalJson>[]
  /** null where it has come to its end. */
  readonly rules: VerdictAnswer['rules'] | null
}
export type ReleaseAnswer = ReturnType<typeof releaseJson>
export type RevisionAnswer = ReturnType<typeof revisionJson>
export type PersonAnswer = ReturnType<typeof personJson>
export type TokenAnswer = ReturnType<typeof tokenJson>
export type KeyAnswer = Awaited<ReturnType<typeof keysJson>>[number]
export type PinAnswer = ReturnType<typeof pinJson>
export type PublishedTogetherAnswer = ReturnType<typeof publishedTogetherJson>
export type PublishedAnswer = NonNullable<ReturnType<typeof publishedJson>>

/** The lines that say which paths of an overlay a change writes or removes. */
export function changeLines(published: Pick<PublishedAnswer, 'changes'>): readonly string[] {
  return published.changes.map(({ path, action }) => `  ${action === 'remove' ? '-' : '+'} ${path}`)
}
