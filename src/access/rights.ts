/** Who may do what: the one table. Pages, API and the addresses that Portage uses all ask here. */
import { HubError } from '../errors.ts'

export const ROLES = ['administrator', 'uploader', 'promoter', 'approver', 'enrol', 'node', 'reader'] as const
export type Role = (typeof ROLES)[number]

/** Who makes a request. */
export interface Principal {
  readonly tokenId: string
  /** The token's name: what records and commits say. */
  readonly name: string
  readonly role: Role
  /** null: all. */
  readonly apps: readonly string[] | null
  readonly environments: readonly string[] | null
  /** The node that it is, or, for enrolment, the only one that it may enrol; null: none in particular. */
  readonly node: string | null
  /** Whether an upload may bring what nodes run as root: commands of a recipe, an ebuild of its own. */
  readonly maySendCommands: boolean
}

export type Right =
  | { readonly to: 'administer' }
  | { readonly to: 'upload'; readonly app: string }
  /** To send bytes before it is said of which app they are. */
  | { readonly to: 'begin uploads' }
  /** Results of checks that a program made. */
  | { readonly to: 'report checks of'; readonly app: string }
  /** The result of a check that a person made: not the word of a CI's token. */
  | { readonly to: 'vouch for'; readonly app: string }
  | { readonly to: 'promote'; readonly environment: string }
  /** To say yes or no to what somebody else asked for; the policy names the roles that count. */
  | { readonly to: 'approve'; readonly environment: string }
  /** Overlay, distfiles and releases of an environment. */
  | { readonly to: 'read'; readonly environment: string }
  /** To make a node of an environment. */
  | { readonly to: 'enrol'; readonly environment: string }
  /** What a node does for itself: its report, its restore points, its binary packages. */
  | { readonly to: 'act as node'; readonly node: string }
  /** The inventory: which nodes there are, and what they run. */
  | { readonly to: 'see nodes'; readonly environment: string }

type Rule = (principal: Principal, right: Right) => boolean

const inEnvironment = (principal: Principal, right: Right): boolean =>
  'environment' in right && isWithin(principal.environments, right.environment)

const RIGHTS: Readonly<Record<Role, Rule>> = {
  administrator: () => true,
  uploader: (principal, right) =>
    ((right.to === 'upload' || right.to === 'report checks of') && isWithin(principal.apps, right.app)) ||
    (right.to === 'begin uploads' && principal.apps?.length !== 0),
  promoter: (principal, right) =>
    right.to === 'read' ||
    right.to === 'see nodes' ||
    (right.to === 'vouch for' && principal.environments?.length !== 0) ||
    ((right.to === 'promote' || right.to === 'approve') && inEnvironment(principal, right)),
  approver: (principal, right) =>
    right.to === 'read' ||
    right.to === 'see nodes' ||
    (right.to === 'vouch for' && principal.environments?.length !== 0) ||
    (right.to === 'approve' && inEnvironment(principal, right)),
  // Not of everywhere: an enrolment is for one environment.
  enrol: (principal, right) =>
    right.to === 'enrol' && principal.environments !== null && inEnvironment(principal, right),
  node: (principal, right) =>
    (right.to === 'read' && inEnvironment(principal, right)) ||
    (right.to === 'act as node' && right.node === principal.node) ||
    // Large files of its restore points.
    (right.to === 'begin uploads' && principal.node !== null),
  reader: (principal, right) =>
    (right.to === 'read' || right.to === 'see nodes') && inEnvironment(principal, right),
}

export function may(principal: Principal, right: Right): boolean {
  return RIGHTS[principal.role](principal, right)
}

/** @throws {HubError} `auth.forbidden`, which names what the token lacks. */
export function demand(principal: Principal, right: Right): void {
  if (may(principal, right)) return
  throw new HubError(
    'auth.forbidden',
    `the ${principal.role} token "${principal.name}" may not ${right.to}${objectOf(right)}; ask an administrator for one that may`,
  )
}

function objectOf(right: Right): string {
  if ('environment' in right) return ` in ${right.environment}`
  if ('app' in right) return ` ${right.app}`
  return 'node' in right ? ` ${right.node}` : ''
}

/** Which builds somebody may see: those of some apps, or those released in some environments; null: no limit. */
export interface Sight {
  readonly apps: readonly string[] | null
  readonly environments: readonly string[] | null
}

/** Uploaders see the builds of their apps; nodes and readers what their environments have released; an enrolment none. */
export function sightOf(principal: Principal): Sight {
  switch (principal.role) {
    case 'administrator':
    case 'promoter':
    case 'approver':
      return { apps: null, environments: null }
    case 'uploader':
      return { apps: principal.apps, environments: null }
    case 'enrol':
      return { apps: [], environments: [] }
    case 'node':
    case 'reader':
      return { apps: null, environments: principal.environments }
  }
}

function isWithin(scope: readonly string[] | null, name: string): boolean {
  return scope === null || scope.includes(name)
}
