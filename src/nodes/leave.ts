import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import type { NodeRow } from '../records/nodes.ts'
import { findNode } from './find-node.ts'

/**
 * Takes a node out: its token is dead from now on, its records stay and say when it left. A second call changes nothing.
 * @throws {HubError} `node.unknown`.
 */
export async function leave(
  hub: Pick<Hub, 'records' | 'clock'>,
  { name, dryRun }: { readonly name: string; readonly dryRun: boolean },
): Promise<NodeRow> {
  const node = await findNode(hub, name)
  const leftAt = node.leftAt ?? timestamp(hub.clock.now())
  if (!dryRun && node.leftAt === null) {
    await hub.records.transaction(async (records) => {
      await records.tokens.revoke(node.tokenId, leftAt)
      await records.nodes.leave(name, leftAt)
      const change = { type: 'node.left', subject: name, node: name, environment: node.environment } as const
      await recordChange(records, hub.clock, change)
    })
  }
  return { ...node, leftAt }
}
