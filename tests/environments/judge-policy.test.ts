/** The verdict of a policy: every rule alone, in each state, and every two together. */
import { describe, expect, test } from 'vitest'
import { judgePolicy } from '../../src/environments/judge-policy.ts'
import type { PolicyFacts } from '../../src/environments/judge-policy.ts'
import { policySchema } from '../../src/environments/policy.ts'
import type { Rule } from '../../src/environments/rule.ts'

/** A Saturday. */
const NOW = new Date('2026-01-03T12:00:00Z')
const FACTS: PolicyFacts = {
  ...{
    checks: [],
    approvals: [],
    previous: 'staging',
    stood: [],
    schema: null,
    standing: null,
    override: null,
  },
}
const run = (status: 'running' | 'passed' | 'failed' | 'skipped'): PolicyFacts['checks'][number] => ({
  stage: 'commit',
  name: 'unit',
  status,
  by: 'ci',
  at: '2026-01-01T00:00:00Z',
})
const WEEKEND = { from: 'Fri 16:00', to: 'Mon 08:00', timeZone: 'Europe/Berlin', reason: 'weekend' }
const MIDWEEK = { ...WEEKEND, from: 'Wed 10:00', to: 'Wed 12:00' }
const approval = (by: string) => ({ by, at: '2026-01-02T00:00:00Z' })
const TWO = { approvals: { count: 2, roles: ['approver'] } }
const schema = (version: number, reversibleFrom: number) => ({ version, reversibleFrom })
const standing = (schemaVersion: number | null) => ({ name: 'build 7', schemaVersion })

type Case = readonly [code: string, policy: object, facts: Partial<PolicyFacts>, expected: Partial<Rule>]
const unmet = (detail: string, toMeet: string, more: Partial<Rule> = {}): Partial<Rule> => ({
  ...{ state: 'unmet', detail, toMeet, since: null, by: null },
  ...more,
})
const met = (detail: string, more: Partial<Rule> = {}): Partial<Rule> => ({
  ...{ state: 'met', detail, toMeet: null, since: null, by: null },
  ...more,
})
const UNIT = { checks: { commit: ['unit'] } }
const TOLD = { since: '2026-01-01T00:00:00Z', by: 'ci' }

const CASES: readonly Case[] = [
  [
    'check.commit',
    UNIT,
    {},
    unmet(
      'The commit check "unit" was never reported.',
      'Report it as passed (portage-hub check … commit "unit").',
    ),
  ],
  [
    'check.commit',
    UNIT,
    { checks: [run('running')] },
    unmet('The commit check "unit" is running.', 'Wait for its result.', TOLD),
  ],
  [
    'check.commit',
    UNIT,
    { checks: [run('failed')] },
    unmet('The commit check "unit" failed.', 'Run it again, or send a build that passes it.', TOLD),
  ],
  [
    'check.commit',
    UNIT,
    { checks: [run('skipped')] },
    unmet('The commit check "unit" was skipped.', 'Run it again, or send a build that passes it.', TOLD),
  ],
  ['check.commit', UNIT, { checks: [run('passed')] }, met('The commit check "unit" passed.', TOLD)],
  // Of another stage it is another check.
  ['check.acceptance', { checks: { acceptance: ['unit'] } }, { checks: [run('passed')] }, { state: 'unmet' }],
  [
    'approvals',
    TWO,
    { approvals: [approval('ann')] },
    unmet('1 of 2 approvals.', '1 more of approver must approve, and not who asked for it.'),
  ],
  [
    'approvals',
    TWO,
    { approvals: [approval('ann'), approval('bob')] },
    met('2 of 2 approvals.', { since: '2026-01-02T00:00:00Z', by: 'ann, bob' }),
  ],
  [
    'soak',
    { soak: '24h' },
    {},
    unmet('It has stood in staging for 0 min of 24h.', 'Have it stand in staging for 1 d 0 h more.'),
  ],
  [
    'soak',
    { soak: '24h' },
    { stood: [{ from: '2026-01-03T02:00:00Z', to: null }] },
    unmet('It has stood in staging for 10 h 0 min of 24h.', 'Wait until 2026-01-04T02:00:00Z.'),
  ],
  [
    'soak',
    { soak: '24h' },
    { stood: [{ from: '2026-01-02T12:00:00Z', to: null }] },
    met('It has stood in staging for 24h.', { since: '2026-01-03T12:00:00Z' }),
  ],
  // In two parts, and each moment once.
  [
    'soak',
    { soak: '90m' },
    {
      stood: [
        { from: '2026-01-01T00:00:00Z', to: '2026-01-01T01:00:00Z' },
        { from: '2026-01-01T00:30:00Z', to: '2026-01-01T01:00:00Z' },
        { from: '2026-01-02T00:00:00Z', to: null },
      ],
    },
    met('It has stood in staging for 90m.', { since: '2026-01-02T00:30:00Z' }),
  ],
  // A clock that went back.
  ['soak', { soak: '1d' }, { stood: [{ from: '2026-01-05T00:00:00Z', to: null }] }, { state: 'unmet' }],
  [
    'freeze',
    { freezes: [WEEKEND] },
    {},
    unmet('Frozen: Fri 16:00 to Mon 08:00, Europe/Berlin (weekend).', 'Wait until 2026-01-05T07:00:00Z.', {
      since: '2026-01-02T15:00:00Z',
    }),
  ],
  [
    'freeze',
    { freezes: [MIDWEEK] },
    {},
    met('Open: frozen is Wed 10:00 to Wed 12:00, Europe/Berlin (weekend).'),
  ],
  ['schema.reversible', { schema: 'reversible' }, {}, met('Nothing stands there that one could go back to.')],
  ['schema.reversible', { schema: 'reversible' }, { standing: standing(3) }, met('It has no schema.')],
  [
    'schema.reversible',
    { schema: 'reversible' },
    { standing: standing(3), schema: schema(4, 3) },
    met('One can go back from it to build 7.'),
  ],
  [
    'schema.reversible',
    { schema: 'reversible' },
    { standing: standing(3), schema: schema(4, 4) },
    {
      state: 'unmet',
      detail: expect.stringContaining(
        'schema 4, from which one can go back to 4 at the oldest, and build 7 has schema 3',
      ),
    },
  ],
  [
    'schema.reversible',
    { schema: 'reversible' },
    { standing: standing(null), schema: schema(4, 3) },
    { state: 'unmet', detail: expect.stringContaining('no known schema') },
  ],
]

const judged = (policy: object, facts: Partial<PolicyFacts>) =>
  judgePolicy(policySchema.parse(policy), { ...FACTS, ...facts }, NOW)

test('a policy that asks for nothing has no rule', () => {
  expect(judged({}, {})).toEqual([])
})

test.each(CASES)('%s of %j with %j', (code, policy, facts, expected) => {
  expect(judged(policy, facts)).toEqual([expect.objectContaining({ code, ...expected })])
})

test('two rules together are each as they are alone, whatever the other says', () => {
  for (const [codeA, policyA, factsA, a] of CASES) {
    for (const [codeB, policyB, factsB, b] of CASES) {
      if (Object.keys(policyA)[0] === Object.keys(policyB)[0]) continue
      const rules = judged({ ...policyA, ...policyB }, { ...factsA, ...factsB })
      expect(rules.map(({ code }) => code).sort()).toEqual([codeA, codeB].sort())
      expect(rules).toContainEqual(expect.objectContaining({ code: codeA, ...a }))
      expect(rules).toContainEqual(expect.objectContaining({ code: codeB, ...b }))
    }
  }
})

describe('an override', () => {
  const override = { by: 'boss', reason: 'the shop is down', at: '2026-01-03T12:00:00Z' }

  test.each(CASES)('waives %s only where it waits (%j, %j)', (code, policy, facts, { state }) => {
    const [rule] = judged(policy, { ...facts, override })
    const expected = state === 'met' || code === 'schema.reversible' ? state : 'waived'
    expect(rule?.state).toBe(expected)
    if (expected === 'waived')
      expect(rule).toMatchObject({
        by: 'boss',
        since: override.at,
        toMeet: null,
        detail: expect.stringMatching(/the shop is down$/),
      })
  })
})
