/** `/nodes`: what runs where, and sending a node back to a restore point. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { may } from '../../access/rights.ts'
import type { Principal } from '../../access/rights.ts'
import { HubError } from '../../errors.ts'
import { eventOf } from '../../events/event.ts'
import { maySee } from '../../events/visibility.ts'
import type { Hub } from '../../hub.ts'
import { endRollback, findRollback, requestRollback } from '../../nodes/roll-back.ts'
import type { RequestedRollback } from '../../nodes/roll-back.ts'
import { nodePage, nodesPage } from '../../web/pages/node-page.ts'
import type { ShownPoint } from '../../web/pages/node-page.ts'
import { rollbackPage } from '../../web/pages/rollback-page.ts'
import { nodeAddress } from '../../web/pages/words.ts'
import { authorize, principalOf } from '../auth.ts'
import { environmentsSeen, listedNodes, visibleNode, wholeNodeJson } from '../node-routes.ts'
import { nodeStatusJson, pointJson, rollbackJson } from '../representations.ts'
import { pageRequest, parameter, parseWith, query } from '../request.ts'
import { rollbackSchema } from '../rollback-routes.ts'
import {
  answerPage,
  changeByForm,
  fieldsOf,
  nextPage,
  refusalOf,
  requireVisitor,
  visitorOf,
} from './frame.ts'
import type { Refusal } from './frame.ts'

/** So many of the newest rollbacks a node's page has. */
const SHOWN_ROLLBACKS = 20
/** Of so many of the newest changes those are told that the asker may know of. */
const SHOWN_EVENTS = 30

export function nodePages(hub: Hub): Router {
  const routes = Router()
  routes.get('/nodes', requireVisitor, async (request, response) => {
    const { items, nextCursor } = await listedNodes(hub, request, response)
    const content = nodesPage({
      nodes: items.map(nodeStatusJson),
      next: nextPage(request, nextCursor),
      filter: {
        environment: query(request, 'environment') ?? '',
        q: query(request, 'q') ?? '',
        drifted: query(request, 'drifted') ?? '',
        state: query(request, 'state') ?? '',
      },
      environments: environmentsSeen(hub, principalOf(response)),
      mayEnrol: visitorOf(response)?.csrf !== '' && may(principalOf(response), { to: 'administer' }),
      address: request.originalUrl,
      hubUrl: hub.config.publicUrl,
      now: hub.clock.now(),
    })
    answerPage(request, response, { title: 'Nodes', section: 'nodes' }, content)
  })
  routes.get('/nodes/:node', requireVisitor, async (request, response) => {
    await answerNode(hub, request, response)
  })
  routes.get('/nodes/:node/rollback', requireVisitor, async (request, response) => {
    await answerRollback(hub, request, response, (name) => query(request, name) ?? '')
  })
  routes.post(
    '/nodes/:node/rollback',
    ...changeByForm(
      hub,
      async (request, response) => {
        const { name: by } = authorize(response, { to: 'administer' })
        const node = parameter(request, 'node')
        if (fieldsOf(request)['confirm'] !== node)
          throw new HubError('request.invalid', `type the name of the node, ${node}, to confirm it`)
        const wish = wishOf(node, (name) => fieldsOf(request)[name] ?? '')
        await requestRollback(hub, { ...wish, by, dryRun: false })
        return [nodeAddress(node), 'rolled-back']
      },
      async (request, response, refused) => {
        await answerRollback(hub, request, response, (name) => fieldsOf(request)[name] ?? '', refused)
      },
    ),
  )
  routes.post(
    '/nodes/:node/rollbacks/:rollback/cancel',
    ...changeByForm(
      hub,
      async (request, response) => {
        const { name } = authorize(response, { to: 'administer' })
        const { id, node } = await findRollback(hub, parameter(request, 'rollback'))
        await endRollback(hub, id, { state: 'cancelled', detail: `by ${name}` })
        return [nodeAddress(node), 'cancelled']
      },
      async (request, response, refused) => {
        await answerNode(hub, request, response, refused)
      },
    ),
  )
  return routes
}

async function answerNode(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  const row = await visibleNode(hub, request, response)
  const principal = principalOf(response)
  const { name } = row
  const csrf = visitorOf(response)?.csrf ?? ''
  const isAdministrator = may(principal, { to: 'administer' })
  const content = nodePage({
    node: await wholeNodeJson(hub, row),
    // What a node keeps is for itself and for administrators, as with the API.
    points: may(principal, { to: 'act as node', node: name }) ? await pointsOf(hub, request, name) : null,
    rollbacks: isAdministrator ? await rollbacksOf(hub, name) : null,
    events: await eventsOf(hub, principal, name),
    mayRollBack: isAdministrator && csrf !== '' && row.leftAt === null,
    csrf,
    now: hub.clock.now(),
  })
  answerPage(request, response, { title: name, section: 'nodes', ...refused }, content)
}

async function pointsOf(hub: Hub, request: Request, node: string) {
  const filter = { app: null, rehearsed: null }
  const { items, nextCursor } = await hub.records.restorePoints.list(node, filter, pageRequest(request))
  const ids = items.map(({ id }) => id)
  const sizes = await hub.records.restorePoints.sizesOf(node, ids)
  const points = items.map((point): ShownPoint => {
    const { sizeBytes, dumps } = sizes.get(point.id) ?? { sizeBytes: 0, dumps: 0 }
    return { ...pointJson(point), sizeBytes, dumps }
  })
  return { points, next: nextPage(request, nextCursor) }
}

async function eventsOf(hub: Hub, principal: Principal, node: string) {
  const page = { limit: SHOWN_EVENTS, cursor: null }
  const anything = { type: null, app: null, build: null, environment: null, actor: null, subject: null }
  const filter = { ...anything, node, since: null, until: null }
  const { items } = await hub.records.audit.list(filter, page)
  return items.filter((row) => maySee(hub.config, principal, row)).map(eventOf)
}

async function rollbacksOf(hub: Hub, node: string) {
  const page = { limit: SHOWN_ROLLBACKS, cursor: null }
  return (await hub.records.rollbacks.list({ node, state: null }, page)).items.map(rollbackJson)
}

/** What it would mean, by a dry run of what the fields say; what speaks against it is told in its place. */
async function answerRollback(
  hub: Hub,
  request: Request,
  response: Response,
  field: (name: string) => string,
  refused: Refusal = {},
): Promise<void> {
  const { name: by } = authorize(response, { to: 'administer' })
  const node = (await visibleNode(hub, request, response)).name
  const wish = wishOf(node, field)
  let requested: RequestedRollback | null = null
  let told = refused
  try {
    requested = await requestRollback(hub, { ...wish, by, dryRun: true })
  } catch (error) {
    told = refusalOf(error)
  }
  const csrf = visitorOf(response)?.csrf ?? ''
  const point = requested?.rollback.point ?? wish.point
  const shown = { wish: { ...wish, point }, preview: requested?.preview ?? null, csrf, now: hub.clock.now() }
  answerPage(
    request,
    response,
    { title: `Roll back ${node}`, section: 'nodes', ...told },
    rollbackPage(shown),
  )
}

/** @throws {HubError} `request.invalid`. */
function wishOf(node: string, field: (name: string) => string) {
  const { restorePoint: point, ...wish } = parseWith(
    rollbackSchema,
    {
      ...{ node, app: field('app'), restorePoint: field('restorePoint') || null },
      ...{ withDump: field('withDump') === 'true', force: field('force') === 'true' },
    },
    'the rollback',
  )
  return { ...wish, point }
}
