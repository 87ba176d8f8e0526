/** `/keys`: the keys that sign for the hub; and what nodes fetch of them. */
import { Router } from 'express'
import { z } from 'zod'
import type { Hub } from '../hub.ts'
import { DEFAULT_OVERLAP_SEC, rotateKey } from '../nodes/rotate-key.ts'
import { authorize } from './auth.ts'
import { keysJson } from './representations.ts'
import { isDryRun, parseWith } from './request.ts'

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const
const seconds = z
  .string()
  .regex(/^[0-9]{1,6}[smhd]$/, 'must be a time such as 12h or 7d')
  .transform((text) => Number(text.slice(0, -1)) * UNITS[text.at(-1) as keyof typeof UNITS])

const rotationSchema = z.strictObject({
  purpose: z.enum(['overlay', 'binhost']),
  /** How long the old key signs on. */
  overlap: seconds.default(DEFAULT_OVERLAP_SEC),
  expiresIn: seconds.nullable().default(null),
})

export function keyRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/keys', (_request, response) => {
    authorize(response, { to: 'administer' })
    response.json({ items: keysJson(hub), nextCursor: null })
  })
  routes.post('/keys', async (request, response) => {
    const { name: by } = authorize(response, { to: 'administer' })
    const { purpose, overlap, expiresIn } = parseWith(rotationSchema, request.body, 'the body')
    const dryRun = isDryRun(request)
    const rotation = { purpose, overlapSec: overlap, lifeSec: expiresIn, by, dryRun }
    const made = await rotateKey(hub, rotation)
    if (made === null) response.json({ purpose, overlapSec: overlap, dryRun })
    else
      response.status(201).json(keysJson(hub).find(({ fingerprint }) => fingerprint === made.key.fingerprint))
  })
  return routes
}

/** Public: addresses that need no token. */
export function publicKeyRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/keys/hub.asc', (_request, response) => {
    response.type('application/pgp-keys').send(hub.overlayKeys.publicKeys)
  })
  routes.get('/keys/statement.json', (_request, response) => {
    const { text, signatures } = hub.keys.statement
    response.set('Cache-Control', 'no-cache').json({ statement: text, signatures })
  })
  routes.get('/keys/binhost.asc', (_request, response) => {
    response.type('application/pgp-keys').send(hub.binhostKeys.publicKeys)
  })
  return routes
}
