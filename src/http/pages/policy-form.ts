/** The forms of a policy: what their fields say becomes the policy that `PUT …/policy` would be sent. */
import { currentPolicy, setPolicy } from '../../environments/environment-policy.ts'
import { policySchema } from '../../environments/policy.ts'
import type { Policy } from '../../environments/policy.ts'
import { advanceWaiting } from '../../environments/promote.ts'
import type { Hub } from '../../hub.ts'
import type { PolicyFields } from '../../web/pages/policy-part.ts'
import { parseWith } from '../request.ts'

/** @throws {HubError} `request.invalid`; as `setPolicy`: `policy.changed` if another was set meanwhile. */
export async function setPolicyByForm(
  hub: Hub,
  environment: string,
  fields: PolicyFields,
  by: string,
): Promise<void> {
  const { policy: present } = await currentPolicy(hub, environment)
  const wanted = fields['freeze'] === undefined ? wholeOf(present, fields) : frozenOf(present, fields)
  const policy = parseWith(policySchema, wanted, 'the policy')
  await setPolicy(hub, { environment, policy, basedOn: Number(fields['version']), by, dryRun: false })
  await advanceWaiting(hub, { environment })
}

/** All but the freezes, which have a form of their own. */
function wholeOf({ freezes }: Policy, fields: PolicyFields): object {
  const { promote, schema, soak = null, approvals = '0' } = fields
  return {
    ...{ promote, schema, soak, freezes },
    checks: {
      commit: namesOf(fields['commit']),
      acceptance: namesOf(fields['acceptance']),
      manual: namesOf(fields['manual']),
    },
    approvals: { count: Number(approvals), roles: ticked(fields, 'approve-') },
    override: { roles: ticked(fields, 'override-') },
  }
}

/** With one freeze more, or without the one of that place. */
function frozenOf(present: Policy, fields: PolicyFields): object {
  const { freeze, from = '', to = '', timeZone = '', reason = '' } = fields
  const freezes =
    freeze === 'add'
      ? [...present.freezes, { from, to, timeZone, reason }]
      : present.freezes.filter((_one, at) => String(at) !== freeze)
  return { ...present, freezes }
}

function namesOf(text = ''): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
}

function ticked(fields: PolicyFields, prefix: string): readonly string[] {
  return Object.keys(fields).flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []))
}
