/** `/tokens`: made by administrators, shown once. */
import { Router } from 'express'
import type { Response } from 'express'
import { z } from 'zod'
import { presentName, ROLES } from '../access/rights.ts'
import type { Principal, Role } from '../access/rights.ts'
import { createToken, revokeToken } from '../access/tokens.ts'
import type { NewToken } from '../access/tokens.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { parseNodeName } from '../nodes/node-name.ts'
import { findPerson } from '../people/person.ts'
import type { TokenFilter } from '../records/tokens.ts'
import { authorize, principalOf } from './auth.ts'
import { checkGrant } from './check-grant.ts'
import { durationSeconds } from './duration.ts'
import { principalJson, tokenJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

export const tokenSchema = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(64)
    .regex(/^[\p{L}\p{N} ._:@/-]+$/u, 'letters, digits, spaces and . _ : @ / -'),
  role: z
    .string()
    .overwrite(presentName)
    .pipe(z.enum(ROLES))
    .meta({ override: { type: 'string', enum: [...ROLES] } }),
  apps: z.array(z.string()).min(1).nullable().default(null),
  environments: z.array(z.string()).min(1).nullable().default(null),
  environment: z
    .string()
    .nullable()
    .default(null)
    .describe('Of an enrolment token; the same as `environments` with this one.'),
  person: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'Whose it is, by name or id. null: one that is made in a session, or is an administrator’s, is of whoever makes it; another stands for somebody of its own.',
    ),
  node: z.string().nullable().default(null).describe('The only node that an enrolment token may make.'),
  commands: z
    .boolean()
    .default(true)
    .describe('false: uploads with it may bring neither commands nor an ebuild of their own.'),
  expiresIn: z
    .string()
    .regex(/^[1-9][0-9]{0,5}[smhd]$/, 'must be a time such as 12h or 90d')
    .nullable()
    .default(null)
    .describe('null: no end.'),
})

export function tokenRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/tokens', async (request, response) => {
    const { body, token } = await wantedToken(hub, response, request.body)
    if (isDryRun(request)) {
      response.json({ ...body, dryRun: true })
      return
    }
    const { secret, row } = await createToken(hub, token)
    response.status(201).set('Cache-Control', 'no-store')
    response.json({ ...tokenJson(row), token: secret })
  })
  routes.get('/tokens', async (request, response) => {
    authorize(response, { to: 'administer' })
    const order = query(request, 'order') ?? 'oldest'
    if (order !== 'oldest' && order !== 'newest')
      throw new HubError('request.invalid', '?order= is oldest or newest')
    const given = {
      ...{ role: query(request, 'role'), person: query(request, 'person'), state: query(request, 'state') },
    }
    const filter = await tokenFilterOf(hub, given)
    sendPage(request, response, await hub.records.tokens.list(pageRequest(request), filter, order), tokenJson)
  })
  routes.delete('/tokens/:token', async (request, response) => {
    authorize(response, { to: 'administer' })
    if (isDryRun(request)) {
      response.json({ id: parameter(request, 'token'), dryRun: true })
      return
    }
    response.json(tokenJson(await revokeToken(hub, parameter(request, 'token'))))
  })
  routes.get('/whoami', (_request, response) => {
    response.json(principalJson(principalOf(response)))
  })
  return routes
}

/**
 * The token that somebody who may make one asks for.
 * @throws {HubError} `auth.forbidden`; `request.invalid`; what `checkGrant` and `findPerson` throw.
 */
export async function wantedToken(
  hub: Hub,
  response: Response,
  given: unknown,
): Promise<{ readonly body: TokenBody; readonly token: NewToken }> {
  const maker = authorize(response, { to: 'administer' })
  const body = withEnvironments(parseWith(tokenSchema, given, 'the token'))
  checkScope(hub, body)
  const token = {
    maySendCommands: body.commands,
    ...body,
    by: maker.name,
    owner: body.person === null ? ownerOf(maker, body.role) : (await findPerson(hub, body.person)).id,
    expiresInSec: body.expiresIn === null ? null : durationSeconds(body.expiresIn),
  }
  return { body, token }
}

/** What `?role=`, `?person=` and `?state=` say. @throws {HubError} `request.invalid`; `person.unknown`. */
export async function tokenFilterOf(
  hub: Pick<Hub, 'records' | 'clock'>,
  given: Readonly<Record<'role' | 'person' | 'state', string | null>>,
): Promise<TokenFilter> {
  const { person, state } = given
  const role = given.role === null ? null : ROLES.find((one) => one === presentName(given.role ?? ''))
  if (role === undefined) throw new HubError('request.invalid', `?role= is one of ${ROLES.join(', ')}`)
  if (state !== null && state !== 'good' && state !== 'ended')
    throw new HubError('request.invalid', '?state= is good or ended')
  return {
    roles: role === null ? null : [role],
    owner: person === null ? null : (await findPerson(hub, person)).id,
    good: state === null ? null : { now: timestamp(hub.clock.now()), is: state === 'good' },
  }
}

/**
 * Who is behind a token that names nobody. With a token one makes those of others: a hub without accounts knows people by
 * their tokens alone. In a session, or where it is as mighty as its maker, it is the maker's, who else could approve an own
 * request with it.
 */
function ownerOf(maker: Principal, role: Role): string | null {
  return maker.kind === 'person' || role === 'administrator' ? maker.owner : null
}

type TokenBody = Omit<z.infer<typeof tokenSchema>, 'environment'>

/** @throws {HubError} `request.invalid` for both ways of saying it, or for another role than enrol. */
function withEnvironments({ environment, ...body }: z.infer<typeof tokenSchema>): TokenBody {
  if (environment === null) return body
  if (body.role === 'enrol' && body.environments === null) return { ...body, environments: [environment] }
  throw new HubError(
    'request.invalid',
    'environment is for enrol tokens, in place of environments: send one of the two',
  )
}

function checkScope(hub: Hub, body: TokenBody): void {
  checkEnrolment(body)
  checkGrant(hub, body)
}

function checkEnrolment({ role, environments, node }: TokenBody): void {
  if (role === 'enrol' && environments?.length !== 1)
    throw new HubError(
      'request.invalid',
      'an enrol token is for one environment: send environment with its name',
    )
  if (role !== 'enrol' && node !== null)
    throw new HubError(
      'request.invalid',
      'only enrol tokens are limited to a node; a node gets its own token by enrolment',
    )
  if (node !== null) parseNodeName(node)
}
