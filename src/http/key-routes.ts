/** `/keys`: the keys that sign for the hub; and what nodes fetch of them. */
import { Router } from 'express'
import type { Hub } from '../hub.ts'
import { authorize } from './auth.ts'
import { keysJson } from './representations.ts'

export function keyRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/keys', (_request, response) => {
    authorize(response, { to: 'administer' })
    response.json({ items: keysJson(hub), nextCursor: null })
  })
  return routes
}

/** Public: addresses that need no token. */
export function publicKeyRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/keys/hub.asc', (_request, response) => {
    response.type('application/pgp-keys').send(hub.overlayKeys.publicKeys)
  })
  routes.get('/keys/binhost.asc', (_request, response) => {
    response.type('application/pgp-keys').send(hub.binhostKeys.publicKeys)
  })
  return routes
}
