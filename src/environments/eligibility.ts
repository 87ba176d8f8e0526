/** The one place that says whether a build may be published in an environment; everything else shows its answer. */
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { HeldBuild } from '../records/holds.ts'
import { covers, heldRule, isIn } from './holds.ts'
import type { Rule } from './rule.ts'

type Needs = Pick<Hub, 'records' | 'config'>

export interface Verdict {
  readonly eligible: boolean
  readonly rules: readonly Rule[]
}

/** Every rule, met or not. `liftWithdrawal`: the requester wants back what was withdrawn. */
export async function judge(
  hub: Needs,
  build: BuildRow,
  environment: string,
  liftWithdrawal: boolean,
): Promise<Verdict> {
  const releases = await hub.records.releases.ofBuild(build.app, build.build)
  const holds = (await hub.records.holds.openOf(build.app)).filter((hold) => covers(hold, build))
  const rules = [
    ...previousEnvironmentRule(hub, releases, holds, environment),
    ...withdrawalRule(releases, environment, liftWithdrawal),
    ...holds.filter((hold) => isIn(hold, environment)).map(heldRule),
  ]
  return { eligible: rules.every(({ state }) => state !== 'unmet'), rules }
}

type Releases = readonly {
  readonly environment: string
  readonly state: string
  readonly withdrawnBy: string | null
  readonly reason: string | null
}[]

/** Environments have an order: a build passes through each. */
function previousEnvironmentRule(
  hub: Needs,
  releases: Releases,
  holds: readonly HeldBuild[],
  environment: string,
): readonly Rule[] {
  const names = hub.config.environments.map(({ name }) => name)
  const previous = names[names.indexOf(environment) - 1]
  if (previous === undefined) return []
  const code = 'environment.previous'
  // What is masked there was taken from its nodes: it does not stand there. A hold without a mask leaves it there.
  const masked = holds.find((hold) => hold.mask === 1 && hold.environment === previous)
  if (masked) {
    const detail = `It is masked in ${previous}, held by ${masked.heldBy}: ${masked.reason}.`
    return [{ code, state: 'unmet', detail, toMeet: `Lift the hold ${masked.id} there first.` }]
  }
  const there = releases.filter((release) => release.environment === previous)
  if (there.some(({ state }) => state === 'released')) {
    return [{ code, state: 'met', detail: `It is released in ${previous}.`, toMeet: null }]
  }
  const withdrawn = there.at(-1)
  const detail = withdrawn
    ? `It was withdrawn from ${previous} by ${withdrawn.withdrawnBy ?? '?'}: ${withdrawn.reason ?? ''}.`
    : `It is not released in ${previous}.`
  return [{ code, state: 'unmet', detail, toMeet: `Promote it to ${previous} first.` }]
}

/** Nothing that was taken back returns unless somebody says so. */
function withdrawalRule(releases: Releases, environment: string, liftWithdrawal: boolean): readonly Rule[] {
  const here = releases.filter((release) => release.environment === environment)
  const last = here.at(-1)
  if (last?.state !== 'withdrawn') return []
  const detail = `It was withdrawn from ${environment} by ${last.withdrawnBy ?? '?'}: ${last.reason ?? ''}.`
  const toMeet =
    'Ask with "liftWithdrawal": true (portage-hub promote --lift-withdrawal) if it is wanted back.'
  return [
    liftWithdrawal
      ? { code: 'environment.withdrawn', state: 'waived', detail, toMeet: null }
      : { code: 'environment.withdrawn', state: 'unmet', detail, toMeet },
  ]
}
