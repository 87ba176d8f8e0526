/** Signing in and out, and what somebody who has signed in does with their own sessions and password. */
import { json, Router } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { endSession, endSessions, sessionsOf } from '../people/session.ts'
import type { OpenedSession } from '../people/session.ts'
import { setPassword } from '../people/set-password.ts'
import { useSignInLink } from '../people/sign-in-link.ts'
import { signIn } from '../people/sign-in.ts'
import type { SessionRow } from '../records/sessions.ts'
import { personJson } from './people-routes.ts'
import { isDryRun, parameter, parseWith } from './request.ts'
import { dropSession, entranceOf, keepSession, refuseForeign, sessionCsrf, signedIn } from './session.ts'

const password = z.string().min(1).max(1000)
export const signInSchema = z.strictObject({ name: z.string().min(1).max(200), password })
export const linkSchema = z.strictObject({ link: z.string().min(1).max(2000) })
export const signOutSchema = z.strictObject({ everywhere: z.boolean().default(false) })
export const passwordSchema = z.strictObject({ password, current: password.nullable().default(null) })

const body = json({ limit: '16kb' })

/** Signing in. These come before `guardSession`: whoever signs in anew shows who they are, and no session. */
export function signInRoutes(hub: Hub, limit: RequestHandler): Router {
  const routes = Router()
  routes.get('/sign-in', (_request, response) => {
    const { oidcIssuer, oidcName } = hub.config
    const openid = oidcIssuer === null ? null : { name: oidcName, address: '/sign-in/openid' }
    response.json({ password: true, openid })
  })
  routes.post('/sign-in', limit, body, async (request, response) => {
    refuseForeign(hub, request)
    refuseDryRun(request)
    const given = parseWith(signInSchema, request.body, 'the body')
    answerOpened(hub, response, await signIn(hub, given, entranceOf(hub, request)))
  })
  routes.post('/sign-in/link', limit, body, async (request, response) => {
    refuseForeign(hub, request)
    refuseDryRun(request)
    const { link } = parseWith(linkSchema, request.body, 'the body')
    // The whole address will do, as it was given to somebody.
    const secret = link.slice(link.lastIndexOf('/') + 1)
    answerOpened(hub, response, await useSignInLink(hub, secret, entranceOf(hub, request)))
  })
  return routes
}

/** They come before whatever keeps answers or digests of requests: these have passwords in them. */
export function ownSessionRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/sign-out', body, async (request, response) => {
    const { person, session } = signedIn(response)
    const { everywhere } = parseWith(signOutSchema, request.body ?? {}, 'the body')
    const dryRun = isDryRun(request)
    const ended = everywhere ? await endSessions(hub, person.id, dryRun) : 1
    if (!everywhere) await endSession(hub, { person: person.id, id: session.id, dryRun })
    if (!dryRun) dropSession(hub, response)
    response.json({ ended, ...(dryRun && { dryRun }) })
  })
  addOwn(hub, routes)
  return routes
}

function addOwn(hub: Hub, routes: Router): void {
  routes.get('/session', (_request, response) => {
    const { person, session, secret } = signedIn(response)
    response.json(openedJson({ person, session, secret }))
  })
  routes.get('/sessions', async (_request, response) => {
    const { person, session } = signedIn(response)
    const items = (await sessionsOf(hub, person.id)).map((one) => sessionJson(one, session.id))
    response.json({ items, nextCursor: null })
  })
  routes.delete('/sessions/:session', async (request, response) => {
    const { person, session } = signedIn(response)
    const dryRun = isDryRun(request)
    const ended = await endSession(hub, { person: person.id, id: parameter(request, 'session'), dryRun })
    if (ended.id === session.id && !dryRun) dropSession(hub, response)
    response.json({ ...sessionJson(ended, session.id), ...(dryRun && { dryRun }) })
  })
  routes.put('/password', body, async (request, response) => {
    const { person, session } = signedIn(response)
    const given = parseWith(passwordSchema, request.body, 'the body')
    const dryRun = isDryRun(request)
    const entrance = entranceOf(hub, request)
    const opened = await setPassword(hub, { person, session, ...given, entrance, dryRun })
    if (opened === null) response.json({ dryRun })
    else answerOpened(hub, response, opened)
  })
}

function refuseDryRun(request: Request): void {
  if (isDryRun(request)) throw new HubError('request.invalid', 'this has no dry run; leave ?dryRun= out')
}

function answerOpened(hub: Hub, response: Response, opened: OpenedSession): void {
  keepSession(hub, response, opened)
  response.json(openedJson(opened))
}

/** `csrf` goes with every change, in a header. */
export function openedJson(opened: OpenedSession) {
  const { person, session } = opened
  return { person: personJson(person), session: sessionJson(session, session.id), csrf: sessionCsrf(opened) }
}

/** @param current the session that asks. */
export function sessionJson(session: SessionRow, current: string) {
  const { id, way, address, userAgent, createdAt, seenAt, expiresAt } = session
  return { id, way, address, userAgent, createdAt, seenAt, expiresAt, current: id === current }
}
