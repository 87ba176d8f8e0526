/** `/apps/{app}/trusted-publishers`: whom an app trusts; and `/trusted-publishing/token`, which needs no token but an identity. */
import express, { Router } from 'express'
import { z } from 'zod'
import { exchangeIdentity } from '../access/exchange-identity.ts'
import { trustOf, trustShape } from '../access/trust-shape.ts'
import { addTrust, claimsOf, removeTrust } from '../access/trust.ts'
import type { Hub } from '../hub.ts'
import type { TrustRow } from '../records/trusts.ts'
import { authorize } from './auth.ts'
import type { TrustedPublisher } from './openapi/trust.ts'
import { tokenJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, sendPage } from './request.ts'

export const exchangeSchema = z.strictObject({
  app: z.string(),
  identity: z.string().min(1).max(16_384).describe('The identity token (a JWT), as the CI gave it.'),
})

export function trustRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/apps/:app/trusted-publishers', async (request, response) => {
    const { name: by } = authorize(response, { to: 'administer' })
    const shape = parseWith(trustShape, request.body, 'the body')
    const dryRun = isDryRun(request)
    const rights = { app: parameter(request, 'app'), maySendCommands: shape.commands }
    const wanted = { ...trustOf(shape), ...rights, by, dryRun }
    const row = await addTrust(hub, wanted)
    if (!dryRun) response.status(201)
    response.json({ ...trustJson(row), ...(dryRun && { id: null, dryRun }) })
  })
  routes.get('/apps/:app/trusted-publishers', async (request, response) => {
    authorize(response, { to: 'administer' })
    const page = await hub.records.trusts.list(parameter(request, 'app'), pageRequest(request))
    sendPage(request, response, page, trustJson)
  })
  routes.delete('/apps/:app/trusted-publishers/:trust', async (request, response) => {
    authorize(response, { to: 'administer' })
    const dryRun = isDryRun(request)
    const wanted = { app: parameter(request, 'app'), id: parameter(request, 'trust'), dryRun }
    response.json({ ...trustJson(await removeTrust(hub, wanted)), ...(dryRun && { dryRun }) })
  })
  return routes
}

/** Before whatever asks who it is: who comes here has no token of the hub yet. */
export function exchangeRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/trusted-publishing/token', express.json({ limit: '64kb' }), async (request, response) => {
    const body = parseWith(exchangeSchema, request.body, 'the body')
    const dryRun = isDryRun(request)
    const { secret, row } = await exchangeIdentity(hub, { ...body, dryRun })
    if (!dryRun) response.status(201)
    response.json({ ...tokenJson(row), ...(dryRun ? { id: null, dryRun } : { token: secret }) })
  })
  return routes
}

export function trustJson(row: TrustRow): TrustedPublisher {
  const { id, app, provider, issuer, maySendCommands, createdBy, createdAt } = row
  const claims = claimsOf(row)
  return { id, app, provider, issuer, claims, commands: maySendCommands === 1, createdBy, createdAt }
}
