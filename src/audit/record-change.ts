import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { AuditRow } from '../records/audit.ts'
import type { Records } from '../records/records.ts'
import { currentActor } from './actor.ts'
import { hashOf } from './chain.ts'
import type { Change } from './changes.ts'

/**
 * Appends the change to the audit, as made by whoever acts now. Belongs into the transaction that makes the change: one
 * is not there without the other.
 */
export async function recordChange(
  records: Pick<Records, 'audit'>,
  clock: Hub['clock'],
  change: Change,
): Promise<AuditRow> {
  const actor = currentActor()
  const now = clock.now()
  const head = await records.audit.head()
  const unhashed: Omit<AuditRow, 'hash'> = {
    ...{
      seq: head.seq + 1,
      id: newId('aud', now),
      at: timestamp(now),
      type: change.type,
      subject: change.subject,
    },
    ...{ app: change.app ?? null, build: change.build ?? null },
    ...{ environment: change.environment ?? null, node: change.node ?? null },
    ...{ actor: actor.name, actorRole: actor.role, actorId: actor.id },
    ...{ address: actor.address, requestId: actor.requestId, reason: change.reason ?? null },
    ...{ before: textOf(change.before), after: textOf(change.after), previousHash: head.hash },
  }
  const row = { ...unhashed, hash: hashOf(unhashed) }
  await records.audit.append(row)
  return row
}

function textOf(facts: Change['before']): string | null {
  return facts === undefined || facts === null ? null : JSON.stringify(facts)
}
