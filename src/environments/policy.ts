/** An environment's policy: what must hold before a build is released there, as data that somebody may change. */
import { z } from 'zod'
import { presentName } from '../access/rights.ts'
import { STAGES } from '../checks/record-check.ts'
import { HubError } from '../errors.ts'
import type { EnvironmentConfig } from '../settings.ts'
import { isTimeZone, nextOpen, WEEKDAYS } from './freeze.ts'

const line = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]*$/u, 'must be one line without control characters')

const moment = z
  .string()
  .regex(
    new RegExp(`^(${WEEKDAYS.join('|')}) ([01][0-9]|2[0-3]):[0-5][0-9]$`),
    'must be a weekday and a time, such as "Fri 16:00"',
  )

const freezeSchema = z
  .strictObject({
    from: moment,
    to: moment,
    timeZone: z.string().max(64).refine(isTimeZone, 'must be a time zone, such as "Europe/Berlin"'),
    reason: line(200),
  })
  .refine(({ from, to }) => from !== to, 'begins and ends at the same time')

const checkNames = z
  .array(line(100))
  .max(50)
  .refine((names) => new Set(names).size === names.length, 'names a check twice')
  .default([])

/** By the name that it has now. */
const role = z.string().max(64).overwrite(presentName)

/** Who may be asked to approve; `approver` is a role for that alone. */
const APPROVING_ROLES = ['administrator', 'release-manager', 'approver']

const approvalsSchema = z.strictObject({
  count: z.int().min(0).max(20),
  roles: z.array(role).max(20),
})

export const policySchema = z.strictObject({
  promote: z
    .enum(['automatic', 'request'])
    .default('request')
    .describe('automatic: every upload is asked for here at once; request: only what somebody asks for.'),
  checks: z
    .strictObject({ commit: checkNames, acceptance: checkNames, manual: checkNames })
    .default({ commit: [], acceptance: [], manual: [] })
    .describe('Names of the checks that must have passed, by stage.'),
  approvals: approvalsSchema
    .default({ count: 0, roles: [] })
    .describe('How many must agree, and of which roles; never whoever asked.'),
  soak: z
    .string()
    .regex(/^[1-9][0-9]{0,4}[mhd]$/, 'must be a time such as 30m, 24h or 7d')
    .nullable()
    .default(null)
    .describe('How long in all it must have stood in the environment before: `24h`; null: not at all.'),
  freezes: z.array(freezeSchema).max(50).default([]).describe('When nothing is released, each week.'),
  schema: z
    .enum(['reversible', 'none'])
    .default('none')
    .describe('reversible: one must be able to go back from it to what stands there.'),
  override: z
    .strictObject({ roles: z.array(role.pipe(z.enum(['administrator', 'release-manager']))).max(2) })
    .default({ roles: ['administrator'] })
    .describe('Who may skip the waiting in an emergency, with a reason.'),
})

export type Policy = Readonly<z.infer<typeof policySchema>>

/** A policy and which it is: 0 is what the settings say, until somebody sets one. */
export interface PolicyVersion {
  readonly policy: Policy
  readonly version: number
}

/** What holds where nobody set a policy. */
export function defaultPolicy({ promote }: Pick<EnvironmentConfig, 'promote'>): Policy {
  return policySchema.parse({ promote })
}

/** Milliseconds of `30m`, `24h`, `7d`; 0 for null. */
export function soakMilliseconds(soak: string | null): number {
  const [, count = '0', unit = 'm'] = /^([0-9]+)([mhd])$/.exec(soak ?? '') ?? []
  return Number(count) * 60_000 * ({ h: 60, d: 1440 }[unit] ?? 1)
}

/**
 * Refuses a policy that no build could ever meet.
 * @throws {HubError} `policy.unmeetable`, whose `reasons` are all that speaks against it.
 */
export function refuseUnmeetable(
  policy: Policy,
  place: { readonly previous: string | null; readonly now: number },
): void {
  const reasons = [
    ...faultsOfApprovals(policy.approvals),
    ...(policy.soak !== null && place.previous === null
      ? ['soak asks for time in the environment before, and this is the first one: leave it out']
      : []),
    ...(nextOpen(policy.freezes, place.now) === null
      ? ['the freezes leave no moment of the week open: shorten one']
      : []),
  ]
  if (reasons.length === 0) return
  throw new HubError('policy.unmeetable', reasons.join('; '), { reasons })
}

function faultsOfApprovals({ count, roles }: Policy['approvals']): readonly string[] {
  const unable = roles.filter((role) => !APPROVING_ROLES.includes(role))
  if (unable.length > 0)
    return [
      `approvals.roles names ${unable.join(', ')}, who cannot approve: name some of ${APPROVING_ROLES.join(', ')}`,
    ]
  return count > 0 && roles.length === 0 ? ['approvals asks for some, and from no role: name roles'] : []
}

/** The names of the required checks of each stage. */
export function requiredChecks({ checks }: Policy) {
  return STAGES.flatMap((stage) => checks[stage].map((name) => ({ stage, name })))
}
