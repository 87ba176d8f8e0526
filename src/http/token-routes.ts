/** `/tokens`: made by administrators, shown once. */
import { Router } from 'express'
import { z } from 'zod'
import { ROLES } from '../access/rights.ts'
import { createToken, revokeToken } from '../access/tokens.ts'
import type { NewToken } from '../access/tokens.ts'
import { HubError } from '../errors.ts'
import { parseAppName } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import { parseNodeName } from '../nodes/node-name.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { authorize, principalOf } from './auth.ts'
import { tokenJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, sendPage } from './request.ts'

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

const bodySchema = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(64)
    .regex(/^[\p{L}\p{N} ._:@/-]+$/u, 'letters, digits, spaces and . _ : @ / -'),
  role: z.enum(ROLES),
  apps: z.array(z.string()).min(1).nullable().default(null),
  environments: z.array(z.string()).min(1).nullable().default(null),
  /** The only node that an enrolment token may make. */
  node: z.string().nullable().default(null),
  /** false: uploads with it may bring neither commands nor an ebuild of their own. */
  commands: z.boolean().default(true),
  /** `90d`, `12h`, `30m`; null: no end. */
  expiresIn: z
    .string()
    .regex(/^[1-9][0-9]{0,5}[smhd]$/, 'must be a time such as 12h or 90d')
    .nullable()
    .default(null),
})

export function tokenRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/tokens', async (request, response) => {
    const { name: by } = authorize(response, { to: 'administer' })
    const body = parseWith(bodySchema, request.body, 'the body')
    checkScope(hub, body)
    const token: NewToken = {
      maySendCommands: body.commands,
      ...body,
      by,
      expiresInSec: body.expiresIn === null ? null : secondsOf(body.expiresIn),
    }
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
    sendPage(request, response, await hub.records.tokens.list(pageRequest(request)), tokenJson)
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
    const { tokenId, name, role, apps, environments, node } = principalOf(response)
    response.json({ id: tokenId, name, role, apps, environments, node })
  })
  return routes
}

/** A scope that the role does not use would promise a limit that is none. */
function checkScope(hub: Hub, body: z.infer<typeof bodySchema>): void {
  for (const environment of body.environments ?? []) overlayOf(hub, environment)
  for (const app of body.apps ?? []) parseAppName(app)
  checkEnrolment(body)
  const scope = body.role === 'administrator' ? null : body.role === 'uploader' ? 'apps' : 'environments'
  for (const unused of ['apps', 'environments'] as const) {
    if (unused === scope || body[unused] === null) continue
    throw new HubError(
      'request.invalid',
      `${body.role} tokens are not limited by ${unused}${scope === null ? '' : `; use ${scope}`}`,
    )
  }
}

function checkEnrolment({ role, environments, node }: z.infer<typeof bodySchema>): void {
  if (role === 'enrol' && environments?.length !== 1)
    throw new HubError(
      'request.invalid',
      'an enrol token is for one environment: send environments with its name',
    )
  if (role !== 'enrol' && node !== null)
    throw new HubError(
      'request.invalid',
      'only enrol tokens are limited to a node; a node gets its own token by enrolment',
    )
  if (node !== null) parseNodeName(node)
}

function secondsOf(duration: string): number {
  return Number(duration.slice(0, -1)) * UNITS[duration.at(-1) as keyof typeof UNITS]
}
