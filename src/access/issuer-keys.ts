/**
 * The public keys of issuers of identities, by their discovery documents (OpenID Connect Discovery 1.0, "Obtaining OpenID
 * Provider Configuration Information"). Kept for minutes, and asked for again when a token names one that is not among
 * them: issuers change their keys when they like.
 */
import { createLocalJWKSet, errors } from 'jose'
import type { CryptoKey, FlattenedJWSInput, JSONWebKeySet, JWSHeaderParameters } from 'jose'
import type { Hub } from '../hub.ts'
import type { ProviderFetch } from './provider-fetch.ts'

type FindKey = (header?: JWSHeaderParameters, token?: FlattenedJWSInput) => Promise<CryptoKey>

interface KnownKeys {
  readonly find: FindKey
  readonly fetchedAtMs: number
}

/** A key that its issuer takes away is believed for so long. */
const KEPT_MS = 10 * 60_000
/** Tokens with made-up key ids do not make the hub ask more often than this. */
const COOLDOWN_MS = 30_000

export class IssuerKeys {
  readonly #clock: Hub['clock']
  readonly #fetch: ProviderFetch
  readonly #known = new Map<string, KnownKeys>()
  readonly #loading = new Map<string, Promise<KnownKeys>>()

  constructor(clock: Hub['clock'], fetch: ProviderFetch) {
    this.#clock = clock
    this.#fetch = fetch
  }

  /**
   * The key of an issuer, which must be one that somebody trusts, that a token says it is signed with.
   * @throws a `JOSEError` where the issuer has no such key; an `IssuerSilent` where it cannot be asked.
   */
  async find(issuer: string, header?: JWSHeaderParameters, token?: FlattenedJWSInput): Promise<CryptoKey> {
    const known = this.#known.get(issuer)
    const usable = known && this.#ageOf(known) < KEPT_MS ? known : await this.#load(issuer)
    try {
      return await usable.find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || this.#ageOf(usable) < COOLDOWN_MS) throw error
      return await (await this.#load(issuer)).find(header, token)
    }
  }

  /** A clock that was set back makes keys old, not young. */
  #ageOf({ fetchedAtMs }: KnownKeys): number {
    return Math.abs(this.#clock.now().getTime() - fetchedAtMs)
  }

  /** Whoever needs the same keys at the same time waits for the same answer. */
  async #load(issuer: string): Promise<KnownKeys> {
    const loading = this.#loading.get(issuer) ?? this.#ask(issuer)
    this.#loading.set(issuer, loading)
    try {
      return await loading
    } finally {
      this.#loading.delete(issuer)
    }
  }

  async #ask(issuer: string): Promise<KnownKeys> {
    try {
      const about = await this.#json(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
      if (about['issuer'] !== issuer) throw new Error('its discovery document is of another issuer')
      const keys = await this.#json(addressOfKeys(issuer, about['jwks_uri']))
      const known = {
        find: createLocalJWKSet(keys as unknown as JSONWebKeySet),
        fetchedAtMs: this.#clock.now().getTime(),
      }
      this.#known.set(issuer, known)
      return known
    } catch (error) {
      throw new IssuerSilent(issuer, { cause: error })
    }
  }

  async #json(url: string): Promise<Record<string, unknown>> {
    const response = await this.#fetch(url, { headers: { Accept: 'application/json' } })
    if (response.status !== 200) throw new Error(`${url} answers ${String(response.status)}`)
    const value: unknown = await response.json()
    if (typeof value !== 'object' || value === null) throw new Error(`${url} answers no object`)
    return value as Record<string, unknown>
  }
}

/** The keys cannot be had: nobody answers, or not as an issuer does. */
export class IssuerSilent extends Error {
  constructor(issuer: string, options: ErrorOptions) {
    super(`the keys of ${issuer} cannot be had`, options)
  }
}

/** An issuer on the internet does not make the hub ask what listens on its own host. */
function addressOfKeys(issuer: string, address: unknown): string {
  if (typeof address !== 'string' || !URL.canParse(address))
    throw new Error('its discovery document names no jwks_uri')
  const url = new URL(address)
  if (url.protocol !== 'https:' && url.origin !== new URL(issuer).origin)
    throw new Error('its jwks_uri is no https address')
  return address
}
