/** Policies of environments as they are kept: which one holds, and setting another. */
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import type { Config } from '../config.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { PolicyRow } from '../records/policies.ts'
import type { Records } from '../records/records.ts'
import { defaultPolicy, policySchema, refuseUnmeetable } from './policy.ts'
import type { Policy, PolicyVersion } from './policy.ts'

/** A policy with who set it; null: it comes from the settings. */
export interface KeptPolicy extends PolicyVersion {
  readonly setBy: string | null
  readonly setAt: string | null
}

/** The policy that holds in the environment, which must be one of the hub's. */
export async function currentPolicy(
  hub: { readonly config: Config; readonly records: Pick<Records, 'policies'> },
  environment: string,
): Promise<KeptPolicy> {
  const row = await hub.records.policies.newest(environment)
  return row ? policyOf(row) : settingsPolicy(hub.config, environment)
}

/** A version that holds or held. @throws {HubError} `policy.unknown`. */
export async function policyOfVersion(
  hub: Pick<Hub, 'config' | 'records'>,
  environment: string,
  version: number,
): Promise<KeptPolicy> {
  if (version === 0) return settingsPolicy(hub.config, environment)
  const row = await hub.records.policies.find(environment, version)
  if (row) return policyOf(row)
  throw new HubError('policy.unknown', `${environment} has no version ${String(version)} of its policy`)
}

export interface WantedPolicy {
  readonly environment: string
  readonly policy: Policy
  /** The version that it was made from; null: whichever holds. */
  readonly basedOn: number | null
  readonly by: string
  readonly dryRun: boolean
}

/**
 * Sets the policy. The same as the one that holds changes nothing and is no new version.
 * @throws {HubError} `policy.unmeetable`; `policy.changed`.
 */
export async function setPolicy(
  hub: Pick<Hub, 'config' | 'records' | 'clock' | 'turns' | 'overlays'>,
  { environment, policy, basedOn, by, dryRun }: WantedPolicy,
): Promise<KeptPolicy> {
  overlayOf(hub, environment)
  const now = hub.clock.now()
  refuseUnmeetable(policy, { previous: environmentBefore(hub.config, environment), now: now.getTime() })
  return await hub.turns.run(`policy:${environment}`, async () => {
    const holding = await currentPolicy(hub, environment)
    if (basedOn !== null && basedOn !== holding.version) {
      throw new HubError(
        'policy.changed',
        `version ${String(holding.version)} of the policy holds in ${environment}, and not ${String(basedOn)}; read it and change that one`,
      )
    }
    if (holding.version > 0 && JSON.stringify(holding.policy) === JSON.stringify(policy)) return holding
    const body = JSON.stringify(policy)
    const row = { environment, version: holding.version + 1, body, setBy: by, setAt: timestamp(now) }
    if (!dryRun)
      await hub.records.transaction(async (records) => {
        await records.policies.add(row)
        await recordChange(records, hub.clock, {
          ...{ type: 'policy.set', subject: environment, environment },
          before: { version: holding.version, ...holding.policy },
          after: { version: row.version, ...policy },
        })
      })
    return policyOf(row)
  })
}

/** The environment that a build passes through before; null for the first. */
export function environmentBefore(config: Config, environment: string): string | null {
  const names = config.environments.map(({ name }) => name)
  return names[names.indexOf(environment) - 1] ?? null
}

function settingsPolicy(config: Config, environment: string): KeptPolicy {
  const { promote } = config.environments.find(({ name }) => name === environment) ?? { promote: 'request' }
  return { policy: defaultPolicy({ promote }), version: 0, setBy: null, setAt: null }
}

function policyOf({ body, version, setBy, setAt }: PolicyRow): KeptPolicy {
  return { policy: policySchema.parse(JSON.parse(body)), version, setBy, setAt }
}
