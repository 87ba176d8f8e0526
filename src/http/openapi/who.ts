/**
 * Who may call which route, in the words of docs/api.md: each operation names one of these, the document carries its roles
 * as `x-roles`, and a test tries every operation with every role. The rights themselves are `access/rights.ts`.
 */
import type { Role } from '../../access/rights.ts'

export interface Callers {
  /** Whoever has none of these is refused; null: no token is needed. */
  readonly roles: readonly Role[] | null
  /** By what the roles are bound: whoever has one of these for another app, environment or node only may not. */
  readonly bounds?: Readonly<Partial<Record<'app' | 'environment' | 'node', readonly Role[]>>>
  readonly says: string
}

const EVERYBODY = ['administrator', 'release-manager', 'approver', 'developer', 'reader', 'node'] as const
const READERS = ['administrator', 'release-manager', 'approver', 'reader', 'node'] as const

export const WHO = {
  anyone: { roles: null, says: 'anyone; no token is needed.' },
  'any token': { roles: EVERYBODY, says: 'any token; what is listed is what the token may see.' },
  'any token at all': { roles: [...EVERYBODY, 'enrol'], says: 'any token, one for an enrolment too.' },
  sees: {
    roles: EVERYBODY,
    bounds: {
      ...{ app: ['release-manager', 'approver', 'developer', 'reader'], environment: ['reader'] },
      node: ['node'],
    },
    says: 'who sees the app: of their apps, a developer, release manager and approver every one, a reader and a node what their environments have or had released.',
  },
  reads: {
    roles: READERS,
    bounds: { app: ['release-manager', 'approver', 'reader'], environment: ['reader'], node: ['node'] },
    says: 'administrator; release manager, approver, reader and node who are not limited to some apps; reader and node for their environments.',
  },
  'sees there': {
    roles: EVERYBODY,
    bounds: { environment: ['reader'], node: ['node'] },
    says: 'who sees any app there; what is listed is what they may see.',
  },
  uploads: {
    roles: ['administrator', 'developer'],
    bounds: { app: ['developer'] },
    says: 'administrator; developer for their apps.',
  },
  'sends bytes': {
    roles: ['administrator', 'developer', 'node'],
    says: 'administrator; a developer who may upload some app; a node.',
  },
  'began it': {
    roles: ['administrator', 'developer', 'node'],
    bounds: { app: ['developer'], node: ['node'] },
    says: 'who began the upload, and administrators.',
  },
  'reports checks': {
    roles: ['administrator', 'developer', 'release-manager', 'approver'],
    bounds: { app: ['developer', 'release-manager', 'approver'] },
    says: 'administrator; developer for their apps; for the stage `manual` administrator, release manager and approver for their apps.',
  },
  promotes: {
    roles: ['administrator', 'release-manager'],
    bounds: { app: ['release-manager'], environment: ['release-manager'] },
    says: 'administrator; release manager for their apps and environments.',
  },
  'promotes everywhere': {
    roles: ['administrator', 'release-manager'],
    bounds: { app: ['release-manager'], environment: ['release-manager'] },
    says: 'administrator; release manager of the app in all environments.',
  },
  approves: {
    roles: ['administrator', 'release-manager', 'approver'],
    bounds: { app: ['release-manager', 'approver'], environment: ['release-manager', 'approver'] },
    says: 'administrator; release manager and approver for their apps and environments. The policy says whose word counts.',
  },
  'is signed in': {
    roles: [],
    says: 'a person who has signed in, with the cookie of the session; changes carry its `csrf` as `X-CSRF-Token`. No token will do.',
  },
  'is the person': { roles: ['administrator'], says: 'administrator; the person, who has signed in.' },
  administers: { roles: ['administrator'], says: 'administrator.' },
  enrols: {
    roles: ['administrator', 'enrol'],
    bounds: { environment: ['enrol'] },
    says: 'administrator; an enrol token for its environment, once.',
  },
  'sees holds': {
    roles: EVERYBODY,
    bounds: {
      ...{ app: ['release-manager', 'approver', 'developer', 'reader'], environment: ['reader'] },
      node: ['node'],
    },
    says: 'who sees the app where it is held.',
  },
  'lists nodes': {
    roles: ['administrator', 'release-manager', 'approver', 'reader', 'node'],
    bounds: { app: ['release-manager', 'approver', 'reader'] },
    says: 'administrator; release manager, approver and reader who are not limited to some apps; what is listed is what they may see: a node itself.',
  },
  'sees nodes': {
    roles: ['administrator', 'release-manager', 'approver', 'reader', 'node'],
    bounds: { app: ['release-manager', 'approver', 'reader'], environment: ['reader'], node: ['node'] },
    says: 'administrator; release manager, approver and reader who are not limited to some apps; reader for their environments; a node sees itself.',
  },
  'is the node': {
    roles: ['administrator', 'node'],
    bounds: { node: ['node'] },
    says: "administrator; the node's own token.",
  },
} as const satisfies Readonly<Record<string, Callers>>

export type Who = keyof typeof WHO
