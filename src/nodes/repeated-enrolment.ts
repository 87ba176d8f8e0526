/**
 * An enrolment whose answer was lost is asked for again. The token that asked is used up by then, and may have been seen by
 * others since: only a secret that the caller made before the first request, and sent with it, shows that it is the same one.
 */
import { isEnrolment } from '../access/rights.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { NodeRow } from '../records/nodes.ts'
import type { Records } from '../records/records.ts'
import type { Enrolment } from './enrol-node.ts'

/** An answer that was lost is asked for soon. */
export const REPEATED_WITHIN_SEC = 24 * 3600

/**
 * Whether this is the request that made the node, once more: by the same token and secret, for the same node, before it
 * reported anything, which it could not do without the answer.
 */
export function isRepeated(
  node: NodeRow | undefined,
  { name, environment, machineId, retrySha256, by }: Enrolment,
  now: Date,
): node is NodeRow {
  return (
    node !== undefined &&
    retrySha256 !== null &&
    node.retrySha256 === retrySha256 &&
    node.enrolledWith === by.id &&
    node.name === name &&
    node.environment === environment &&
    node.machineId === machineId &&
    node.leftAt === null &&
    node.reportedAt === null &&
    node.enrolledAt >= timestamp(new Date(now.getTime() - REPEATED_WITHIN_SEC * 1000))
  )
}

/** Before anything is told of nodes that there are. @throws {HubError} `auth.invalid`. */
export async function refuseUsedUp(records: Records, { by }: Pick<Enrolment, 'by'>): Promise<void> {
  if (isEnrolment(by) && (await records.tokens.find(by.id))?.revokedAt !== null) throw usedUp()
}

export function usedUp(): HubError {
  return new HubError('auth.invalid', 'this enrolment token was used already; ask for a new one')
}
