import { describe, expect, test } from 'vitest'
import { EVERYTHING, isEnrolment, may, rolesIn, roleText, sightOf } from '../../src/access/rights.ts'
import type { Grant, Principal, Reach, Right, Role } from '../../src/access/rights.ts'

const SHOP = { app: 'shop', environment: 'staging' } as const

const RIGHTS: readonly Right[] = [
  { to: 'administer' },
  { to: 'upload', app: 'shop' },
  { to: 'begin uploads' },
  { to: 'report checks of', app: 'shop' },
  { to: 'vouch for', app: 'shop' },
  { to: 'promote', ...SHOP },
  { to: 'approve', ...SHOP },
  { to: 'read', environment: 'staging' },
  { to: 'see', ...SHOP },
  { to: 'see', app: null, environment: 'staging' },
  { to: 'see nodes', environment: 'staging' },
  { to: 'enrol', environment: 'staging' },
  { to: 'act as node', node: 'web1' },
]

const ALL: Reach = { apps: null, environments: null }

function principal(grants: readonly Grant[], node: string | null = null): Principal {
  return { kind: 'token', id: 'tok_1', name: 'x', grants, node, maySendCommands: true, owner: 'tok_1' }
}

const withRole = (role: Role, reach: Partial<Reach> = {}, node: string | null = null): Principal =>
  principal([{ role, ...ALL, ...reach }], node)

const rightsOf = (who: Principal): readonly string[] =>
  RIGHTS.filter((right) => may(who, right)).map((right) =>
    right.to === 'see' && right.app === null ? 'see something' : right.to,
  )

const DECIDES = ['vouch for', 'approve', 'read', 'see', 'see something', 'see nodes']
const MANAGES = ['vouch for', 'promote', 'approve', 'read', 'see', 'see something', 'see nodes']
const DEVELOPS = ['upload', 'begin uploads', 'report checks of', 'see', 'see something']
const ELSEWHERE = ['vouch for', 'read', 'see', 'see something', 'see nodes']

/** What a grant of each role and reach allows in staging, of the app shop, to the node web1. */
test.each<[Role, Partial<Reach>, readonly string[]]>([
  [
    'administrator',
    {},
    RIGHTS.map((right) => (right.to === 'see' && right.app === null ? 'see something' : right.to)),
  ],
  ['release-manager', {}, MANAGES],
  ['release-manager', { environments: ['staging'] }, MANAGES],
  // Who promotes in one environment compares it with the others.
  ['release-manager', { environments: ['production'] }, ELSEWHERE],
  ['release-manager', { environments: [] }, []],
  ['release-manager', { apps: ['shop'] }, ['vouch for', 'promote', 'approve', 'see', 'see something']],
  [
    'release-manager',
    { apps: ['shop'], environments: ['staging'] },
    ['vouch for', 'promote', 'approve', 'see', 'see something'],
  ],
  [
    'release-manager',
    { apps: ['shop'], environments: ['production'] },
    ['vouch for', 'see', 'see something'],
  ],
  ['release-manager', { apps: ['cart'], environments: ['staging'] }, ['see something']],
  ['release-manager', { apps: [] }, []],
  ['approver', {}, DECIDES],
  ['approver', { environments: ['production'] }, ELSEWHERE],
  ['approver', { apps: ['shop'] }, ['vouch for', 'approve', 'see', 'see something']],
  ['approver', { apps: ['cart'] }, ['see something']],
  ['developer', {}, DEVELOPS],
  ['developer', { apps: ['shop'] }, DEVELOPS],
  ['developer', { apps: ['cart'] }, ['begin uploads', 'see something']],
  ['developer', { apps: [] }, []],
  ['reader', {}, ['read', 'see', 'see something', 'see nodes']],
  ['reader', { environments: ['staging'] }, ['read', 'see', 'see something', 'see nodes']],
  ['reader', { environments: ['production'] }, []],
  // An overlay shows all apps: who may see one of them does not get it.
  ['reader', { apps: ['shop'], environments: ['staging'] }, ['see', 'see something']],
  ['reader', { apps: ['cart'], environments: ['staging'] }, ['see something']],
  ['reader', { apps: ['shop'], environments: ['production'] }, []],
  ['node', {}, ['read', 'see', 'see something']],
  ['node', { environments: ['production'] }, []],
  ['node', { environments: [] }, []],
  // Without an environment it could make nodes anywhere: it makes none.
  ['enrol', {}, []],
  ['enrol', { environments: ['staging'] }, ['enrol']],
  ['enrol', { environments: ['production'] }, []],
])('%s of %j may %j', (role, reach, allowed) => {
  expect(rightsOf(withRole(role, reach))).toEqual(allowed)
})

test('an enrolment is no node, and a node is itself alone', () => {
  const bound = withRole('enrol', { environments: ['staging'] }, 'web1')
  expect(may(bound, { to: 'act as node', node: 'web1' })).toBe(false)
  expect([isEnrolment(bound), isEnrolment(withRole('node'))]).toEqual([true, false])
  const node = withRole('node', { environments: ['staging'] }, 'web1')
  expect(may(node, { to: 'act as node', node: 'web1' })).toBe(true)
  expect(may(node, { to: 'act as node', node: 'web2' })).toBe(false)
  expect(may(node, { to: 'begin uploads' })).toBe(true)
})

describe('several grants', () => {
  const both = principal([
    { role: 'developer', apps: ['shop'], environments: null },
    { role: 'release-manager', apps: ['cart'], environments: ['staging'] },
    { role: 'approver', apps: null, environments: ['production'] },
  ])

  test('allow what one of them allows, and do not lend each other their bounds', () => {
    expect(may(both, { to: 'upload', app: 'shop' })).toBe(true)
    expect(may(both, { to: 'upload', app: 'cart' })).toBe(false)
    expect(may(both, { to: 'promote', app: 'cart', environment: 'staging' })).toBe(true)
    expect(may(both, { to: 'promote', app: 'shop', environment: 'staging' })).toBe(false)
    expect(may(both, { to: 'promote', app: 'cart', environment: 'production' })).toBe(false)
    expect(may(both, { to: 'approve', app: 'shop', environment: 'production' })).toBe(true)
  })

  test('are the roles that hold where it is asked', () => {
    expect(rolesIn(both, { app: 'cart', environment: 'staging' })).toEqual(['release-manager'])
    expect(rolesIn(both, { app: 'cart', environment: 'production' })).toEqual(['approver'])
    expect(rolesIn(both, { app: 'shop', environment: 'production' })).toEqual(['developer', 'approver'])
    expect(rolesIn(both, { app: 'desk', environment: 'staging' })).toEqual([])
    expect(roleText(both)).toBe('developer release-manager approver')
    expect(roleText(principal([]))).toBe('nothing')
  })

  test('see what one of them sees; all, where one does', () => {
    expect(sightOf(principal([]))).toEqual([])
    expect(sightOf(both)).toEqual(EVERYTHING)
    expect(sightOf(principal(both.grants.slice(0, 2)))).toEqual([
      { apps: ['shop'], environments: null },
      { apps: ['cart'], environments: null },
    ])
  })
})

test('each role sees builds by apps, by environments or without limit', () => {
  const reach = { apps: ['shop'], environments: ['staging'] }
  expect(sightOf(withRole('administrator', reach))).toEqual(EVERYTHING)
  expect(sightOf(withRole('enrol', reach))).toEqual([])
  for (const role of ['release-manager', 'approver', 'developer'] as const)
    expect(sightOf(withRole(role, reach))).toEqual([{ apps: ['shop'], environments: null }])
  for (const role of ['node', 'reader'] as const) expect(sightOf(withRole(role, reach))).toEqual([reach])
})
