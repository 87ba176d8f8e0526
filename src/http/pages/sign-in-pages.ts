/** The pages of signing in and out, and of one's own account. */
import { Router, urlencoded } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import type { Hub } from '../../hub.ts'
import { grantsOf } from '../../people/person.ts'
import { endSession, endSessions, sessionsOf } from '../../people/session.ts'
import { setPassword } from '../../people/set-password.ts'
import { useSignInLink } from '../../people/sign-in-link.ts'
import { signIn } from '../../people/sign-in.ts'
import type { Html } from '../../web/html.ts'
import { accountPage, linkPage, signInPage, signOutPage } from '../../web/pages/sign-in-pages.ts'
import { nextPath } from '../next-path.ts'
import { answerPage, fieldsOf, orShowAgain } from './frame.ts'
import { parameter } from '../request.ts'
import {
  dropSession,
  entranceOf,
  keepSession,
  refuseForeign,
  refuseForged,
  sessionCsrf,
  signedIn,
} from '../session.ts'
import type { SignedIn } from '../session.ts'

export function signInPages(hub: Hub, limit: RequestHandler): Router {
  const routes = Router()
  const form = urlencoded({ extended: false, limit: '16kb' })
  routes.get('/sign-in', (request, response) => {
    const next = nextPath(request.query['next'])
    if (response.locals['signedIn'] !== undefined) response.redirect(303, next)
    else
      answerPage(
        request,
        response,
        { title: 'Sign in' },
        signInPage({ name: '', next, openid: openIdName(hub) }),
      )
  })
  routes.post('/sign-in', limit, form, async (request, response) => {
    const next = nextPath(field(request, 'next'))
    const given = { name: field(request, 'name'), password: field(request, 'password') }
    await orShow(
      request,
      response,
      'Sign in',
      signInPage({ name: given.name, next, openid: openIdName(hub) }),
      async () => {
        refuseForeign(hub, request)
        keepSession(hub, response, await signIn(hub, given, entranceOf(hub, request)))
        response.redirect(303, next)
      },
    )
  })
  routes.get('/sign-in/:link', (request, response) => {
    answerPage(request, response, { title: 'Sign in' }, linkPage(parameter(request, 'link')))
  })
  routes.post('/sign-in/:link', limit, async (request, response) => {
    const again = signInPage({ name: '', next: '/account', openid: openIdName(hub) })
    await orShow(request, response, 'Sign in', again, async () => {
      refuseForeign(hub, request)
      const link = parameter(request, 'link')
      keepSession(hub, response, await useSignInLink(hub, link, entranceOf(hub, request)))
      response.redirect(303, '/account')
    })
  })
  addOwn(hub, routes, form)
  return routes
}

function addOwn(hub: Hub, routes: Router, form: RequestHandler): void {
  routes.get('/sign-out', (request, response) => {
    const found = response.locals['signedIn'] as SignedIn | undefined
    if (found) answerPage(request, response, { title: 'Sign out' }, signOutPage(sessionCsrf(found)))
    else response.redirect(303, '/sign-in')
  })
  routes.post('/sign-out', form, async (request, response) => {
    refuseForged(hub, request, response, field(request, 'csrf'))
    const { person, session } = signedIn(response)
    if (field(request, 'everywhere') === 'true') await endSessions(hub, person.id, false)
    else await endSession(hub, { person: person.id, id: session.id, dryRun: false })
    dropSession(hub, response)
    response.redirect(303, '/sign-in')
  })
  routes.get('/account', async (request, response) => {
    const found = response.locals['signedIn'] as SignedIn | undefined
    if (found) answerPage(request, response, { title: 'Your account' }, await accountOf(hub, found))
    else response.redirect(303, '/sign-in?next=/account')
  })
  routes.post('/account/password', form, async (request, response) => {
    refuseForged(hub, request, response, field(request, 'csrf'))
    const found = signedIn(response)
    const given = { password: field(request, 'password'), current: field(request, 'current') }
    await orShow(request, response, 'Your account', await accountOf(hub, found), async () => {
      const entrance = entranceOf(hub, request)
      const opened = await setPassword(hub, { ...found, ...given, entrance, dryRun: false })
      if (opened) keepSession(hub, response, opened)
      response.redirect(303, '/account')
    })
  })
  routes.post('/account/sessions/:session/end', form, async (request, response) => {
    refuseForged(hub, request, response, field(request, 'csrf'))
    const { person } = signedIn(response)
    await endSession(hub, { person: person.id, id: parameter(request, 'session'), dryRun: false })
    response.redirect(303, '/account')
  })
}

/** null: nobody signs in by an OpenID provider here. */
function openIdName({ config }: Pick<Hub, 'config'>): string | null {
  return config.oidcIssuer === null ? null : config.oidcName
}

async function accountOf(hub: Hub, found: SignedIn): Promise<Html> {
  const { person, session } = found
  const sessions = await sessionsOf(hub, person.id)
  return accountPage({ person, grants: grantsOf(person), session, sessions, csrf: sessionCsrf(found) })
}

/** Does what a form asks for; where that is refused the page is shown again, and tells why. */
async function orShow(
  request: Request,
  response: Response,
  title: string,
  content: Html,
  work: () => Promise<void>,
): Promise<void> {
  await orShowAgain(work, (refusal) => {
    answerPage(request, response, { title, ...refusal }, content)
  })
}

/** A field of a form, as long as any may be; one that is not there is empty. */
function field(request: Request, name: string): string {
  return (fieldsOf(request)[name] ?? '').slice(0, 2000)
}
