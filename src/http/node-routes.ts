/** `/nodes`: enrolment, the inventory, reports; and what a new node fetches to become one. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { may } from '../access/rights.ts'
import { digestOf } from '../access/tokens.ts'
import type { Principal } from '../access/rights.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { enrolNode } from '../nodes/enrol-node.ts'
import { EnrolScript } from '../nodes/signed-enrol-script.ts'
import { findEnrolledNode, findNode } from '../nodes/find-node.ts'
import { leave } from '../nodes/leave.ts'
import { readNodeFile } from '../nodes/node-files.ts'
import { parseNodeName } from '../nodes/node-name.ts'
import type { NodeStatus } from '../nodes/node-status.ts'
import { listStatuses, readStatuses } from '../nodes/read-status.ts'
import { recordReport } from '../nodes/record-report.ts'
import { reportSchema } from '../nodes/report.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { NodeFilter, NodeRow } from '../records/nodes.ts'
import type { Page } from '../records/page.ts'
import type { WholeNode } from './openapi/nodes.ts'
import { authorize, principalOf, withoutSession } from './auth.ts'
import { ownNode } from './own-node.ts'
import { nodeJson, nodeReportJson, nodeStatusJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

export const enrolmentSchema = z.strictObject({
  name: z.string(),
  environment: z.string(),
  machineId: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits, as in /etc/machine-id')
    .nullable()
    .default(null)
    .describe('As in `/etc/machine-id`; null: none.'),
  retrySecret: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits: 32 random bytes')
    .nullable()
    .default(null)
    .describe('Made by the caller for this enrolment, at random, and kept until there is an answer.'),
})

export function nodeRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/nodes', async (request, response) => {
    await answerEnrolment(hub, request, response)
  })
  routes.get('/nodes', async (request, response) => {
    sendPage(request, response, await listedNodes(hub, request, response), nodeStatusJson)
  })
  routes.get('/nodes/:node', async (request, response) => {
    response.json(await wholeNodeJson(hub, await visibleNode(hub, request, response)))
  })
  routes.delete('/nodes/:node', async (request, response) => {
    const name = ownNode(request, response)
    const dryRun = isDryRun(request)
    response.json({ ...nodeJson(await leave(hub, { name, dryRun })), ...(dryRun && { dryRun }) })
  })
  routes.post('/nodes/:node/report', async (request, response) => {
    const name = ownNode(request, response)
    const report = parseWith(reportSchema, request.body, 'the report')
    const dryRun = isDryRun(request)
    await recordReport(hub, { name, report, dryRun })
    response.json({ accepted: true, ...(dryRun && { dryRun }) })
  })
  return routes
}

/** Addresses that are no part of the API: a shell asks for them. */
export function nodeSetupRoutes(hub: Hub): Router {
  const routes = Router()
  const script = new EnrolScript(hub)
  routes.get('/enroll.sh', (_request, response) => {
    response.set('Cache-Control', 'no-cache').type('text/plain').send(script.text)
  })
  routes.get('/enroll.sh.asc', async (_request, response) => {
    // As bytes: text gets a charset, which this type has none of.
    const signature = Buffer.from(await script.signature())
    response.set('Cache-Control', 'no-cache').type('application/pgp-signature').send(signature)
  })
  routes.get('/nodes/:node/etc/portage/*path', withoutSession, async (request, response) => {
    const node = await findEnrolledNode(hub, ownNode(request, response))
    response.set('Cache-Control', 'private, no-cache').type('text/plain')
    response.send(await readNodeFile(hub, node, parameter(request, 'path')))
  })
  return routes
}

async function answerEnrolment(hub: Hub, request: Request, response: Response): Promise<void> {
  const body = parseWith(enrolmentSchema, request.body, 'the body')
  const { name, environment, machineId, retrySecret } = body
  const by = authorize(response, { to: 'enrol', environment })
  overlayOf(hub, environment)
  const dryRun = isDryRun(request)
  const { node, secret } = await enrolNode(hub, {
    ...{ name: parseNodeName(name), environment, machineId, by, dryRun },
    retrySha256: retrySecret === null ? null : digestOf(retrySecret),
  })
  if (!dryRun) response.status(201).location(`${request.baseUrl}/nodes/${node.name}`)
  response.json({ node: nodeJson(node), ...(dryRun ? { dryRun } : { token: secret }) })
}

/** Those that the asker sees, as the query narrows them. @throws {HubError} as `filterOf`. */
export async function listedNodes(hub: Hub, request: Request, response: Response): Promise<Page<NodeStatus>> {
  const filter = filterOf(hub, request, response)
  return await listStatuses(hub, filter, driftedOf(request), pageRequest(request))
}

/** A node with all that is known of it. */
export async function wholeNodeJson(hub: Hub, node: NodeRow): Promise<WholeNode> {
  const [status] = await readStatuses(hub, [node])
  if (!status) throw new Error(`${node.name} has no status`)
  const report = await hub.records.nodes.findReport(node.name)
  const neverRehearsed = await hub.records.restorePoints.neverRehearsed(node.name)
  return { ...nodeStatusJson(status), neverRehearsed, report: nodeReportJson(report) }
}

/** null: both. */
function driftedOf(request: Request): boolean | null {
  const text = query(request, 'drifted')
  if (text === null || text === 'true' || text === 'false') return text === null ? null : text === 'true'
  throw new HubError('request.invalid', '?drifted= is true or false')
}

/** Asked by the node itself, or by who sees the inventory of its environment. @throws {HubError} `node.unknown`. */
export async function visibleNode(hub: Hub, request: Request, response: Response): Promise<NodeRow> {
  const name = parameter(request, 'node')
  const principal = principalOf(response)
  if (may(principal, { to: 'act as node', node: name })) return await findNode(hub, name)
  // Who sees no inventory is not told either whether there is such a node.
  if (environmentsSeen(hub, principal).length === 0) authorize(response, { to: 'see nodes', environment: '' })
  const node = await findNode(hub, name)
  authorize(response, { to: 'see nodes', environment: node.environment })
  return node
}

/** A node's list is of itself alone. @throws {HubError} `auth.forbidden` for who sees no node at all. */
function filterOf(hub: Hub, request: Request, response: Response): NodeFilter {
  const principal = principalOf(response)
  const wanted = query(request, 'environment')
  const state = query(request, 'state')
  if (state !== null && state !== 'enrolled' && state !== 'left')
    throw new HubError('request.invalid', '?state= is enrolled or left')
  const left = state === null ? null : state === 'left'
  const q = query(request, 'q')
  if (wanted !== null) overlayOf(hub, wanted)
  if (principal.node !== null && may(principal, { to: 'act as node', node: principal.node }))
    return { environments: wanted === null ? null : [wanted], name: principal.node, q, left }
  const seen = environmentsSeen(hub, principal)
  if (wanted !== null || seen.length === 0)
    authorize(response, { to: 'see nodes', environment: wanted ?? '' })
  // An environment may be gone from the settings and its nodes not: who sees all sees them too.
  const seesAll = may(principal, { to: 'see nodes', environment: '' })
  return { environments: wanted !== null ? [wanted] : seesAll ? null : seen, name: null, q, left }
}

export function environmentsSeen(hub: Pick<Hub, 'config'>, principal: Principal): readonly string[] {
  return hub.config.environments
    .map(({ name }) => name)
    .filter((environment) => may(principal, { to: 'see nodes', environment }))
}
