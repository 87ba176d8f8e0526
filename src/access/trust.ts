/** Whom apps trust: added and removed by administrators, each in the audit. */
import { isIP } from 'node:net'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import { parseAppName } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { addressRule } from '../outside-address.ts'
import type { TrustRow } from '../records/trusts.ts'
import { isSecure } from './provider-fetch.ts'
import type { Trust } from './trust-shape.ts'

export interface NewTrust extends Trust {
  /** Of one that may not be there yet: the first upload makes it. */
  readonly app: string
  readonly maySendCommands: boolean
  readonly by: string
  readonly dryRun: boolean
}

type Needs = Pick<Hub, 'records' | 'clock' | 'config'>

/**
 * Lets an app trust an identity from now on.
 * @throws {HubError} `app.invalid_name`, `trust.forbidden_issuer`, `trust.exists`.
 */
export async function addTrust(hub: Needs, wanted: NewTrust): Promise<TrustRow> {
  const { provider, issuer, claims, maySendCommands, by, dryRun } = wanted
  const app = parseAppName(wanted.app)
  refuseIssuer(hub.config, issuer)
  const now = hub.clock.now()
  const sorted = Object.fromEntries(Object.entries(claims).sort(([a], [b]) => (a < b ? -1 : 1)))
  const row: TrustRow = {
    ...{ id: newId('tru', now), app, provider, issuer, claims: JSON.stringify(sorted) },
    ...{ maySendCommands: maySendCommands ? 1 : 0, createdBy: by, createdAt: timestamp(now) },
  }
  const known = (await hub.records.trusts.of(app, issuer)).find(({ claims }) => claims === row.claims)
  if (known) throw exists(known)
  if (dryRun) return row
  await hub.records.transaction(async (records) => {
    if (!(await records.trusts.add(row))) throw exists(row)
    await recordChange(records, hub.clock, {
      ...{ type: 'trust.added', subject: row.id, app, after: trustFacts(row) },
    })
  })
  return row
}

/**
 * Ends a trust, and the tokens that were given by it.
 * @throws {HubError} `trust.unknown`.
 */
export async function removeTrust(
  hub: Pick<Hub, 'records' | 'clock'>,
  { app, id, dryRun }: { readonly app: string; readonly id: string; readonly dryRun: boolean },
): Promise<TrustRow> {
  const row = await hub.records.trusts.find(app, id)
  if (!row)
    throw new HubError('trust.unknown', `${app} has no trusted publisher ${JSON.stringify(id.slice(0, 100))}`)
  if (dryRun) return row
  await hub.records.transaction(async (records) => {
    for (const token of await records.trusts.tokensOf(id))
      await records.tokens.revoke(token, timestamp(hub.clock.now()))
    await records.trusts.remove(id)
    await recordChange(records, hub.clock, {
      ...{ type: 'trust.removed', subject: id, app, before: trustFacts(row) },
    })
  })
  return row
}

export function claimsOf({ claims }: Pick<TrustRow, 'claims'>): Readonly<Record<string, string>> {
  return JSON.parse(claims) as Record<string, string>
}

function trustFacts(row: TrustRow) {
  const { provider, issuer, maySendCommands } = row
  return { provider, issuer, claims: claimsOf(row), commands: maySendCommands === 1 }
}

/** What a host name stands for is judged whenever its keys are fetched. */
function refuseIssuer({ identityAllow }: Hub['config'], issuer: string): void {
  const url = new URL(issuer)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (!isSecure(url))
    throw new HubError(
      'trust.forbidden_issuer',
      `${issuer} is no https address: its keys could be exchanged on the way`,
    )
  if (isIP(host) === 0 || addressRule(identityAllow)(host)) return
  throw new HubError(
    'trust.forbidden_issuer',
    `${host} is no address of the public internet; an operator may list its network in HUB_IDENTITY_ALLOW`,
  )
}

function exists({ app, id }: TrustRow): HubError {
  return new HubError('trust.exists', `${app} trusts this identity already (${id}); remove that one first`)
}
