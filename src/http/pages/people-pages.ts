/** `/people`: accounts, what they may do, and the ways in and out. For administrators. */
import { Router } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { timestamp } from '../../clock.ts'
import type { Hub } from '../../hub.ts'
import { findPerson } from '../../people/person.ts'
import { endSessions, sessionsOf } from '../../people/session.ts'
import { linkAddress } from '../../people/sign-in-link.ts'
import { MOST_GRANT_ROWS } from '../../web/pages/grant-fields.ts'
import { madeLinkPage, peoplePage, personPage } from '../../web/pages/people-page.ts'
import { lastChangesBy } from '../audit-routes.ts'
import { authorize, principalOf } from '../auth.ts'
import { addAsked, changeAsked, linkAsked, PERSONAL_ROLES, personJson } from '../people-routes.ts'
import { tokenJson } from '../representations.ts'
import { pageRequest, parameter } from '../request.ts'
import type { SignedIn } from '../session.ts'
import { sessionJson } from '../sign-in-routes.ts'
import {
  answerPage,
  changeByForm,
  fieldsOf,
  nextPage,
  orShowAgain,
  readForm,
  requireVisitor,
  visitorOf,
} from './frame.ts'
import type { Done, Refusal } from './frame.ts'
import { namesOf } from './token-pages.ts'

/** So many of somebody's tokens and changes are shown; the pages of those have all. */
const SHOWN_TOKENS = 50
const SHOWN_CHANGES = 10

export function peoplePages(hub: Hub): Router {
  const routes = Router()
  routes.get('/people', requireVisitor, async (request, response) => {
    await answerPeople(hub, request, response)
  })
  routes.post('/people', requireVisitor, readForm(hub), async (request: Request, response: Response) => {
    await orShowAgain(
      async () => {
        const { name, fullName, subject } = fieldsOf(request)
        const grants = grantsOfForm(request)
        const person = await addAsked(hub, response, { name: name ?? '', fullName, subject, grants }, false)
        await answerLink(hub, request, response, person.id)
      },
      async (refused) => {
        await answerPeople(hub, request, response, refused)
      },
    )
  })
  routes.get('/people/:person', requireVisitor, async (request, response) => {
    await answerPerson(hub, request, response)
  })
  addChanges(hub, routes)
  return routes
}

function addChanges(hub: Hub, routes: Router): void {
  const change = (
    done: Done,
    work: (request: Request, response: Response) => Promise<unknown>,
  ): RequestHandler[] =>
    changeByForm(
      hub,
      async (request, response) => {
        await work(request, response)
        return [`/people/${encodeURIComponent(parameter(request, 'person'))}`, done]
      },
      async (request, response, refused) => {
        await answerPerson(hub, request, response, refused)
      },
    )
  const changeTo = (what: (request: Request) => object) => async (request: Request, response: Response) =>
    await changeAsked(hub, request, response, what(request), false)
  routes.post(
    '/people/:person/change',
    ...change(
      'granted',
      changeTo((request) => ({
        fullName: fieldsOf(request)['fullName'] ?? null,
        grants: grantsOfForm(request),
      })),
    ),
  )
  routes.post(
    '/people/:person/disable',
    ...change(
      'disabled',
      changeTo(() => ({ disabled: true })),
    ),
  )
  routes.post(
    '/people/:person/enable',
    ...change(
      'enabled',
      changeTo(() => ({ disabled: false })),
    ),
  )
  const signOut = async (request: Request, response: Response) => {
    authorize(response, { to: 'administer' })
    await endSessions(hub, (await findPerson(hub, parameter(request, 'person'))).id, false)
  }
  routes.post('/people/:person/sign-out', ...change('signed-out', signOut))
  routes.post(
    '/people/:person/link',
    requireVisitor,
    readForm(hub),
    async (request: Request, response: Response) => {
      await orShowAgain(
        async () => {
          await answerLink(hub, request, response, parameter(request, 'person'))
        },
        async (refused) => {
          await answerPerson(hub, request, response, refused)
        },
      )
    },
  )
}

async function answerPeople(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  authorize(response, { to: 'administer' })
  const { items, nextCursor } = await hub.records.people.list(pageRequest(request))
  const { oidcIssuer, oidcName } = hub.config
  const content = peoplePage({
    people: items.map(personJson),
    next: nextPage(request, nextCursor),
    roles: PERSONAL_ROLES,
    openid: oidcIssuer === null ? null : oidcName,
    csrf: visitorOf(response)?.csrf ?? '',
    now: hub.clock.now(),
  })
  answerPage(request, response, { title: 'People', section: 'people', ...refused }, content)
}

async function answerPerson(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  authorize(response, { to: 'administer' })
  const row = await findPerson(hub, parameter(request, 'person'))
  const now = hub.clock.now()
  const current = (response.locals['signedIn'] as SignedIn | undefined)?.session.id ?? ''
  const good = { now: timestamp(now), is: true }
  const tokens = await hub.records.tokens.list(
    { limit: SHOWN_TOKENS, cursor: null },
    { roles: null, owner: row.id, good },
    'newest',
  )
  const content = personPage({
    person: personJson(row),
    sessions: (await sessionsOf(hub, row.id)).map((one) => sessionJson(one, current)),
    tokens: tokens.items.map(tokenJson),
    changes: await lastChangesBy(hub, row.name, SHOWN_CHANGES),
    roles: PERSONAL_ROLES,
    isOfProvider: row.issuer !== null && row.createdBy === row.issuer,
    isSelf: principalOf(response).id === row.id,
    csrf: visitorOf(response)?.csrf ?? '',
    now,
  })
  answerPage(request, response, { title: row.name, section: 'people', ...refused }, content)
}

/** The link stands in this answer and nowhere else. */
async function answerLink(hub: Hub, request: Request, response: Response, wanted: string): Promise<void> {
  const { expiresIn } = fieldsOf(request)
  const { person, link, secret } = await linkAsked(hub, response, wanted, { expiresIn }, false)
  const made = { link: linkAddress(hub, secret), expiresAt: link.expiresAt }
  const content = madeLinkPage(person, made, hub.clock.now())
  answerPage(request, response, { title: 'A link to sign in', section: 'people', status: 201 }, content)
}

/** The rows of `grantFields` that name a role, as the API has grants. */
function grantsOfForm(request: Request): readonly object[] {
  const fields = fieldsOf(request)
  return Array.from({ length: MOST_GRANT_ROWS }, (_, at) => String(at)).flatMap((at) => {
    const role = fields[`role${at}`]
    if (role === undefined) return []
    return [{ role, apps: namesOf(fields[`apps${at}`]), environments: namesOf(fields[`environments${at}`]) }]
  })
}
