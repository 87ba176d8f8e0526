/** `/rollbacks`: asked for here, taken by the node at its next contact. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { findEnvironmentRollback, rollBackEnvironment } from '../nodes/roll-back-environment.ts'
import { endRollback, findRollback, requestRollback } from '../nodes/roll-back.ts'
import { authorize } from './auth.ts'
import { ownNode } from './own-node.ts'
import { reasonField } from './reason.ts'
import { environmentRollbackJson, publishedJson, rollbackJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

export const rollbackSchema = z.strictObject({
  node: z.string(),
  app: z.string(),
  restorePoint: z.string().nullable().default(null).describe('null: the newest complete one of the app.'),
  withDump: z
    .boolean()
    .default(false)
    .describe('The dump is loaded too, and what was written since is lost.'),
  force: z
    .boolean()
    .default(false)
    .describe('Go back although the schema of the installed build forbids it.'),
})

export const environmentRollbackSchema = z.strictObject({
  environment: z.string(),
  app: z.string(),
  build: z.int().min(1),
  reason: reasonField,
  newer: z.boolean().default(false).describe('Hold and mask what comes after the builds that are left too.'),
  withDump: z
    .boolean()
    .default(false)
    .describe('The dump is loaded too, and what was written since is lost.'),
  force: z
    .boolean()
    .default(false)
    .describe('Go back although the schema of the installed build forbids it.'),
})

export const resultSchema = z.object({
  status: z.int().min(0).max(255).describe('The exit status of hub-node: 0 says that it went back.'),
  detail: z.string().max(4000).optional(),
})

const STATES = ['requested', 'done', 'failed', 'cancelled'] as const

export function rollbackRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/rollbacks', async (request, response) => {
    const { name: by } = authorize(response, { to: 'administer' })
    if (isOfEnvironment(request.body)) {
      await answerOfEnvironment(hub, request, response, by)
      return
    }
    const { restorePoint: point, ...wish } = parseWith(rollbackSchema, request.body, 'the rollback')
    const dryRun = isDryRun(request)
    const { rollback, preview } = await requestRollback(hub, { ...wish, point, by, dryRun })
    if (!dryRun) response.status(201).location(`${request.baseUrl}/rollbacks/${rollback.id}`)
    response.json({ ...rollbackJson(rollback), preview, ...(dryRun && { dryRun }) })
  })
  routes.get('/rollbacks', async (request, response) => {
    authorize(response, { to: 'administer' })
    await sendRollbacks(hub, request, response, query(request, 'node'))
  })
  routes.get('/rollbacks/:rollback', async (request, response) => {
    authorize(response, { to: 'administer' })
    const id = parameter(request, 'rollback')
    if (id.startsWith('rbe_')) response.json(environmentRollbackJson(await findEnvironmentRollback(hub, id)))
    else response.json(rollbackJson(await findRollback(hub, id)))
  })
  routes.delete('/rollbacks/:rollback', async (request, response) => {
    const { name } = authorize(response, { to: 'administer' })
    const id = parameter(request, 'rollback')
    const end = { state: 'cancelled', detail: `by ${name}` } as const
    const dryRun = isDryRun(request)
    const rollback = dryRun ? await findRollback(hub, id) : await endRollback(hub, id, end)
    response.json({ ...rollbackJson(rollback), ...(dryRun && { dryRun }) })
  })
  addNodeRoutes(hub, routes)
  return routes
}

/** A body with an environment is of all of its nodes; any other is of one node. */
function isOfEnvironment(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'environment' in body
}

async function answerOfEnvironment(
  hub: Hub,
  request: Request,
  response: Response,
  by: string,
): Promise<void> {
  const wish = parseWith(environmentRollbackSchema, request.body, 'the rollback')
  const dryRun = isDryRun(request)
  const { published, ...made } = await rollBackEnvironment(hub, { ...wish, by, dryRun })
  if (!dryRun) response.status(201).location(`${request.baseUrl}/rollbacks/${made.rollback.id}`)
  response.json({
    ...environmentRollbackJson(made),
    published: publishedJson(published),
    ...(dryRun && { id: null, dryRun }),
  })
}

/** What the node itself asks and tells. */
function addNodeRoutes(hub: Hub, routes: Router): void {
  routes.get('/nodes/:node/rollbacks', async (request, response) => {
    const node = ownNode(request, response)
    await sendRollbacks(hub, request, response, node)
  })
  routes.post('/nodes/:node/rollbacks/:rollback/result', async (request, response) => {
    const node = ownNode(request, response)
    const { status, detail = null } = parseWith(resultSchema, request.body, 'the result')
    if (isDryRun(request)) throw new HubError('request.invalid', 'this has no dry run; leave ?dryRun= out')
    const id = parameter(request, 'rollback')
    // Of another node's it is told as little as of one that there is not.
    if ((await findRollback(hub, id)).node !== node)
      throw new HubError('rollback.unknown', `${node} has no rollback ${id}`)
    const state = status === 0 ? 'done' : 'failed'
    const told = [`hub-node ended with status ${String(status)}`, ...(detail === null ? [] : [detail])].join(
      ': ',
    )
    response.json(rollbackJson(await endRollback(hub, id, { state, detail: told })))
  })
}

async function sendRollbacks(
  hub: Pick<Hub, 'records'>,
  request: Request,
  response: Response,
  node: string | null,
): Promise<void> {
  const text = query(request, 'state')
  const state = STATES.find((one) => one === text) ?? null
  if (text !== null && state === null)
    throw new HubError('request.invalid', `?state= is one of ${STATES.join(', ')}`)
  sendPage(
    request,
    response,
    await hub.records.rollbacks.list({ node, state }, pageRequest(request)),
    rollbackJson,
  )
}
