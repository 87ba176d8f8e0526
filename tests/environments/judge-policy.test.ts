/** The verdict of a policy: every rule alone, in each state, and every two together. */
import { describe, expect, test } from 'vitest'
import { judgePolicy } from '../../src/environments/judge-policy.ts'
import type { PolicyFacts } from '../../src/environments/judge-policy.ts'
import { STAGES } from '../../src/checks/record-check.ts'
import type { CheckStatus, Stage } from '../../src/checks/record-check.ts'
import { policySchema } from '../../src/environments/policy.ts'
import type { Policy } from '../../src/environments/policy.ts'
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
const run = (status: CheckStatus, stage: Stage = 'commit'): PolicyFacts['checks'][number] => ({
  stage,
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
const TOLD = { since: '2026-01-01T00:00:00Z', by: 'ci' }

function casesOfCheck(stage: Stage): readonly Case[] {
  const [code, policy, title] = [
    `check.${stage}`,
    { checks: { [stage]: ['unit'] } },
    `The ${stage} check "unit"`,
  ]
  const of = (status: CheckStatus) => ({ checks: [run(status, stage)] })
  const again = 'Run it again, or send a build that passes it.'
  const report = `Report it as passed (portage-hub check … ${stage} "unit").`
  return [
    [code, policy, {}, unmet(`${title} was never reported.`, report)],
    [code, policy, of('running'), unmet(`${title} is running.`, 'Wait for its result.', TOLD)],
    [code, policy, of('failed'), unmet(`${title} failed.`, again, TOLD)],
    [code, policy, of('skipped'), unmet(`${title} was skipped.`, again, TOLD)],
    [code, policy, of('passed'), met(`${title} passed.`, TOLD)],
  ]
}

const CASES: readonly Case[] = [
  ...STAGES.flatMap(casesOfCheck),
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

test('of another stage it is another check', () => {
  const rules = judged({ checks: { acceptance: ['unit'] } }, { checks: [run('passed', 'commit')] })
  expect(rules).toMatchObject([{ code: 'check.acceptance', state: 'unmet' }])
})

/** Both as one; null where they are the same rule. */
function together([, policyA, factsA]: Case, [, policyB, factsB]: Case) {
  const [a, b] = [policySchema.partial().parse(policyA), policySchema.partial().parse(policyB)]
  const isSame = STAGES.some((stage) => sizeOf(a, stage) > 0 && sizeOf(b, stage) > 0)
  const keys = Object.keys(policyA).filter((key) => key in policyB)
  if (isSame || keys.some((key) => key !== 'checks' && key !== 'freezes')) return null
  if (keys.includes('freezes') && policyA === policyB) return null
  const merged = {
    ...{ ...policyA, ...policyB },
    checks: Object.fromEntries(
      STAGES.map((stage) => [stage, [...(a.checks?.[stage] ?? []), ...(b.checks?.[stage] ?? [])]]),
    ),
    freezes: [...(a.freezes ?? []), ...(b.freezes ?? [])],
  }
  const checks = [...(factsA.checks ?? []), ...(factsB.checks ?? [])]
  return { policy: merged, facts: { ...factsA, ...factsB, checks } }
}

function sizeOf({ checks }: Partial<Policy>, stage: Stage): number {
  return checks?.[stage].length ?? 0
}

test('two rules together are each as they are alone, whatever the other says, and nothing else is', () => {
  const pairs = new Set<string>()
  for (const first of CASES) {
    for (const second of CASES) {
      const both = together(first, second)
      if (!both) continue
      const rules = judged(both.policy, both.facts)
      expect(rules.map(({ code }) => code).sort()).toEqual([first[0], second[0]].sort())
      for (const [code, , , expected] of [first, second])
        expect(rules).toContainEqual(expect.objectContaining({ code, ...expected }))
      pairs.add([first[0], second[0]].sort().join(' '))
    }
  }
  // Of seven rules every two, and a freeze with another one.
  expect(pairs.size).toBe((7 * 6) / 2 + 1)
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
