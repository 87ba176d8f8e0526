/** Whether a token is what its issuer says of somebody, to this hub, now (RFC 7519; OpenID Connect Core, "ID Token Validation"). */
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import type { JWTPayload } from 'jose'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { IssuerSilent } from './issuer-keys.ts'

type Needs = Pick<Hub, 'clock' | 'config' | 'issuerKeys'>

export type Identity = JWTPayload &
  Required<Pick<JWTPayload, 'iss' | 'sub' | 'aud' | 'exp' | 'iat'>> & {
    /** When nothing may be done with it any more, in seconds since 1970. */
    readonly endSec: number
  }

/** Of a key pair, all: with a shared secret, whoever reads the issuer's public keys could sign. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA']
/** Two clocks differ by so much. */
const LEEWAY_SEC = 30
/** Some CIs let a token last as long as its job; no job lasts longer than this. */
const MOST_AGE_SEC = 24 * 3600

/** Who claims to have issued it; nothing of it is known to be true. @throws {HubError} `identity.invalid`. */
export function claimedIssuer(token: string): string {
  let issuer: unknown
  try {
    decodeProtectedHeader(token)
    issuer = decodeJwt(token).iss
  } catch {
    throw invalid('it is no JSON Web Token')
  }
  if (typeof issuer === 'string') return issuer
  throw invalid('it has no claim "iss"')
}

/**
 * @param issuer one that somebody trusts: its keys are fetched.
 * @throws {HubError} `identity.invalid`, `identity.wrong_audience`, `identity.expired`, `identity.issuer_unreachable`.
 */
export async function verifyIdentity(hub: Needs, token: string, issuer: string): Promise<Identity> {
  const audience = hub.config.publicUrl
  try {
    const { payload, protectedHeader } = await jwtVerify<Identity>(
      token,
      async (header, input) => await hub.issuerKeys.find(issuer, header, input),
      {
        ...{ issuer, audience, algorithms: ALGORITHMS, currentDate: hub.clock.now() },
        ...{ clockTolerance: LEEWAY_SEC, maxTokenAge: MOST_AGE_SEC, requiredClaims: ['sub', 'exp'] },
      },
    )
    refuseOtherKind(protectedHeader.typ)
    if (typeof payload.sub !== 'string') throw invalid('its claim "sub" is no text')
    refuseOtherAudiences(payload.aud, audience)
    return { ...payload, endSec: Math.min(payload.exp, payload.iat + MOST_AGE_SEC) + LEEWAY_SEC }
  } catch (error) {
    throw refusalOf(error, audience)
  }
}

/** An access token of the same issuer is of the same keys, and no identity. */
function refuseOtherKind(type: string | undefined): void {
  if (type !== undefined && type.toUpperCase() !== 'JWT') throw invalid(`it is of the type "${type}"`)
}

/** Whoever else a token is for could show it here. */
function refuseOtherAudiences(found: string | readonly string[], audience: string): void {
  if ([found].flat().some((one) => one !== audience)) throw wrongAudience(audience)
}

function refusalOf(error: unknown, audience: string): unknown {
  if (error instanceof IssuerSilent)
    return new HubError(
      'identity.issuer_unreachable',
      `${error.message}; try again, and if it stays so ask the hub's administrator: the hub's log says why`,
      {},
      { cause: error },
    )
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed)
    return refusalOfClaim(error, audience)
  if (error instanceof errors.JWKSNoMatchingKey) return invalid('its issuer has no such key')
  if (error instanceof errors.JOSEAlgNotAllowed)
    return invalid(`it is not signed by one of ${ALGORITHMS.join(', ')}`)
  // A TypeError: the issuer's key is not fit for its algorithm, for example too short.
  if (error instanceof errors.JOSEError || error instanceof TypeError) return invalid('its signature fails')
  return error
}

function refusalOfClaim(
  { claim, reason }: errors.JWTExpired | errors.JWTClaimValidationFailed,
  audience: string,
): HubError {
  if (claim === 'aud') return wrongAudience(audience)
  if (['exp', 'nbf', 'iat'].includes(claim) && reason === 'check_failed')
    return new HubError(
      'identity.expired',
      `it does not hold at this time ("${claim}"); ask the CI for a new one, and look at the clock of its host`,
    )
  return invalid(`its claim "${claim}" is missing or wrong`)
}

function invalid(why: string): HubError {
  return new HubError('identity.invalid', `this is no identity token that the hub can believe: ${why}`)
}

function wrongAudience(audience: string): HubError {
  return new HubError(
    'identity.wrong_audience',
    `it is not for this hub, or not for it alone; ask the CI for one whose audience is ${audience}`,
  )
}
