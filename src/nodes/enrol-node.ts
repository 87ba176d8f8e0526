/** Enrolment: a machine gets its name, its environment and a token of its own. */
import { recordChange } from '../audit/record-change.ts'
import { isEnrolment, may } from '../access/rights.ts'
import type { Principal } from '../access/rights.ts'
import { draftToken } from '../access/tokens.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { NodeRow } from '../records/nodes.ts'
import type { Records } from '../records/records.ts'
import type { NodeName } from './node-name.ts'
import { isRepeated, refuseUsedUp, usedUp } from './repeated-enrolment.ts'

export interface Enrolment {
  readonly name: NodeName
  readonly environment: string
  /** systemd's or D-Bus's id of the machine; null where it has none. */
  readonly machineId: string | null
  /** SHA256 of a secret of the caller's, who shows it again when no answer came; null: it has none. */
  readonly retrySha256: string | null
  readonly by: Principal
  readonly dryRun: boolean
}

export interface Enrolled {
  readonly node: NodeRow
  /** The node's token: its only copy. null in a dry run. */
  readonly secret: string | null
}

/**
 * Makes the node and its token in one transaction, which also uses up the enrolment token that asked for it: of two
 * requests with one token only the first makes a node. The same request again, by the same caller, gives the node another
 * token in place of the one that may be lost.
 * @throws {HubError} `node.exists`; `auth.forbidden` for a token that is for another node; `auth.invalid` for one that
 *   was used meanwhile.
 */
export async function enrolNode(
  hub: Pick<Hub, 'records' | 'clock' | 'steps'>,
  enrolment: Enrolment,
): Promise<Enrolled> {
  const { name, environment, by } = enrolment
  if (isEnrolment(by) && by.node !== null && by.node !== name)
    throw new HubError('auth.forbidden', `this token enrols ${by.node} and no other node`)
  const now = hub.clock.now()
  const { secret, row } = draftToken(now, {
    ...{ name: `node ${name}`, role: 'node', apps: null, environments: [environment], node: name },
    ...{ maySendCommands: false, expiresInSec: null, by: by.name, owner: by.owner },
  })
  const made: NodeRow = {
    ...{ name, environment, machineId: enrolment.machineId, tokenId: row.id },
    ...{
      enrolledBy: by.name,
      enrolledWith: by.id,
      retrySha256: enrolment.retrySha256,
      enrolledAt: timestamp(now),
      leftAt: null,
      reportedAt: null,
      syncedCommit: null,
    },
  }
  const judge = async (records: Records): Promise<NodeRow | null> => {
    const before = await records.nodes.find(name)
    if (isRepeated(before, enrolment, now)) return before
    await refuseUsedUp(records, enrolment)
    checkName(before, enrolment)
    return null
  }
  if (enrolment.dryRun) return { node: (await judge(hub.records)) ?? made, secret: null }
  const node = await hub.records.transaction(async (records) => {
    const before = await judge(records)
    if (before) await records.tokens.revoke(before.tokenId, timestamp(now))
    else if (isEnrolment(by)) await useUp(records, by, timestamp(now))
    const enrolled = before ? { ...before, tokenId: row.id } : made
    await records.tokens.add(row)
    await records.nodes.put(enrolled)
    await recordChange(records, hub.clock, {
      ...{ type: 'node.enrolled', subject: name, node: name, environment },
      after: { machineId: enrolment.machineId, token: row.id, again: before !== null },
    })
    return enrolled
  })
  hub.steps.reached('enrol.recorded')
  return { node, secret }
}

/**
 * Whoever has the name has the restore points of that node, dumps included. So a name that was used before goes back to
 * its own machine, or to whom an administrator gave it; a token that enrols any node cannot take it.
 */
function checkName(before: NodeRow | undefined, { name, machineId, by }: Enrolment): void {
  if (!before) return
  if (before.leftAt === null) {
    throw new HubError(
      'node.exists',
      `there is a node ${name} in ${before.environment} already, enrolled at ${before.enrolledAt}: choose another ` +
        `name, or take it away first (DELETE /api/v1/nodes/${name})`,
    )
  }
  const isSameMachine = machineId !== null && machineId === before.machineId
  if (may(by, { to: 'administer' }) || by.node === name || isSameMachine) return
  throw new HubError(
    'node.exists',
    `${name} was another machine until ${before.leftAt}, and its restore points would be this one's: choose another ` +
      'name, or have an administrator make an enrolment token for this very node',
  )
}

async function useUp(records: Records, { id }: Principal, at: string): Promise<void> {
  if (await records.tokens.useUp(id, at)) return
  throw usedUp()
}
