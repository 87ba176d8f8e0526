/**
 * What binds an answer of the OpenID provider to the browser that asked. All of it follows from one secret in a cookie, so
 * that nothing is kept here of sign-ins that nobody ends, and any process of the hub can take the answer.
 */
import { createHmac, randomBytes } from 'node:crypto'

export interface SignInSecrets {
  /** In the address that comes back: no other site can have made it. */
  readonly state: string
  /** In the id token: it was issued for this very sign-in. */
  readonly nonce: string
  /** Of PKCE: who has seen the code alone cannot use it. */
  readonly verifier: string
}

export function newSignInSecret(): string {
  return randomBytes(32).toString('base64url')
}

export function secretsOf(secret: string): SignInSecrets {
  const derived = (purpose: string): string =>
    createHmac('sha256', secret).update(purpose).digest('base64url')
  return { state: derived('state'), nonce: derived('nonce'), verifier: derived('verifier') }
}
