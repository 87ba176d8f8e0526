/**
 * Who may call which route, in the words of docs/api.md: each operation names one of these, the document carries its roles
 * as `x-roles`, and a test tries every operation with every role. The rights themselves are `access/rights.ts`.
 */
import type { Role } from '../../access/rights.ts'

interface Callers {
  /** Whoever has none of these is refused; null: no token is needed. */
  readonly roles: readonly Role[] | null
  /** The role alone is not enough: what it must be bound to. */
  readonly within?: 'app' | 'environment' | 'node'
  readonly says: string
}

const EVERYBODY = ['administrator', 'uploader', 'promoter', 'approver', 'node', 'reader'] as const
const READERS = ['administrator', 'promoter', 'approver', 'node', 'reader'] as const

export const WHO = {
  anyone: { roles: null, says: 'anyone; no token is needed.' },
  'any token': { roles: EVERYBODY, says: 'any token; what is listed is what the token may see.' },
  'any token at all': { roles: [...EVERYBODY, 'enrol'], says: 'any token, one for an enrolment too.' },
  sees: {
    roles: EVERYBODY,
    says: 'who sees the build: an uploader those of its apps; a node and a reader what their environments have or had released; others every one.',
  },
  reads: {
    roles: READERS,
    within: 'environment',
    says: 'administrator, promoter, approver; node and reader for their environments.',
  },
  uploads: {
    roles: ['administrator', 'uploader'],
    within: 'app',
    says: 'administrator; uploader for its apps.',
  },
  'sends bytes': {
    roles: ['administrator', 'uploader', 'node'],
    says: 'administrator; an uploader that may upload some app; a node. An upload is for the token that began it, and for administrators.',
  },
  'reports checks': {
    roles: ['administrator', 'uploader', 'promoter', 'approver'],
    within: 'app',
    says: 'administrator; uploader for its apps; for the stage `manual` administrator, promoter, approver.',
  },
  promotes: {
    roles: ['administrator', 'promoter'],
    within: 'environment',
    says: 'administrator; promoter for its environments.',
  },
  approves: {
    roles: ['administrator', 'promoter', 'approver'],
    within: 'environment',
    says: 'administrator; promoter and approver for their environments. The policy says whose word counts.',
  },
  administers: { roles: ['administrator'], says: 'administrator.' },
  enrols: {
    roles: ['administrator', 'enrol'],
    within: 'environment',
    says: 'administrator; an enrol token for its environment, once.',
  },
  'sees nodes': {
    roles: ['administrator', 'promoter', 'approver', 'reader', 'node'],
    within: 'environment',
    says: 'administrator, promoter, approver; reader for its environments; a node sees itself.',
  },
  'is the node': {
    roles: ['administrator', 'node'],
    within: 'node',
    says: "administrator; the node's own token.",
  },
} as const satisfies Readonly<Record<string, Callers>>

export type Who = keyof typeof WHO
