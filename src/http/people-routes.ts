/** `/people`: accounts, made and changed by administrators. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { may, presentName } from '../access/rights.ts'
import type { Grant } from '../access/rights.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { addPerson, changePerson, findPerson, grantsOf } from '../people/person.ts'
import { endSessions } from '../people/session.ts'
import { linkAddress, makeSignInLink } from '../people/sign-in-link.ts'
import type { MadeLink } from '../people/sign-in-link.ts'
import type { PersonRow } from '../records/people.ts'
import { authorize, principalOf } from './auth.ts'
import { checkGrant } from './check-grant.ts'
import { durationSeconds } from './duration.ts'
import { isDryRun, pageRequest, parameter, parseWith, sendPage } from './request.ts'

/** Nodes and machines on their way to become one have tokens, and no account. */
export const PERSONAL_ROLES = ['administrator', 'release-manager', 'approver', 'developer', 'reader'] as const

export const grantsSchema = z
  .array(
    z.strictObject({
      role: z
        .string()
        .overwrite(presentName)
        .pipe(z.enum(PERSONAL_ROLES))
        .meta({ override: { type: 'string', enum: [...PERSONAL_ROLES] } }),
      apps: z.array(z.string()).min(1).nullable().default(null),
      environments: z.array(z.string()).min(1).nullable().default(null),
    }),
  )
  .max(50)

const fullName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]+$/u, 'must be one line without control characters')
  .nullable()

export const personSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._@+-]{0,63}$/, '1 to 64 lower-case letters, digits and . _ @ + -')
    .refine((name) => !name.startsWith('prs_'), 'must not begin as an id does'),
  fullName: fullName.default(null),
  subject: z
    .string()
    .min(1)
    .max(255)
    .nullable()
    .default(null)
    .describe('As whom the OpenID provider of the hub knows them (`sub`): they may sign in there.'),
  grants: grantsSchema.default([]),
})
export const personChangeSchema = z.strictObject({
  fullName: fullName.optional(),
  grants: grantsSchema.optional(),
  disabled: z.boolean().optional(),
})
export const linkWishSchema = z.strictObject({
  /** For how long it is good; `7d` at most. */
  expiresIn: z
    .string()
    .regex(/^[1-9][0-9]{0,5}[smhd]$/, 'must be a time such as 12h or 3d')
    .default('24h'),
})

const MOST_LINK_SEC = 7 * 86_400

export function peopleRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/people', async (request, response) => {
    const dryRun = isDryRun(request)
    const person = await addAsked(hub, response, request.body, dryRun)
    if (!dryRun) response.status(201).location(`${request.baseUrl}/people/${person.id}`)
    response.json({ ...personJson(person), ...(dryRun && { id: null, dryRun }) })
  })
  routes.get('/people', async (request, response) => {
    authorize(response, { to: 'administer' })
    sendPage(request, response, await hub.records.people.list(pageRequest(request)), personJson)
  })
  routes.get('/people/:person', async (request, response) => {
    response.json(personJson(await visiblePerson(hub, request, response)))
  })
  routes.patch('/people/:person', async (request, response) => {
    const dryRun = isDryRun(request)
    const person = await changeAsked(hub, request, response, request.body, dryRun)
    response.json({ ...personJson(person), ...(dryRun && { dryRun }) })
  })
  addLinkAndSignOut(hub, routes)
  return routes
}

function addLinkAndSignOut(hub: Hub, routes: Router): void {
  routes.post('/people/:person/link', async (request, response) => {
    const dryRun = isDryRun(request)
    const wanted = parameter(request, 'person')
    const { person, link, secret } = await linkAsked(hub, response, wanted, request.body ?? {}, dryRun)
    if (!dryRun) response.status(201)
    response.json({
      person: person.name,
      expiresAt: link.expiresAt,
      ...(dryRun ? { dryRun } : { link: linkAddress(hub, secret) }),
    })
  })
  routes.post('/people/:person/sign-out', async (request, response) => {
    authorize(response, { to: 'administer' })
    const { id, name } = await findPerson(hub, parameter(request, 'person'))
    const dryRun = isDryRun(request)
    const ended = await endSessions(hub, id, dryRun)
    response.json({ person: name, ended, ...(dryRun && { dryRun }) })
  })
}

/** Adds whom `given` describes, in the words of `personSchema`; API and pages alike. */
export async function addAsked(
  hub: Hub,
  response: Response,
  given: unknown,
  dryRun: boolean,
): Promise<PersonRow> {
  const { name: by } = authorize(response, { to: 'administer' })
  const { subject, ...body } = parseWith(personSchema, given, 'the person')
  checkGrants(hub, body.grants)
  const identity = subject === null ? null : { issuer: hub.openIdProvider.issuer, subject }
  return await addPerson(hub, { ...body, identity, by, dryRun })
}

/** Changes the person of the path as `given` says, in the words of `personChangeSchema`. */
export async function changeAsked(
  hub: Hub,
  request: Request,
  response: Response,
  given: unknown,
  dryRun: boolean,
): Promise<PersonRow> {
  const by = authorize(response, { to: 'administer' })
  const change = parseWith(personChangeSchema, given, 'the change')
  if (change.grants) checkGrants(hub, change.grants)
  const { id } = await findPerson(hub, parameter(request, 'person'))
  return await changePerson(hub, { id, change: whatIsSent(change), by, dryRun })
}

/** Makes a link for somebody, by name or id; `secret` is its only copy. */
export async function linkAsked(
  hub: Hub,
  response: Response,
  wanted: string,
  given: unknown,
  dryRun: boolean,
): Promise<MadeLink & { readonly person: PersonRow }> {
  const { name: by } = authorize(response, { to: 'administer' })
  const { expiresIn } = parseWith(linkWishSchema, given, 'the link')
  const expiresInSec = durationSeconds(expiresIn)
  if (expiresInSec > MOST_LINK_SEC) throw new HubError('request.invalid', 'a link is good for 7d at most')
  const person = await findPerson(hub, wanted)
  return { person, ...(await makeSignInLink(hub, { person, expiresInSec, by, dryRun })) }
}

/** Administrators see everybody, and everybody themselves. @throws {HubError} `auth.forbidden`; `person.unknown`. */
async function visiblePerson(hub: Hub, request: Request, response: Response): Promise<PersonRow> {
  const principal = principalOf(response)
  const wanted = parameter(request, 'person')
  if (principal.kind === 'person' && [principal.id, principal.name].includes(wanted))
    return await findPerson(hub, principal.id)
  if (!may(principal, { to: 'administer' })) authorize(response, { to: 'administer' })
  return await findPerson(hub, wanted)
}

function checkGrants(hub: Hub, grants: readonly Grant[]): void {
  for (const grant of grants) checkGrant(hub, grant)
}

/** Without the keys that were not sent. */
function whatIsSent(change: z.infer<typeof personChangeSchema>) {
  const { fullName, grants, disabled } = change
  return {
    ...(fullName !== undefined && { fullName }),
    ...(grants !== undefined && { grants }),
    ...(disabled !== undefined && { disabled }),
  }
}

export function personJson(person: PersonRow) {
  const { id, name, fullName, issuer, subject, createdBy, createdAt, signedInAt, disabledAt } = person
  return {
    ...{ id, name, fullName, grants: grantsOf(person), hasPassword: person.password !== null },
    identity: issuer === null ? null : { issuer, subject },
    state: disabledAt === null ? ('active' as const) : ('disabled' as const),
    ...{ createdBy, createdAt, signedInAt, disabledAt },
  }
}
