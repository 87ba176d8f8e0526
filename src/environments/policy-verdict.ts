/** What the policy that holds says of a build: gathers the facts, and leaves the verdict to `judgePolicy`. */
import { recipeFromJson } from '../builds/recipe.ts'
import { timestamp } from '../clock.ts'
import { comparePvr, parsePvr } from '../gentoo/version.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import type { PromotionRow } from '../records/promotions.ts'
import type { ReleaseRow } from '../records/releases.ts'
import { currentPolicy, environmentBefore } from './environment-policy.ts'
import { standingUnheld } from './holds.ts'
import { judgePolicy } from './judge-policy.ts'
import type { PolicyFacts } from './judge-policy.ts'
import { keyOf } from './promotion.ts'
import type { JudgedRule } from './rule.ts'

type Needs = Pick<Hub, 'records' | 'config' | 'clock'>

/** Somebody who skips the waiting, which a policy allows to some roles. */
export interface Override {
  readonly by: string
  readonly reason: string
}

export interface PolicyVerdict {
  readonly rules: readonly JudgedRule[]
  /** Of the policy that judged. */
  readonly version: number
}

/** Judges by the policy that holds now. `releases` are all that the build ever had. */
export async function verdictOfPolicy(
  hub: Needs,
  build: BuildRow,
  environment: string,
  {
    releases,
    override,
    promotion,
  }: {
    readonly releases: readonly ReleaseRow[]
    readonly override: Override | null
    readonly promotion: PromotionRow | null
  },
): Promise<PolicyVerdict> {
  const { policy, version } = await currentPolicy(hub, environment)
  const now = hub.clock.now()
  const previous = environmentBefore(hub.config, environment)
  const facts: PolicyFacts = {
    checks: (await hub.records.checks.newest(build.app, build.build)).map(
      ({ stage, name, status, reportedBy: by, reportedAt: at }) => ({ stage, name, status, by, at }),
    ),
    approvals: promotion === null ? [] : await approvalsOf(hub, promotion, version),
    previous,
    stood: releases
      .filter((release) => release.environment === previous)
      .map(({ releasedAt: from, withdrawnAt: to }) => ({ from, to })),
    schema: schemaOf(build),
    standing: policy.schema === 'none' ? null : await standingIn(hub, environment, build),
    override: override && { ...override, at: timestamp(now) },
  }
  return { rules: judgePolicy(policy, facts, now), version }
}

/** Those that were given by the policy that holds: another one asks anew. */
async function approvalsOf(
  { records }: Pick<Hub, 'records'>,
  promotion: PromotionRow,
  version: number,
): Promise<PolicyFacts['approvals']> {
  return (await records.approvals.of(keyOf(promotion))).filter(
    ({ policyVersion }) => policyVersion === version,
  )
}

function schemaOf({ recipe }: Pick<BuildRow, 'recipe'>): PolicyFacts['schema'] {
  const schema = recipe === null ? undefined : recipeFromJson(recipe).schema
  return schema ? { version: schema.version, reversibleFrom: schema.reversible_from ?? schema.version } : null
}

/** What nodes of the environment have now, of the same app; the build itself counts for nothing. */
async function standingIn(
  hub: Needs,
  environment: string,
  build: BuildRow,
): Promise<PolicyFacts['standing']> {
  const others = (await standingUnheld(hub, environment, [build.app])).filter(
    (other) => other.state === 'released' && other.build !== build.build,
  )
  // Nodes go to the best version.
  const best = others.sort((a, b) => comparePvr(parsePvr(b.pv), parsePvr(a.pv)))[0]?.build
  const row = best === undefined ? undefined : await hub.records.builds.find(build.app, best)
  return row ? { name: `build ${String(row.build)}`, schemaVersion: schemaOf(row)?.version ?? null } : null
}
