/** How the hub asks what is outside: over a connection of its own, to an address that was judged, following no redirect. */
import { request as httpRequest } from 'node:http'
import type { ClientRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import { ForbiddenAddress } from './outside-address.ts'
import type { AddressRule } from './outside-address.ts'

export interface OutsideRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string | number>>
  readonly isAllowed: AddressRule
  /** Made by `guardedLookup` of that rule. */
  readonly lookup: LookupFunction
  /** Ends it at any time, its answer included. */
  readonly signal: AbortSignal
}

/**
 * Begins a request; nothing is sent before its body is ended.
 * @throws {ForbiddenAddress} where the URL has an address in place of a name: nobody else would judge it.
 */
export function beginOutside(url: URL, { isAllowed, headers, ...options }: OutsideRequest): ClientRequest {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isAllowed(host)) throw new ForbiddenAddress(host)
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest
  return start(url, { ...options, agent: false, headers: { ...headers, Connection: 'close' } })
}

/** Why it failed. A host with several addresses fails with one error for each; the last is as good as any. */
export function outsideFailure(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return outsideFailure(error.errors.at(-1))
  return error as Error
}
