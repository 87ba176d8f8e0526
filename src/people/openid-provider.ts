/**
 * The OpenID provider that people sign in with: OpenID Connect Core 1.0, "Authentication using the Authorization Code Flow",
 * with PKCE (RFC 7636), state, nonce and the issuer's own word in the answer (RFC 9207).
 */
import * as openid from 'openid-client'
import type { ProviderFetch } from '../access/provider-fetch.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { SignInSecrets } from './sign-in-secrets.ts'

type Needs = Pick<Hub, 'clock' | 'config'>

/** Who somebody is, by the word of the provider. */
export interface OpenIdentity {
  readonly issuer: string
  readonly subject: string
  readonly claims: Readonly<Record<string, unknown>>
}

/** What the provider says of itself is asked for again after so long. */
const KEPT_MS = 3600_000

export class OpenIdProvider {
  readonly #hub: Needs
  readonly #fetch: ProviderFetch
  #known: { readonly configuration: openid.Configuration; readonly atMs: number } | null = null

  constructor(hub: Needs, fetch: ProviderFetch) {
    this.#hub = hub
    this.#fetch = fetch
  }

  /** @throws {HubError} `openid.not_set_up`. */
  get issuer(): string {
    const { oidcIssuer } = this.#hub.config
    if (oidcIssuer !== null) return oidcIssuer
    throw new HubError(
      'openid.not_set_up',
      'this hub has no OpenID provider (HUB_OIDC_ISSUER): sign in with a name and a password',
    )
  }

  /** Where a browser is sent to sign in. @throws {HubError} `openid.not_set_up`, `openid.unreachable`. */
  async begin({ state, nonce, verifier }: SignInSecrets): Promise<URL> {
    const configuration = await this.#configuration()
    return openid.buildAuthorizationUrl(configuration, {
      redirect_uri: this.#returnAddress(),
      scope: ['openid', ...this.#hub.config.oidcScopes].join(' '),
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...{ state, nonce },
    })
  }

  /**
   * Who came back from there.
   * @param query of the address at which the browser arrived, with its `?`.
   * @throws {HubError} `openid.not_set_up`, `openid.unreachable`; `openid.refused` where the answer is not one to these
   *   secrets, or the provider says no.
   */
  async finish(query: string, { state, nonce, verifier }: SignInSecrets): Promise<OpenIdentity> {
    const configuration = await this.#configuration()
    try {
      const tokens = await openid.authorizationCodeGrant(
        configuration,
        new URL(`${this.#returnAddress()}${query}`),
        { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier },
      )
      const said = tokens.claims()
      if (!said) throw new Error('there is no id token')
      const more = await this.#userInfo(configuration, tokens.access_token, said.sub)
      return { issuer: said.iss, subject: said.sub, claims: { ...more, ...said } }
    } catch (error) {
      throw refusalOf(error)
    }
  }

  /** Many providers tell groups here and not in the id token. */
  async #userInfo(
    configuration: openid.Configuration,
    accessToken: string,
    subject: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (configuration.serverMetadata().userinfo_endpoint === undefined) return {}
    return await openid.fetchUserInfo(configuration, accessToken, subject)
  }

  #returnAddress(): string {
    return `${this.#hub.config.publicUrl}/sign-in/openid/callback`
  }

  async #configuration(): Promise<openid.Configuration> {
    const nowMs = this.#hub.clock.now().getTime()
    if (this.#known && Math.abs(nowMs - this.#known.atMs) < KEPT_MS) return this.#known.configuration
    const configuration = await this.#discover()
    this.#known = { configuration, atMs: nowMs }
    return configuration
  }

  async #discover(): Promise<openid.Configuration> {
    const { oidcClientId, oidcClientSecret } = this.#hub.config
    const issuer = new URL(this.issuer)
    // Which addresses may be asked without TLS, the fetch itself decides.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so to be thought about
    const insecure = issuer.protocol === 'http:' ? [openid.allowInsecureRequests] : []
    try {
      const configuration = await openid.discovery(
        issuer,
        oidcClientId ?? '',
        undefined,
        oidcClientSecret === null ? openid.None() : openid.ClientSecretBasic(oidcClientSecret),
        {
          execute: [...insecure, openid.enableNonRepudiationChecks],
          [openid.customFetch]: async (url, { method, headers, body }) =>
            await this.#fetch(url, { method, headers, body: textOf(body) }),
        },
      )
      // People are told apart by it, so one spelling of it is one provider.
      const { issuer: itself } = configuration.serverMetadata()
      if (itself !== this.issuer)
        throw new Error(`it calls itself ${itself}: HUB_OIDC_ISSUER must be the same`)
      return configuration
    } catch (error) {
      throw unreachable(error)
    }
  }
}

function textOf(body: openid.FetchBody): string {
  if (body === undefined || body === null) return ''
  if (typeof body === 'string' || body instanceof URLSearchParams) return body.toString()
  throw new Error('the body is no form')
}

function unreachable(cause: unknown): HubError {
  return new HubError(
    'openid.unreachable',
    'the OpenID provider does not answer as one; try again later, or sign in with a name and a password',
    {},
    { cause },
  )
}

/** What failed is for the log: the answer came through the browser, and may be anybody's. */
function refusalOf(cause: unknown): HubError {
  if (cause instanceof openid.AuthorizationResponseError)
    return new HubError('openid.refused', `the OpenID provider says no: ${cause.error}`, {}, { cause })
  if (isOfProvider(cause)) return unreachable(cause)
  return new HubError('openid.refused', 'this is no answer to your sign-in, or an old one', {}, { cause })
}

/** Whether nobody answered, or somebody who is not the provider: that is no fault of who signs in. */
function isOfProvider(cause: unknown): boolean {
  if (!(cause instanceof openid.ClientError)) return false
  const answer = cause.cause
  return cause.code === undefined || (answer instanceof Response && answer.status >= 500)
}
