import { describe, expect, test } from 'vitest'
import type { Principal, Reach, Role } from '../../src/access/rights.ts'
import { CHANGES } from '../../src/audit/changes.ts'
import type { Config } from '../../src/config.ts'
import { AUDIENCES, isAdministration, maySee } from '../../src/events/visibility.ts'

const CONFIG: Pick<Config, 'environments'> = {
  environments: [
    { name: 'staging', promote: 'automatic' },
    { name: 'production', promote: 'request' },
  ],
}

const asker = (role: Role, scope: Partial<Reach> = {}, node: string | null = null): Principal => ({
  ...{ kind: 'token', id: 'tok_1', name: 'x', node, maySendCommands: false, owner: 'tok_1' },
  grants: [{ role, apps: null, environments: null, ...scope }],
})
const ASKERS = {
  administrator: asker('administrator'),
  'developer of shop': asker('developer', { apps: ['shop'] }),
  'developer of cart': asker('developer', { apps: ['cart'] }),
  'release manager of production': asker('release-manager', { environments: ['production'] }),
  'approver of cart': asker('approver', { apps: ['cart'] }),
  'reader of shop in staging': asker('reader', { apps: ['shop'], environments: ['staging'] }),
  'reader of cart in staging': asker('reader', { apps: ['cart'], environments: ['staging'] }),
  'reader of staging': asker('reader', { environments: ['staging'] }),
  'reader of production': asker('reader', { environments: ['production'] }),
  reader: asker('reader'),
  'node web1 of staging': asker('node', { environments: ['staging'] }, 'web1'),
  'node web2 of staging': asker('node', { environments: ['staging'] }, 'web2'),
  enrol: asker('enrol', { environments: ['staging'] }),
} as const

const IN_STAGING = { app: 'shop', environment: 'staging', node: null }
const OF_STAGING = ['release manager of production', 'reader of staging', 'reader']
const OF_SHOP = ['developer of shop', 'reader of shop in staging']
const NODES_OF_STAGING = ['node web1 of staging', 'node web2 of staging']

/** Who sees it beside administrators. */
const CASES: readonly (readonly [type: string, about: object, seenBy: readonly string[]])[] = [
  ['app.changed', { app: 'shop' }, ['developer of shop', 'release manager of production', 'reader']],
  ['build.archived', { app: 'shop' }, ['developer of shop', 'release manager of production', 'reader']],
  ['check.recorded', { app: 'shop' }, ['developer of shop', 'release manager of production', 'reader']],
  ['promotion.moved', IN_STAGING, [...OF_SHOP, ...OF_STAGING, ...NODES_OF_STAGING]],
  ['release.published', IN_STAGING, [...OF_SHOP, ...OF_STAGING, ...NODES_OF_STAGING]],
  [
    'hold.set',
    { app: 'shop', environment: null },
    [...OF_SHOP, ...OF_STAGING, 'reader of production', ...NODES_OF_STAGING],
  ],
  ['yank.set', { app: 'shop' }, [...OF_SHOP, ...OF_STAGING, 'reader of production', ...NODES_OF_STAGING]],
  ['pin.set', { app: 'shop' }, ['developer of shop', 'release manager of production', 'reader']],
  ['policy.set', { environment: 'staging' }, [...OF_STAGING, ...NODES_OF_STAGING]],
  ['overlay.file_put', { environment: 'staging' }, [...OF_STAGING, ...NODES_OF_STAGING]],
  ['node.enrolled', { environment: 'staging', node: 'web1' }, OF_STAGING],
  ['node.changed', { environment: 'staging', node: 'web1' }, OF_STAGING],
  ['restore_point.completed', { app: 'shop', node: 'web1' }, ['node web1 of staging']],
  ['rollback.requested', { app: 'shop', node: 'web1' }, ['node web1 of staging']],
  ['environment_rollback.requested', IN_STAGING, []],
  ['token.created', {}, []],
  ['key.created', {}, []],
  ['something.unheard_of', IN_STAGING, []],
]

describe('who sees', () => {
  test.each(CASES)('%s %j', (type, about, seenBy) => {
    const whole = { type, app: null, environment: null, node: null, ...about }
    const seeing = Object.entries(ASKERS).filter(([, principal]) => maySee(CONFIG, principal, whole))
    expect(seeing.map(([name]) => name).sort()).toEqual(['administrator', ...seenBy].sort())
  })

  test('each kind of change is in the table, and has a case above', () => {
    const kinds = [...new Set(Object.keys(CHANGES).map((type) => type.split('.')[0] ?? ''))]
    expect(Object.keys(AUDIENCES).sort()).toEqual(kinds.sort())
    const tried = new Set(CASES.map(([type]) => type.split('.')[0]))
    const untried = kinds.filter((kind) => !tried.has(kind) && !isAdministration(`${kind}.x`))
    expect(untried).toEqual([])
  })
})
