/** `/keys`: the keys that sign for the hub; and what nodes fetch of them. */
import { Router } from 'express'
import { z } from 'zod'
import type { Hub } from '../hub.ts'
import { revokeKey } from '../nodes/revoke-key.ts'
import { DEFAULT_OVERLAP_SEC, rotateKey } from '../nodes/rotate-key.ts'
import { authorize } from './auth.ts'
import { reasonField } from './reason.ts'
import { keysJson } from './key-json.ts'
import { isDryRun, parameter, parseWith } from './request.ts'

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const
const seconds = z
  .string()
  .regex(/^[0-9]{1,6}[smhd]$/, 'must be a time such as 12h or 7d')
  .transform((text) => Number(text.slice(0, -1)) * UNITS[text.at(-1) as keyof typeof UNITS])

export const rotationSchema = z.strictObject({
  purpose: z.enum(['overlay', 'binhost']),
  overlap: seconds
    .default(DEFAULT_OVERLAP_SEC)
    .describe('How long the old key signs on; 7d unless it is said.'),
  expiresIn: seconds.nullable().default(null).describe('An end for the new key; null: none.'),
})

export const revocationSchema = z.strictObject({
  reason: z.enum(['compromised', 'superseded', 'retired']),
  note: z
    .union([z.literal(''), reasonField])
    .default('')
    .describe('Published with the key.'),
})

export function keyRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/keys', async (_request, response) => {
    authorize(response, { to: 'administer' })
    response.json({ items: await keysJson(hub), nextCursor: null })
  })
  routes.post('/keys/:fingerprint/revoke', async (request, response) => {
    const { name: by } = authorize(response, { to: 'administer' })
    const { reason, note } = parseWith(revocationSchema, request.body, 'the body')
    const dryRun = isDryRun(request)
    const fingerprint = parameter(request, 'fingerprint').toUpperCase()
    await revokeKey(hub, { fingerprint, reason, note, by, dryRun })
    response.json({ ...(await keyOf(hub, fingerprint)), ...(dryRun && { dryRun }) })
  })
  routes.post('/keys', async (request, response) => {
    const { name: by } = authorize(response, { to: 'administer' })
    const { purpose, overlap, expiresIn } = parseWith(rotationSchema, request.body, 'the body')
    const dryRun = isDryRun(request)
    const rotation = { purpose, overlapSec: overlap, lifeSec: expiresIn, by, dryRun }
    const made = await rotateKey(hub, rotation)
    if (made === null) response.json({ purpose, overlapSec: overlap, dryRun })
    else response.status(201).json(await keyOf(hub, made.key.fingerprint))
  })
  return routes
}

async function keyOf(hub: Hub, fingerprint: string) {
  return (await keysJson(hub)).find((key) => key.fingerprint === fingerprint)
}

/** Public: addresses that need no token. */
export function publicKeyRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/keys/hub.asc', (_request, response) => {
    response.type('application/pgp-keys').send(hub.overlayKeys.publicKeys)
  })
  routes.get('/keys/statement.json', (_request, response) => {
    const { text, signatures, former } = hub.keys.statement
    const before = former.map((one) => ({ statement: one.text, signatures: one.signatures }))
    response.set('Cache-Control', 'no-cache').json({ statement: text, signatures, former: before })
  })
  routes.get('/keys/binhost.asc', (_request, response) => {
    response.type('application/pgp-keys').send(hub.binhostKeys.publicKeys)
  })
  return routes
}
