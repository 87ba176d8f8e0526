import { describe, expect, test } from 'vitest'
import { may, sightOf } from '../../src/access/rights.ts'
import type { Principal, Right, Role } from '../../src/access/rights.ts'

const UNSCOPED: readonly Right[] = [
  { to: 'administer' },
  { to: 'upload', app: 'shop' },
  { to: 'begin uploads' },
  { to: 'promote', environment: 'staging' },
  { to: 'read', environment: 'staging' },
  { to: 'enrol', environment: 'staging' },
  { to: 'act as node', node: 'web1' },
  { to: 'see nodes', environment: 'staging' },
  { to: 'report checks of', app: 'shop' },
  { to: 'vouch for', app: 'shop' },
  { to: 'approve', environment: 'staging' },
]

function principal(role: Role, scope: Partial<Principal> = {}): Principal {
  return {
    tokenId: 'tok_1',
    name: 'somebody',
    role,
    apps: null,
    environments: null,
    node: null,
    maySendCommands: true,
    ...scope,
  }
}

test.each<[Role, readonly boolean[]]>([
  ['administrator', [true, true, true, true, true, true, true, true, true, true, true]],
  ['uploader', [false, true, true, false, false, false, false, false, true, false, false]],
  ['promoter', [false, false, false, true, true, false, false, true, false, true, true]],
  ['approver', [false, false, false, false, true, false, false, true, false, true, true]],
  // Without an environment it could make nodes anywhere: it makes none.
  ['enrol', [false, false, false, false, false, false, false, false, false, false, false]],
  ['node', [false, false, false, false, true, false, false, false, false, false, false]],
  ['reader', [false, false, false, false, true, false, false, true, false, false, false]],
])(
  '%s may administer, upload, begin uploads, promote, read, enrol, act as a node, see nodes, report checks, vouch, approve: %j',
  (role, allowed) => {
    expect(UNSCOPED.map((right) => may(principal(role), right))).toEqual(allowed)
  },
)

describe('a scope', () => {
  test('of apps limits an uploader to them', () => {
    const uploader = principal('uploader', { apps: ['shop'] })
    expect(may(uploader, { to: 'upload', app: 'shop' })).toBe(true)
    expect(may(uploader, { to: 'upload', app: 'desk' })).toBe(false)
  })

  test.each<[Role, 'promote' | 'read']>([
    ['promoter', 'promote'],
    ['node', 'read'],
    ['reader', 'read'],
  ])('of environments limits what a %s may %s', (role, to) => {
    const scoped = principal(role, { environments: ['staging'] })
    expect(may(scoped, { to, environment: 'staging' })).toBe(true)
    expect(may(scoped, { to, environment: 'production' })).toBe(false)
  })

  test('of nothing allows nothing', () => {
    expect(may(principal('node', { environments: [] }), { to: 'read', environment: 'staging' })).toBe(false)
    expect(may(principal('uploader', { apps: [] }), { to: 'upload', app: 'shop' })).toBe(false)
    expect(may(principal('uploader', { apps: [] }), { to: 'begin uploads' })).toBe(false)
    expect(may(principal('uploader', { apps: [] }), { to: 'report checks of', app: 'shop' })).toBe(false)
    expect(may(principal('promoter', { environments: [] }), { to: 'vouch for', app: 'shop' })).toBe(false)
  })

  test('of environments does not keep a promoter from reading: who promotes compares', () => {
    const promoter = principal('promoter', { environments: ['staging'] })
    expect(may(promoter, { to: 'read', environment: 'production' })).toBe(true)
  })
})

test('an enrolment is for its environment, and a node is itself alone', () => {
  const enrolment = principal('enrol', { environments: ['staging'] })
  expect(may(enrolment, { to: 'enrol', environment: 'staging' })).toBe(true)
  expect(may(enrolment, { to: 'enrol', environment: 'production' })).toBe(false)
  expect(may(enrolment, { to: 'read', environment: 'staging' })).toBe(false)
  const bound = principal('enrol', { environments: ['staging'], node: 'web1' })
  expect(may(bound, { to: 'act as node', node: 'web1' })).toBe(false)
  const node = principal('node', { environments: ['staging'], node: 'web1' })
  expect(may(node, { to: 'act as node', node: 'web1' })).toBe(true)
  expect(may(node, { to: 'act as node', node: 'web2' })).toBe(false)
  expect(may(node, { to: 'see nodes', environment: 'staging' })).toBe(false)
})

test('each role sees builds by apps, by environments or without limit', () => {
  const scope = { apps: ['shop'], environments: ['staging'] }
  expect(sightOf(principal('administrator', scope))).toEqual({ apps: null, environments: null })
  expect(sightOf(principal('enrol', scope))).toEqual({ apps: [], environments: [] })
  expect(sightOf(principal('promoter', scope))).toEqual({ apps: null, environments: null })
  expect(sightOf(principal('uploader', scope))).toEqual({ apps: ['shop'], environments: null })
  for (const role of ['node', 'reader'] as const)
    expect(sightOf(principal(role, scope))).toEqual({ apps: null, environments: ['staging'] })
})
