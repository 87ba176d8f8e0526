/** The one place that says whether a build may be published in an environment; everything else shows its answer. */
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { HeldBuild } from '../records/holds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import type { ReleaseRow } from '../records/releases.ts'
import { covers, heldRule, isIn } from './holds.ts'
import { environmentBefore } from './environment-policy.ts'
import { verdictOfPolicy } from './policy-verdict.ts'
import type { Override } from './policy-verdict.ts'
import { overrideOf, WAITING_STATES } from './promotion.ts'
import type { WaitingState } from './promotion.ts'
import type { JudgedRule, Rule } from './rule.ts'

type Needs = Pick<Hub, 'records' | 'config' | 'clock'>

export interface Verdict {
  readonly eligible: boolean
  readonly rules: readonly Rule[]
  /** The version of the environment's policy that judged. */
  readonly policyVersion: number
  /** What it waits for, where everything that is unmet may still be met by waiting; null otherwise. */
  readonly waitsFor: WaitingState | null
}

/** What the requester says besides. */
export interface Wish {
  /** What was withdrawn is wanted back. */
  readonly liftWithdrawal: boolean
  readonly override: Override | null
  /** The promotion that is judged, whose approvals count; null: none was asked for. */
  readonly promotion: PromotionRow | null
}

/** Every rule, met or not: of the order of environments, of what was taken back or is held, and of the policy. */
export async function judge(hub: Needs, build: BuildRow, environment: string, wish: Wish): Promise<Verdict> {
  const { rules, policyVersion } = await judgedRules(hub, build, environment, wish)
  return verdictOf(rules, policyVersion)
}

/** A promotion with its build, of those that go together. */
export interface Member {
  readonly promotion: PromotionRow
  readonly build: BuildRow
}

/** One verdict on promotions that go together: the rules of each; in a release set they say whose they are. */
export async function judgeTogether(hub: Needs, members: readonly Member[]): Promise<Verdict> {
  const rules: JudgedRule[] = []
  let policyVersion = 0
  for (const { promotion, build } of members) {
    const judged = await judgedRules(hub, build, promotion.environment, {
      liftWithdrawal: promotion.liftWithdrawal === 1,
      override: overrideOf(promotion),
      promotion,
    })
    const whose = members.length === 1 ? {} : { app: build.app, build: build.build }
    rules.push(...judged.rules.map((rule) => ({ ...whose, ...rule })))
    policyVersion = judged.policyVersion
  }
  return verdictOf(rules, policyVersion)
}

/** The verdict on what the promotion asks for, together with the others of its release set. */
export async function judgePromotion(
  hub: Needs,
  promotion: Pick<PromotionRow, 'id' | 'setId'>,
): Promise<Verdict> {
  return await judgeTogether(hub, await membersOf(hub, promotion))
}

/** The promotions that go together with this one, as they are now, each with its build. */
export async function membersOf(
  { records }: Pick<Hub, 'records'>,
  promotion: Pick<PromotionRow, 'id' | 'setId'>,
): Promise<readonly Member[]> {
  const members: Member[] = []
  for (const each of await records.promotions.together(promotion)) {
    const build = await records.builds.find(each.app, each.build)
    if (!build) throw new Error(`promotion ${each.id} names a build that the records lack`)
    members.push({ promotion: each, build })
  }
  return members
}

/** What is unmet, in a sentence each. */
export function unmetText(rules: readonly Rule[]): string {
  return rules
    .filter(({ state }) => state === 'unmet')
    .map(({ app, build, detail }) =>
      app === undefined ? detail : `${app} build ${String(build)}: ${detail}`,
    )
    .join(' ')
}

function verdictOf(rules: readonly JudgedRule[], policyVersion: number): Verdict {
  const unmet = rules.filter(({ state }) => state === 'unmet')
  return {
    eligible: unmet.length === 0,
    rules: rules.map(({ waitsFor: _waitsFor, ...rule }) => rule),
    policyVersion,
    waitsFor: waitOf(unmet),
  }
}

async function judgedRules(
  hub: Needs,
  build: BuildRow,
  environment: string,
  { liftWithdrawal, override, promotion }: Wish,
): Promise<{ readonly rules: readonly JudgedRule[]; readonly policyVersion: number }> {
  const releases = await hub.records.releases.ofBuild(build.app, build.build)
  const holds = (await hub.records.holds.openOf(build.app)).filter((hold) => covers(hold, build))
  const ofPolicy = await verdictOfPolicy(hub, build, environment, { releases, override, promotion })
  const rules = [
    ...previousEnvironmentRule(hub, releases, holds, environment),
    ...withdrawalRule(releases, environment, liftWithdrawal),
    ...holds.filter((hold) => isIn(hold, environment)).map(heldRule),
    ...ofPolicy.rules,
  ]
  return { rules, policyVersion: ofPolicy.version }
}

/** Checks come before people, and people before time; what no waiting mends is told at once. */
function waitOf(unmet: readonly JudgedRule[]): WaitingState | null {
  const waits = unmet.map(({ waitsFor }) => waitsFor ?? null)
  if (waits.includes(null)) return null
  return WAITING_STATES.find((state) => waits.includes(state)) ?? null
}

type Releases = readonly ReleaseRow[]

/** Environments have an order: a build passes through each. */
function previousEnvironmentRule(
  hub: Needs,
  releases: Releases,
  holds: readonly HeldBuild[],
  environment: string,
): readonly Rule[] {
  const previous = environmentBefore(hub.config, environment)
  if (previous === null) return []
  const code = 'environment.previous'
  // What is masked there was taken from its nodes: it does not stand there. A hold without a mask leaves it there.
  const masked = holds.find((hold) => hold.mask === 1 && isIn(hold, previous))
  if (masked) {
    const detail = `It is masked in ${previous}, held by ${masked.heldBy}: ${masked.reason}.`
    const toMeet = masked.yank === 1 ? heldRule(masked).toMeet : `Lift the hold ${masked.id} there first.`
    return [{ code, state: 'unmet', detail, since: masked.heldAt, by: masked.heldBy, toMeet }]
  }
  const there = releases.filter((release) => release.environment === previous)
  const living = there.find(({ state }) => state === 'released')
  if (living) {
    const { releasedAt: since, releasedBy: by } = living
    return [{ code, state: 'met', detail: `It is released in ${previous}.`, since, by, toMeet: null }]
  }
  const withdrawn = there.at(-1)
  const detail = withdrawn
    ? `It was withdrawn from ${previous} by ${withdrawn.withdrawnBy ?? '?'}: ${withdrawn.reason ?? ''}.`
    : `It is not released in ${previous}.`
  const since = withdrawn?.withdrawnAt ?? null
  const by = withdrawn?.withdrawnBy ?? null
  return [{ code, state: 'unmet', detail, since, by, toMeet: `Promote it to ${previous} first.` }]
}

/** Nothing that was taken back returns unless somebody says so. */
function withdrawalRule(releases: Releases, environment: string, liftWithdrawal: boolean): readonly Rule[] {
  const here = releases.filter((release) => release.environment === environment)
  const last = here.at(-1)
  if (last?.state !== 'withdrawn') return []
  const detail = `It was withdrawn from ${environment} by ${last.withdrawnBy ?? '?'}: ${last.reason ?? ''}.`
  const toMeet =
    'Ask with "liftWithdrawal": true (portage-hub promote --lift-withdrawal) if it is wanted back.'
  const { withdrawnAt: since, withdrawnBy: by } = last
  return [
    liftWithdrawal
      ? { code: 'environment.withdrawn', state: 'waived', detail, since, by, toMeet: null }
      : { code: 'environment.withdrawn', state: 'unmet', detail, since, by, toMeet },
  ]
}
