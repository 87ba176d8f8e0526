/** Who asks: by the token of `Authorization: Bearer`, or as the password of Basic, as git, wget and curl send it; or by a session. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { RequestHandler, Response } from 'express'
import { authenticate, authenticateForEnrolment, digestOf, knownPrincipal } from '../access/tokens.ts'
import { demand, isEnrolment, roleText } from '../access/rights.ts'
import type { Principal, Right } from '../access/rights.ts'
import { actingAs } from '../audit/actor.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { principalOfPerson } from '../people/person.ts'
import { signedInBy } from './session.ts'
import type { SignedIn } from './session.ts'

/** Finds out who asks and keeps it for `principalOf`. No token is no error here; a wrong one is. */
export function identify(hub: Pick<Hub, 'records' | 'clock' | 'config'>): RequestHandler {
  return async (request, response, next) => {
    const { authorization } = request.headers
    const enrols = request.method === 'POST' && request.path === '/api/v1/nodes'
    const signedIn = await personOf(hub, request)
    const principal =
      signedIn !== null
        ? principalOfPerson(signedIn.person)
        : enrols && authorization !== undefined
          ? await authenticateForEnrolment(hub, digestOf(secretOf(authorization)))
          : await authenticateRequest(hub, request)
    if (principal !== null) response.locals['principal'] = principal
    if (signedIn !== null) response.locals['signedIn'] = signedIn
    const requestId = response.getHeader('X-Request-Id')
    const actor = {
      ...{ name: principal?.name ?? 'nobody', role: principal ? roleText(principal) : 'nobody' },
      ...{ id: principal?.id ?? null, address: request.ip ?? null },
      requestId: typeof requestId === 'string' ? requestId : null,
    }
    actingAs(actor, next)
  }
}

/** A token goes before a session. */
async function personOf(
  hub: Pick<Hub, 'records' | 'clock' | 'config'>,
  request: IncomingMessage,
): Promise<SignedIn | null> {
  return request.headers.authorization === undefined ? await signedInBy(hub, request) : null
}

/**
 * For what machines fetch to become nodes: a session counts for nothing there, as with all addresses of Portage. It is said
 * beside the route, since one address can be spelt in several ways.
 */
export const withoutSession: RequestHandler = (_request, response, next) => {
  if (response.locals['signedIn'] !== undefined) {
    delete response.locals['signedIn']
    delete response.locals['principal']
  }
  next()
}

/** Who asks with a token or a session, as things are now. @throws {HubError} `auth.invalid` for a wrong token. */
export async function whoAsks(
  hub: Pick<Hub, 'records' | 'clock' | 'config'>,
  request: IncomingMessage,
): Promise<Principal | null> {
  if (request.headers.authorization !== undefined) return await authenticateRequest(hub, request)
  const signedIn = await signedInBy(hub, request)
  return signedIn && principalOfPerson(signedIn.person)
}

const OPEN_TO_ENROLMENT = ['POST /nodes', 'GET /whoami']

/**
 * Keeps enrolment tokens to the one address that they are for, below /api/v1. They are handed to machines that nobody
 * knows yet, so no route has to think of them.
 */
export const confineEnrolment: RequestHandler = (request, response, next) => {
  const principal = response.locals['principal'] as Principal | undefined
  if (
    principal &&
    isEnrolment(principal) &&
    !OPEN_TO_ENROLMENT.includes(`${request.method} ${request.path}`)
  ) {
    throw new HubError(
      'auth.forbidden',
      `the enrol token "${principal.name}" may enrol a node (POST /api/v1/nodes) and nothing else`,
    )
  }
  next()
}

/** What a connection sent last: nodes send the same token with every request of one. */
const presented = new WeakMap<Socket, { readonly header: string; readonly secretSha256: string }>()

/**
 * Who sent the request; null without a token. At once where the token was seen before, which polls live on.
 * @throws {HubError} `auth.invalid` for a wrong one.
 */
export function authenticateRequest(
  hub: Pick<Hub, 'records' | 'clock'>,
  request: IncomingMessage,
): Principal | null | Promise<Principal> {
  const header = request.headers.authorization
  if (header === undefined) return null
  const last = presented.get(request.socket)
  const secretSha256 = last?.header === header ? last.secretSha256 : digestOf(secretOf(header))
  if (last?.header !== header) presented.set(request.socket, { header, secretSha256 })
  return knownPrincipal(hub, secretSha256) ?? authenticate(hub, secretSha256)
}

/** @throws {HubError} `auth.required` when nobody is known. */
export function principalOf(response: Response): Principal {
  return known((response.locals['principal'] as Principal | undefined) ?? null)
}

function known(principal: Principal | null): Principal {
  if (principal) return principal
  throw new HubError(
    'auth.required',
    'send a token ("Authorization: Bearer <token>", or as the password of HTTP Basic), or sign in',
  )
}

/** The one who asks, if the right is theirs. @throws {HubError} `auth.required`; `auth.forbidden`. */
export function authorize(response: Response, right: Right): Principal {
  const principal = principalOf(response)
  demand(principal, right)
  return principal
}

/** Lets pass who may read the environment, or anybody where the operator opened it. @throws as `authorize`. */
export function authorizeReading(
  hub: Pick<Hub, 'config'>,
  principal: Principal | null,
  environment: string,
): void {
  if (!hub.config.anonymousRead.includes(environment)) demand(known(principal), { to: 'read', environment })
}

/** Lets pass who has the right. @throws as `authorize`. */
export function demandFor(principal: Principal | null, right: Right): void {
  demand(known(principal), right)
}

function secretOf(header: string): string {
  const [scheme = '', value = ''] = header.split(/ +/, 2)
  if (scheme.toLowerCase() === 'bearer' && value !== '') return value
  if (scheme.toLowerCase() === 'basic') {
    const decoded = Buffer.from(value, 'base64').toString('utf8')
    return decoded.slice(decoded.indexOf(':') + 1)
  }
  throw new HubError(
    'auth.invalid',
    'send "Authorization: Bearer <token>", or the token as the password of HTTP Basic',
  )
}
