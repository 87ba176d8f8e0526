/** People at the door: the cookie of a session, and what a change that comes with one must show. */
import type { IncomingMessage } from 'node:http'
import type { CookieOptions, Request, RequestHandler, Response } from 'express'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { csrfToken, isCsrfToken, sessionOf } from '../people/session.ts'
import type { Entrance, OpenedSession } from '../people/session.ts'
import type { PersonRow } from '../records/people.ts'
import type { SessionRow } from '../records/sessions.ts'

export interface SignedIn {
  readonly person: PersonRow
  readonly session: SessionRow
  readonly secret: string
}

type Needs = Pick<Hub, 'records' | 'clock' | 'config'>

const SESSION = 'portage-hub'
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS']
const CSRF_HEADER = 'X-CSRF-Token'

/** Who has signed in with the browser that asks; null for nobody, and for a session that has ended. */
export async function signedInBy(hub: Needs, request: IncomingMessage): Promise<SignedIn | null> {
  const secret = cookieOf(hub, request, SESSION)
  const found = secret === null ? null : await sessionOf(hub, secret)
  return found === null || secret === null ? null : { ...found, secret }
}

/** @throws {HubError} `auth.required`; `auth.forbidden` for a token, which has no session. */
export function signedIn(response: Response): SignedIn {
  const found = response.locals['signedIn'] as SignedIn | undefined
  if (found) return found
  if (response.locals['principal'] !== undefined)
    throw new HubError('auth.forbidden', 'this is for people who have signed in: a token has no session')
  throw new HubError('auth.required', 'sign in first (POST /api/v1/sign-in, or the page /sign-in)')
}

/** How and from where a session is opened, but for the way of it. */
export function entranceOf(hub: Pick<Hub, 'config'>, request: Request): Omit<Entrance, 'way'> {
  return {
    address: request.ip ?? null,
    userAgent: request.get('User-Agent') ?? null,
    former: cookieOf(hub, request, SESSION),
  }
}

/** Gives the browser what it opened. */
export function keepSession(
  hub: Pick<Hub, 'config'>,
  response: Response,
  { secret }: Pick<OpenedSession, 'secret'>,
): void {
  const maxAge = hub.config.sessionMaxSec * 1000
  response.cookie(cookieName(hub, SESSION), secret, { ...cookieOptions(hub), maxAge })
}

export function dropSession(hub: Pick<Hub, 'config'>, response: Response): void {
  response.clearCookie(cookieName(hub, SESSION), cookieOptions(hub))
}

/**
 * For the API: what changes something and comes with a session comes from a page of the hub. Requests with a token are not
 * concerned, since no browser adds one by itself.
 */
export function guardSession(hub: Pick<Hub, 'config'>): RequestHandler {
  return (request, response, next) => {
    if (response.locals['signedIn'] !== undefined && !SAFE_METHODS.includes(request.method))
      refuseForged(hub, request, response, request.get(CSRF_HEADER))
    next()
  }
}

/**
 * Refuses a change that another site has a browser ask for: it must come from a page of the hub (Sec-Fetch-Site, Origin) and
 * show the session's own token.
 * @throws {HubError} `auth.csrf`.
 */
export function refuseForged(
  hub: Pick<Hub, 'config'>,
  request: Request,
  response: Response,
  token: unknown,
): void {
  refuseForeign(hub, request)
  const isFromBrowser = request.get('Sec-Fetch-Site') !== undefined || request.get('Origin') !== undefined
  const { secret } = signedIn(response)
  if (isFromBrowser && typeof token === 'string' && isCsrfToken(secret, token)) return
  throw new HubError(
    'auth.csrf',
    `a change with a session comes from a page of the hub and carries its ${CSRF_HEADER} (GET /api/v1/session tells it): load the page again; programs send a token instead`,
  )
}

/** Refuses what a page of another site sends, also where nobody has signed in yet. @throws {HubError} `auth.csrf`. */
export function refuseForeign(hub: Pick<Hub, 'config'>, request: Request): void {
  const [site, origin] = [request.get('Sec-Fetch-Site'), request.get('Origin')]
  const own = [new URL(hub.config.publicUrl).origin, `${request.protocol}://${request.get('Host') ?? ''}`]
  if ((site === undefined || site === 'same-origin') && (origin === undefined || own.includes(origin))) return
  throw new HubError(
    'auth.csrf',
    `this was sent by a page of ${origin ?? 'another site'}: open ${hub.config.publicUrl} and do it there`,
  )
}

export function sessionCsrf({ secret }: Pick<SignedIn, 'secret'>): string {
  return csrfToken(secret)
}

/** With `__Host-` a browser takes it from this very host over TLS alone, and no neighbour can put one in its place. */
export function cookieName({ config }: Pick<Hub, 'config'>, name: string): string {
  return isSecure(config) ? `__Host-${name}` : name
}

export function cookieOptions({ config }: Pick<Hub, 'config'>): CookieOptions {
  return { path: '/', httpOnly: true, sameSite: 'lax', secure: isSecure(config) }
}

function isSecure({ publicUrl }: Hub['config']): boolean {
  return publicUrl.startsWith('https:')
}

/** The value of a cookie of the hub; null: the browser has none. */
export function cookieOf(hub: Pick<Hub, 'config'>, request: IncomingMessage, name: string): string | null {
  const start = `${cookieName(hub, name)}=`
  const pair = request.headers.cookie?.split(';').find((text) => text.trim().startsWith(start))
  return pair?.trim().slice(start.length) || null
}
