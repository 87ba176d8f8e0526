/** Hosts that the hub's own script made nodes, and the program that its overlay brought them. */
import type { TestHub } from '../../support/test-hub.ts'
import { openNode } from './gentoo-node.ts'
import type { GentooNode } from './gentoo-node.ts'

/** A checkout's Portage is no module that Python finds by itself. */
export const MODULE = [
  'PYTHONPATH=/usr/lib/portage-under-test/lib',
  'PORTAGE_USERNAME=root',
  'PORTAGE_GRPNAME=root',
]

/** A host that is the node `name` of staging. */
export async function enrolledNode(hub: TestHub, name: string): Promise<GentooNode> {
  const node = await openNode(name)
  await enrolAs(node, hub, name, await hub.token('enrol', { environments: ['staging'] }))
  return node
}

/** Runs the hub's script on a host, and gives what that printed. */
export async function enrolAs(node: GentooNode, hub: TestHub, name: string, token: string): Promise<string> {
  const script = 'curl -fsS "$1/enroll.sh" | sh -s -- --environment staging --name "$2" --token "$3" --yes'
  return await node.bash(script, hub.url, name, token)
}

/** Runs the program as it was installed, and gives what it printed. @throws {Error} if it fails. */
export async function hubNode(node: GentooNode, ...args: readonly string[]): Promise<string> {
  return await node.must('env', ...MODULE, 'hub-node', ...args)
}
