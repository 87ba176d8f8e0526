/** Who may do what: the one table. Pages, API and the addresses that Portage uses all ask here. */
import { HubError } from '../errors.ts'

export const ROLES = [
  'administrator',
  'release-manager',
  'approver',
  'developer',
  'reader',
  'node',
  'enrol',
] as const
export type Role = (typeof ROLES)[number]

/** What roles were called before; whoever still says so means the same. */
const FORMER_NAMES: Readonly<Record<string, Role>> = { promoter: 'release-manager', uploader: 'developer' }

/** The name that a role has now; any other text as it is. */
export function presentName(role: string): string {
  return Object.hasOwn(FORMER_NAMES, role) ? (FORMER_NAMES[role] ?? role) : role
}

/** Some apps in some environments; null: all of them, now and later. */
export interface Reach {
  readonly apps: readonly string[] | null
  readonly environments: readonly string[] | null
}

/** A role, and where it holds. */
export interface Grant extends Reach {
  readonly role: Role
}

/** By what a grant of each role is bounded; for the others any bound would be a promise that nobody keeps. */
export const BOUNDS: Readonly<Record<Role, readonly (keyof Reach)[]>> = {
  administrator: [],
  'release-manager': ['apps', 'environments'],
  approver: ['apps', 'environments'],
  developer: ['apps'],
  reader: ['apps', 'environments'],
  node: ['environments'],
  enrol: ['environments'],
}

/** Who makes a request. */
export interface Principal {
  readonly kind: 'token' | 'person'
  /** Of the token (`tok_…`) or of the person (`prs_…`). */
  readonly id: string
  /** What records and commits say. */
  readonly name: string
  /** Of a token it is one. */
  readonly grants: readonly Grant[]
  /** The node that it is, or, for enrolment, the only one that it may enrol; null: none in particular. */
  readonly node: string | null
  /** Whether an upload may bring what nodes run as root: commands of a recipe, an ebuild of its own. */
  readonly maySendCommands: boolean
  /** Who is behind it: the id of a person, or of the token that stands for one. Whoever has two tokens has one owner. */
  readonly owner: string
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
  | { readonly to: 'promote'; readonly app: string; readonly environment: string }
  /** To say yes or no to what somebody else asked for; the policy names the roles that count. */
  | { readonly to: 'approve'; readonly app: string; readonly environment: string }
  /** All that an environment publishes: its overlay and distfiles, whose apps nobody can tell apart. */
  | { readonly to: 'read'; readonly environment: string }
  /** What becomes of an app in an environment: releases, promotions, holds. null: of some app; no more is asked. */
  | { readonly to: 'see'; readonly app: string | null; readonly environment: string }
  /** To make a node of an environment. */
  | { readonly to: 'enrol'; readonly environment: string }
  /** What a node does for itself: its report, its restore points, its binary packages. */
  | { readonly to: 'act as node'; readonly node: string }
  /** The inventory: which nodes there are, and all that they run. */
  | { readonly to: 'see nodes'; readonly environment: string }

type Rule = (grant: Grant, right: Right, principal: Principal) => boolean

/** Whether the grant holds where the right is asked for. A right that names no app is of all of them. */
function holdsFor({ apps, environments }: Grant, right: Right): boolean {
  const isOfApp = 'app' in right && right.app !== null ? isWithin(apps, right.app) : apps === null
  return isOfApp && (!('environment' in right) || isWithin(environments, right.environment))
}

/** The same wherever it is: who decides on an app in one environment compares it with the others. */
function holdsAnywhere(grant: Grant, right: Right): boolean {
  return holdsFor({ ...grant, environments: null }, right)
}

const isNowhere = ({ apps, environments }: Reach): boolean => apps?.length === 0 || environments?.length === 0

const DECIDING: Rule = (grant, right) =>
  ((right.to === 'read' || right.to === 'see nodes' || right.to === 'vouch for') &&
    !isNowhere(grant) &&
    holdsAnywhere(grant, right)) ||
  (right.to === 'approve' && holdsFor(grant, right))

const RIGHTS: Readonly<Record<Role, Rule>> = {
  administrator: () => true,
  'release-manager': (grant, right, principal) =>
    DECIDING(grant, right, principal) || (right.to === 'promote' && holdsFor(grant, right)),
  approver: DECIDING,
  developer: (grant, right) =>
    ((right.to === 'upload' || right.to === 'report checks of') && holdsFor(grant, right)) ||
    (right.to === 'begin uploads' && grant.apps?.length !== 0),
  reader: (grant, right) => (right.to === 'read' || right.to === 'see nodes') && holdsFor(grant, right),
  node: (grant, right, { node }) =>
    (right.to === 'read' && holdsFor(grant, right)) ||
    (right.to === 'act as node' && right.node === node) ||
    // Large files of its restore points.
    (right.to === 'begin uploads' && node !== null),
  // Not of everywhere: an enrolment is for one environment.
  enrol: (grant, right) => right.to === 'enrol' && grant.environments !== null && holdsFor(grant, right),
}

export function may(principal: Principal, right: Right): boolean {
  return principal.grants.some((grant) =>
    right.to === 'see' ? sees(grant, right) : RIGHTS[grant.role](grant, right, principal),
  )
}

/** @throws {HubError} `auth.forbidden`, which names what the principal lacks. */
export function demand(principal: Principal, right: Right): void {
  if (may(principal, right)) return
  const { kind, name } = principal
  const who = kind === 'person' ? name : `the ${roleText(principal)} token "${name}"`
  const next = kind === 'person' ? 'for the right to' : 'for one that may'
  throw new HubError(
    'auth.forbidden',
    `${who} may not ${right.to}${objectOf(right)}; ask an administrator ${next}`,
  )
}

function objectOf(right: Right): string {
  if ('node' in right) return ` ${right.node}`
  const app = 'app' in right && right.app !== null ? ` ${right.app}` : ''
  return 'environment' in right ? `${app} in ${right.environment}` : app
}

/** The roles that somebody has for an app in an environment: which of them count, a policy says. */
export function rolesIn(
  { grants }: Pick<Principal, 'grants'>,
  { app, environment }: { readonly app: string; readonly environment: string },
): readonly Role[] {
  const holding = grants.filter(
    (grant) => isWithin(grant.apps, app) && isWithin(grant.environments, environment),
  )
  return [...new Set(holding.map(({ role }) => role))]
}

/** All roles of somebody, wherever they hold: `developer`, `reader approver`, `nothing`. */
export function roleText({ grants }: Pick<Principal, 'grants'>): string {
  return [...new Set(grants.map(({ role }) => role))].join(' ') || 'nothing'
}

/** Whether it is a token with which machines become nodes: it is shown to one address and used once. */
export function isEnrolment({ grants }: Pick<Principal, 'grants'>): boolean {
  return grants.some(({ role }) => role === 'enrol')
}

/**
 * What somebody may see: builds of the apps of a reach, if they are or were released in one of its environments (null: if
 * they are released or not), and what became of these apps there. Anything within one of the reaches is seen.
 */
export type Sight = readonly Reach[]

export const EVERYTHING: Sight = [{ apps: null, environments: null }]

/** Developers see their apps; nodes and readers what their environments have released; an enrolment nothing. */
export function sightOf({ grants }: Pick<Principal, 'grants'>): Sight {
  const sight = grants.flatMap((grant) => reachSeen(grant) ?? [])
  return sight.some(({ apps, environments }) => apps === null && environments === null) ? EVERYTHING : sight
}

/** Whether an app in an environment is in sight. */
export function isInSight(sight: Sight, app: string, environment: string): boolean {
  return sight.some((reach) => isWithin(reach.apps, app) && isWithin(reach.environments, environment))
}

function reachSeen(grant: Grant): Reach | null {
  const { role, apps, environments } = grant
  if (isNowhere(grant)) return null
  switch (role) {
    case 'administrator':
      return { apps: null, environments: null }
    case 'release-manager':
    case 'approver':
    case 'developer':
      return { apps, environments: null }
    case 'reader':
    case 'node':
      return { apps, environments }
    case 'enrol':
      return null
  }
}

function sees(grant: Grant, { app, environment }: Extract<Right, { to: 'see' }>): boolean {
  const reach = reachSeen(grant)
  return (
    reach !== null && (app === null || isWithin(reach.apps, app)) && isWithin(reach.environments, environment)
  )
}

function isWithin(scope: readonly string[] | null, name: string): boolean {
  return scope === null || scope.includes(name)
}
