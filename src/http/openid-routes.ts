/** `/sign-in/openid`: to the OpenID provider and back. Addresses for a browser, not for programs. */
import { Router } from 'express'
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { ERRORS, HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newSignInSecret, secretsOf } from '../people/sign-in-secrets.ts'
import { signInByIdentity } from '../people/sign-in-openid.ts'
import { notSignedInPage } from '../web/pages/not-signed-in-page.ts'
import { requestId } from './error-handler.ts'
import { nextPath } from './next-path.ts'
import { answerPage } from './pages/frame.ts'
import { query } from './request.ts'
import { cookieName, cookieOf, cookieOptions, entranceOf, keepSession } from './session.ts'

const COOKIE = 'portage-hub-openid'
/** As long as somebody may take to sign in over there. */
const PATIENCE_MS = 15 * 60_000

export function openIdRoutes(hub: Hub, limit: RequestHandler): Router {
  const routes = Router()
  routes.get('/sign-in/openid', async (request, response) => {
    const secret = newSignInSecret()
    const address = await hub.openIdProvider.begin(secretsOf(secret))
    keepSecret(hub, response, secret, nextPath(query(request, 'next')))
    response.set('Cache-Control', 'no-store').redirect(303, address.href)
  })
  routes.get('/sign-in/openid/callback', limit, async (request, response) => {
    const { secret, to } = takeSecret(hub, request, response)
    const { search } = new URL(request.originalUrl, hub.config.publicUrl)
    const identity = await hub.openIdProvider.finish(search, secretsOf(secret))
    keepSession(hub, response, await signInByIdentity(hub, identity, entranceOf(hub, request)))
    response.set('Cache-Control', 'no-store').redirect(303, `${hub.config.publicUrl}${to}`)
  })
  routes.use('/sign-in/openid', refusalPage(hub))
  return routes
}

/** Somebody looks at a browser, and is told in words; a 401 of the API would have it ask for a password instead. */
function refusalPage(hub: Pick<Hub, 'log'>): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (!(error instanceof HubError) || request.accepts(['html', 'json']) !== 'html') {
      next(error)
      return
    }
    const { status, title } = ERRORS[error.code]
    const id = requestId(response)
    hub.log.warn({ err: error, requestId: id }, 'somebody could not sign in by OpenID Connect')
    const content = notSignedInPage({ title, detail: error.message, requestId: id })
    answerPage(request, response, { title, status, notice: null }, content)
  }
}

function keepSecret(hub: Pick<Hub, 'config'>, response: Response, secret: string, to: string): void {
  const value = `${secret}.${Buffer.from(to).toString('base64url')}`
  response.cookie(cookieName(hub, COOKIE), value, { ...cookieOptions(hub), maxAge: PATIENCE_MS })
}

/** Good for one answer, whatever that says. @throws {HubError} `openid.refused`. */
function takeSecret(
  hub: Pick<Hub, 'config'>,
  request: Request,
  response: Response,
): { readonly secret: string; readonly to: string } {
  response.clearCookie(cookieName(hub, COOKIE), cookieOptions(hub))
  const value = cookieOf(hub, request, COOKIE) ?? ''
  const [secret = '', to = ''] = value.split('.')
  if (secret === '')
    throw new HubError(
      'openid.refused',
      'this browser did not begin to sign in here, or too long ago: begin again at /sign-in/openid',
    )
  return { secret, to: nextPath(Buffer.from(to, 'base64url').toString()) }
}
