/** The verdict of a policy: pure, so that every rule can be tried alone and with every other. */
import type { CheckStatus, Stage } from '../checks/record-check.ts'
import { nextOpen, windowAt } from './freeze.ts'
import type { Freeze } from './freeze.ts'
import { requiredChecks, soakMilliseconds } from './policy.ts'
import type { Policy } from './policy.ts'
import type { JudgedRule, Rule } from './rule.ts'

/** What is known of a build that wants into an environment. Times are RFC 3339. */
export interface PolicyFacts {
  /** The newest run of each check. */
  readonly checks: readonly {
    readonly stage: Stage
    readonly name: string
    readonly status: CheckStatus
    readonly by: string
    readonly at: string
  }[]
  readonly approvals: readonly { readonly by: string; readonly at: string }[]
  /** The environment before; null: it is the first. */
  readonly previous: string | null
  /** When it stood there; `to` null: it stands there still. */
  readonly stood: readonly { readonly from: string; readonly to: string | null }[]
  /** Of the build: its schema and the oldest that one may go back to; null: it has none. */
  readonly schema: { readonly version: number; readonly reversibleFrom: number } | null
  /** What stands in the environment now, with its schema; null: nothing. */
  readonly standing: { readonly name: string; readonly schemaVersion: number | null } | null
  /** Somebody who may, skips the waiting; null: nobody. */
  readonly override: { readonly by: string; readonly reason: string; readonly at: string } | null
}

type Unwaived = JudgedRule & { readonly canBeWaived: boolean }

/** Every rule of the policy, in the order of its keys, met or not. */
export function judgePolicy(policy: Policy, facts: PolicyFacts, now: Date): readonly JudgedRule[] {
  const rules: readonly Unwaived[] = [
    ...requiredChecks(policy).map((wanted) => ({ ...checkRule(wanted, facts), canBeWaived: true })),
    ...approvalRule(policy, facts).map((rule) => ({ ...rule, canBeWaived: true, ...FOR_APPROVAL })),
    ...soakRule(policy, facts, now).map((rule) => ({ ...rule, canBeWaived: true, ...FOR_TIME })),
    ...policy.freezes.map((freeze) => ({
      ...freezeRule(freeze, policy, now),
      canBeWaived: true,
      ...FOR_TIME,
    })),
    // An emergency skips waiting. What it cannot undo is no matter of waiting.
    ...schemaRule(policy, facts).map((rule) => ({ ...rule, canBeWaived: false })),
  ]
  return rules.map(({ canBeWaived, ...rule }) => (canBeWaived ? waive(rule, facts.override) : rule))
}

const FOR_APPROVAL = { waitsFor: 'awaiting_approval' } as const
const FOR_TIME = { waitsFor: 'scheduled' } as const

function waive(rule: JudgedRule, override: PolicyFacts['override']): JudgedRule {
  if (rule.state !== 'unmet' || !override) return rule
  const detail = `${rule.detail} Overridden: ${override.reason}`
  return { code: rule.code, state: 'waived', detail, since: override.at, by: override.by, toMeet: null }
}

function checkRule(
  wanted: { readonly stage: Stage; readonly name: string },
  { checks }: PolicyFacts,
): JudgedRule {
  const code = `check.${wanted.stage}`
  const title = `The ${wanted.stage} check "${wanted.name}"`
  const run = checks.find(({ stage, name }) => stage === wanted.stage && name === wanted.name)
  if (!run) {
    const toMeet = `Report it as passed (portage-hub check … ${wanted.stage} "${wanted.name}").`
    const detail = `${title} was never reported.`
    return { code, state: 'unmet', detail, since: null, by: null, toMeet, waitsFor: 'checking' }
  }
  const { status, by, at: since } = run
  if (status === 'passed') return { code, state: 'met', detail: `${title} passed.`, since, by, toMeet: null }
  const [detail, toMeet] =
    status === 'running'
      ? [`${title} is running.`, 'Wait for its result.']
      : [
          `${title} ${status === 'failed' ? 'failed' : 'was skipped'}.`,
          'Run it again, or send a build that passes it.',
        ]
  const unmet = { code, state: 'unmet', detail, since, by, toMeet } as const
  // One that failed has said no.
  return status === 'running' ? { ...unmet, waitsFor: 'checking' } : unmet
}

function approvalRule({ approvals: { count, roles } }: Policy, { approvals }: PolicyFacts): readonly Rule[] {
  if (count === 0) return []
  const code = 'approvals'
  const detail = `${String(approvals.length)} of ${String(count)} approvals.`
  const deciding = approvals[count - 1]
  if (deciding) {
    const by = approvals.map((approval) => approval.by).join(', ')
    return [{ code, state: 'met', detail, since: deciding.at, by, toMeet: null }]
  }
  const missing = count - approvals.length
  const toMeet = `${String(missing)} more of ${roles.join(', ')} must approve, and not who asked for it.`
  return [{ code, state: 'unmet', detail, since: null, by: null, toMeet }]
}

function soakRule({ soak }: Policy, facts: PolicyFacts, now: Date): readonly Rule[] {
  if (soak === null) return []
  const code = 'soak'
  const where = facts.previous ?? 'the environment before'
  const wanted = soakMilliseconds(soak)
  let total = 0
  for (const { from, to } of merged(facts.stood, now)) {
    // The moment when the sum was reached, wherever it lies.
    if (total + to - from >= wanted) {
      const since = toTime(from + wanted - total)
      const detail = `It has stood in ${where} for ${soak}.`
      return [{ code, state: 'met', detail, since, by: null, toMeet: null }]
    }
    total += to - from
  }
  const detail = `It has stood in ${where} for ${lengthText(total)} of ${soak}.`
  const stands = facts.stood.some(({ to }) => to === null)
  const toMeet = stands
    ? `Wait until ${toTime(now.getTime() + wanted - total)}.`
    : `Have it stand in ${where} for ${lengthText(wanted - total)} more.`
  return [{ code, state: 'unmet', detail, since: null, by: null, toMeet }]
}

/** In order, each moment once; what lies ahead of now counts for nothing. */
function merged(
  stood: PolicyFacts['stood'],
  now: Date,
): readonly { readonly from: number; readonly to: number }[] {
  const spans = stood
    .map(({ from, to }) => ({
      from: Date.parse(from),
      to: Math.min(to === null ? now.getTime() : Date.parse(to), now.getTime()),
    }))
    .sort((a, b) => a.from - b.from)
  let reached = -Infinity
  return spans.flatMap(({ from, to }) => {
    const start = Math.max(from, reached)
    if (to <= start) return []
    reached = to
    return [{ from: start, to }]
  })
}

function freezeRule(freeze: Freeze, { freezes }: Policy, now: Date): Rule {
  const code = 'freeze'
  const name = `${freeze.from} to ${freeze.to}, ${freeze.timeZone} (${freeze.reason})`
  const window = windowAt(freeze, now.getTime())
  if (!window)
    return { code, state: 'met', detail: `Open: frozen is ${name}.`, since: null, by: null, toMeet: null }
  // Another freeze may begin before this one ends.
  const open = nextOpen(freezes, now.getTime()) ?? window.end
  const toMeet = `Wait until ${toTime(open)}.`
  return { code, state: 'unmet', detail: `Frozen: ${name}.`, since: toTime(window.start), by: null, toMeet }
}

function schemaRule({ schema }: Policy, facts: PolicyFacts): readonly Rule[] {
  if (schema === 'none') return []
  const code = 'schema.reversible'
  const back = facts.standing?.name ?? ''
  const rule = (state: 'met' | 'unmet', detail: string): Rule[] => [
    { code, state, detail, since: null, by: null, toMeet: state === 'met' ? null : TO_BE_REVERSIBLE },
  ]
  if (!facts.standing) return rule('met', 'Nothing stands there that one could go back to.')
  if (!facts.schema) return rule('met', 'It has no schema.')
  const { version, reversibleFrom } = facts.schema
  const then = facts.standing.schemaVersion
  if (then !== null && then >= reversibleFrom) return rule('met', `One can go back from it to ${back}.`)
  const had = then === null ? 'no known schema' : `schema ${String(then)}`
  return rule(
    'unmet',
    `It has schema ${String(version)}, from which one can go back to ${String(reversibleFrom)} at the oldest, and ${back} has ${had}.`,
  )
}

const TO_BE_REVERSIBLE =
  'Send a build whose recipe has a schema.reversible_from that is old enough, in two steps if need be.'

function toTime(milliseconds: number): string {
  // Up to whole seconds: the time that is told is one at which it holds.
  return new Date(Math.ceil(milliseconds / 1000) * 1000).toISOString().replace('.000Z', 'Z')
}

/** `2 d 3 h`, `5 h 20 min`, `40 min`: the two largest units. */
function lengthText(milliseconds: number): string {
  const minutes = Math.ceil(milliseconds / 60_000)
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60), minutes % 60]
  if (days > 0) return `${String(days)} d ${String(hours)} h`
  return hours > 0 ? `${String(hours)} h ${String(rest)} min` : `${String(rest)} min`
}
