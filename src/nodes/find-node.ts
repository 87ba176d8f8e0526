import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { NodeRow } from '../records/nodes.ts'

/** @throws {HubError} `node.unknown`. */
export async function findNode(hub: Pick<Hub, 'records'>, name: string): Promise<NodeRow> {
  const node = await hub.records.nodes.find(name)
  if (node) return node
  throw new HubError('node.unknown', `there is no node ${JSON.stringify(name.slice(0, 100))}`)
}

/** A node that is enrolled now. @throws {HubError} `node.unknown`; `node.left`. */
export async function findEnrolledNode(hub: Pick<Hub, 'records'>, name: string): Promise<NodeRow> {
  const node = await findNode(hub, name)
  if (node.leftAt === null) return node
  throw new HubError('node.left', `${name} left at ${node.leftAt}; enrol it again first`)
}
