/** Enrolment: a machine gets its name, its environment and a token of its own. */
import { may } from '../access/rights.ts'
import type { Principal } from '../access/rights.ts'
import { draftToken } from '../access/tokens.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { NodeRow } from '../records/nodes.ts'
import type { Records } from '../records/records.ts'
import type { NodeName } from './node-name.ts'

export interface Enrolment {
  readonly name: NodeName
  readonly environment: string
  /** systemd's or D-Bus's id of the machine; null where it has none. */
  readonly machineId: string | null
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
 * requests with one token only the first makes a node.
 * @throws {HubError} `node.exists`; `auth.forbidden` for a token that is for another node; `auth.invalid` for one that
 *   was used meanwhile.
 */
export async function enrolNode(
  hub: Pick<Hub, 'records' | 'clock'>,
  enrolment: Enrolment,
): Promise<Enrolled> {
  const { name, environment, by } = enrolment
  if (by.role === 'enrol' && by.node !== null && by.node !== name)
    throw new HubError('auth.forbidden', `this token enrols ${by.node} and no other node`)
  const now = hub.clock.now()
  const { secret, row } = draftToken(now, {
    ...{ name: `node ${name}`, role: 'node', apps: null, environments: [environment], node: name },
    ...{ maySendCommands: false, expiresInSec: null, by: by.name },
  })
  const node: NodeRow = {
    ...{ name, environment, machineId: enrolment.machineId, tokenId: row.id },
    ...{
      enrolledBy: by.name,
      enrolledWith: by.tokenId,
      enrolledAt: timestamp(now),
      leftAt: null,
      reportedAt: null,
      syncedCommit: null,
    },
  }
  if (enrolment.dryRun) {
    checkName(await hub.records.nodes.find(name), enrolment)
    return { node, secret: null }
  }
  await hub.records.transaction(async (records) => {
    checkName(await records.nodes.find(name), enrolment)
    if (by.role === 'enrol') await useUp(records, by, timestamp(now))
    await records.tokens.add(row)
    await records.nodes.put(node)
  })
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

async function useUp(records: Records, { tokenId }: Principal, at: string): Promise<void> {
  if (await records.tokens.useUp(tokenId, at)) return
  throw new HubError('auth.invalid', 'this enrolment token was used already; ask for a new one')
}
