/** The identity that a CI gives the job in which a command runs, and the hub's token for it (docs/ci.md, "Without a stored token"). */
import type { ClientSettings } from '../config.ts'
import { apiPath } from './api-path.ts'
import { Client } from './client.ts'
import { EXIT } from './exit-status.ts'
import { Failure, wrongUsage } from './failure.ts'
import type { Session } from './session.ts'

const TIME_LIMIT_MS = 30_000

/** Whether there is one to be had. */
export function hasIdentity({ identity }: Pick<ClientSettings, 'identity'>): boolean {
  return identity.token !== null || (identity.requestUrl !== null && identity.requestToken !== null)
}

/** The same session, with a token for the app where it has none and the CI vouches for the job. */
export async function asPublisher(session: Session, app: string): Promise<Session> {
  if (session.client.hasToken || !hasIdentity(session.settings)) return session
  const { token } = await exchange(session, app)
  return { ...session, client: new Client(session.client.address, token) }
}

export interface ExchangeAnswer {
  readonly token: string
  readonly name: string
  readonly expiresAt: string
}

/** @throws {Failure} wrong usage where no CI gives an identity; what the hub refuses. */
export async function exchange({ client, settings }: Session, app: string): Promise<ExchangeAnswer> {
  const anonymous = new Client(client.address, null)
  const identity = await identityFor(settings, client.address)
  const path = apiPath('trusted-publishing', 'token')
  return (await anonymous.change<ExchangeAnswer>('POST', path, {}, { app, identity })).body
}

/** @param audience whom it is for: the hub, as its public URL says. */
async function identityFor({ identity }: ClientSettings, audience: string): Promise<string> {
  const { token, requestUrl, requestToken } = identity
  if (token !== null) return token
  if (requestUrl !== null && requestToken !== null) return await askGithub(requestUrl, requestToken, audience)
  throw wrongUsage(
    'no CI gives this job an identity: set HUB_OIDC_TOKEN, or in GitHub Actions the permission "id-token: write"',
  )
}

/** Source: GitHub's "OpenID Connect reference", "Methods for requesting the OIDC token". */
async function askGithub(requestUrl: string, requestToken: string, audience: string): Promise<string> {
  const url = new URL(requestUrl)
  url.searchParams.set('audience', audience)
  try {
    const response = await fetch(url, {
      headers: { Authorization: `Bearer ${requestToken}`, Accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(TIME_LIMIT_MS),
    })
    const answer = (await response.json()) as { readonly value?: unknown } | null
    if (response.ok && typeof answer?.value === 'string') return answer.value
    throw new Error(`it answers ${String(response.status)}`)
  } catch (error) {
    const why = (error as Error).message
    throw new Failure('identity.unavailable', `GitHub gives this job no identity: ${why}`, EXIT.unreachable)
  }
}
