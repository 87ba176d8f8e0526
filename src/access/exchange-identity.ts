/**
 * Trusted publishing: a job of a CI brings the identity token that its CI gave it, and gets a token of the hub for a few
 * minutes. So no CI keeps a secret of the hub. An identity token is good for one exchange: who reads it afterwards, in a log
 * for example, has nothing.
 */
import { hash } from 'node:crypto'
import { actingAs, currentActor } from '../audit/actor.ts'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import { parseAppName } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import type { TokenRow } from '../records/tokens.ts'
import type { TrustRow } from '../records/trusts.ts'
import { factsOf, jobName } from './ci-facts.ts'
import type { Facts } from './ci-facts.ts'
import { matchesClaim } from './claim-pattern.ts'
import { draftToken } from './tokens.ts'
import { claimsOf } from './trust.ts'
import { claimedIssuer, verifyIdentity } from './verify-identity.ts'
import type { Identity } from './verify-identity.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'config' | 'issuerKeys'>

const TOKEN_LASTS_SEC = 15 * 60

export interface Exchange {
  readonly app: string
  /** The identity token, as its CI gave it. */
  readonly identity: string
  readonly dryRun: boolean
}

/**
 * Gives a token for uploads and checks of the app. Of a dry run it is good for nothing, and the identity token stays unused.
 * @throws {HubError} `app.invalid_name`, and a code of `identity.` that says what is wrong with the identity.
 */
export async function exchangeIdentity(
  hub: Needs,
  { app: appName, identity: presented, dryRun }: Exchange,
): Promise<{ readonly secret: string; readonly row: TokenRow }> {
  const app = parseAppName(appName)
  const issuer = claimedIssuer(presented)
  // Before its keys are fetched: the hub asks only issuers that an administrator named.
  const trusts = await hub.records.trusts.of(app, issuer)
  if (trusts.length === 0) throw untrusted(app, `its issuer is ${quoted(issuer)}`)
  const identity = await verifyIdentity(hub, presented, issuer)
  const { trust, facts } = trustThatFits(app, trusts, identity)
  const token = draftToken(hub.clock.now(), {
    ...{ name: jobName(trust.provider, facts), role: 'developer', apps: [app], environments: null },
    ...{ maySendCommands: trust.maySendCommands === 1, expiresInSec: TOKEN_LASTS_SEC, by: trust.id },
    // All of its tokens are of the one CI job that it trusts.
    owner: trust.id,
  })
  if (dryRun) {
    if (await hub.records.trusts.hasExchanged(markOf(presented, identity))) throw used()
    return token
  }
  const name = `${identity.sub} (${issuer})`.slice(0, 400)
  const actor = { ...currentActor(), name, role: 'identity', id: null }
  await actingAs(actor, async () => {
    await keep(hub, { presented, identity, trust, row: token.row })
  })
  return token
}

async function keep(
  hub: Needs,
  {
    presented,
    identity,
    trust,
    row,
  }: {
    readonly presented: string
    readonly identity: Identity
    readonly trust: TrustRow
    readonly row: TokenRow
  },
): Promise<void> {
  const exchange = {
    ...{ identitySha256: markOf(presented, identity), trust: trust.id, tokenId: row.id },
    identityEndsAt: timestamp(new Date(identity.endSec * 1000)),
  }
  await hub.records.transaction(async (records) => {
    // Read again: it may have been removed while its issuer was asked.
    if (!(await records.trusts.find(trust.app, trust.id)))
      throw untrusted(trust.app, 'it was trusted until now')
    if (!(await records.trusts.addExchange(exchange))) throw used()
    await records.tokens.add(row)
    const { name, expiresAt } = row
    await recordChange(records, hub.clock, {
      ...{ type: 'token.exchanged', subject: row.id, app: trust.app },
      after: { name, expiresAt, trust: trust.id, issuer: identity.iss, identity: identity.sub },
    })
  })
}

/**
 * By what an identity token is told apart: the id that its issuer gave it; else what was signed. Not the whole token: of
 * some algorithms others can make a second signature that holds too.
 */
function markOf(presented: string, { iss, jti }: Identity): string {
  const own =
    typeof jti === 'string' ? ['jti', jti] : ['signed', presented.slice(0, presented.lastIndexOf('.'))]
  return hash('sha256', JSON.stringify([iss, ...own]))
}

/** GitHub runs these for what strangers sent, beside the repository's own secrets. */
const EVENTS_OF_STRANGERS = ['pull_request_target', 'workflow_run']

function trustThatFits(
  app: string,
  trusts: readonly TrustRow[],
  identity: Identity,
): { readonly trust: TrustRow; readonly facts: Facts } {
  const judged = trusts.map((trust) => {
    const facts = factsOf(trust.provider, identity)
    return { trust, facts, wrong: wrongClaims(trust, facts) }
  })
  const [closest] = judged.sort((a, b) => a.wrong.length - b.wrong.length)
  if (!closest) throw new Error('nobody is trusted')
  if (closest.wrong.length === 0) return closest
  // Of what it says itself: whom the app trusts is nobody's to learn from a refusal.
  const said = closest.wrong.map((name) => `${name} is ${quoted(closest.facts[name])}`)
  throw untrusted(app, said.join(', '), { claims: closest.wrong })
}

function wrongClaims(trust: TrustRow, facts: Facts): readonly string[] {
  const wrong = Object.entries(claimsOf(trust)).flatMap(([name, pattern]) =>
    facts[name] !== undefined && matchesClaim(pattern, facts[name]) ? [] : [name],
  )
  const isForStrangers = EVENTS_OF_STRANGERS.includes(facts['event_name'] ?? '')
  return trust.provider === 'github' && isForStrangers ? [...wrong, 'event_name'] : wrong
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'not there' : JSON.stringify(value.slice(0, 200))
}

function untrusted(app: string, why: string, extra: Readonly<Record<string, unknown>> = {}): HubError {
  return new HubError(
    'identity.untrusted',
    `${app} does not trust this identity: ${why}; an administrator may add it to the app's trusted publishers`,
    extra,
  )
}

function used(): HubError {
  return new HubError(
    'identity.used',
    'this identity token was exchanged before, and is good for once; ask the CI for a new one',
  )
}
