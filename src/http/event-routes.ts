/**
 * `/events`: what changes, as it changes, as server-sent events (WHATWG HTML, "Server-sent events"); and the feeds of
 * environments.
 */
import { once } from 'node:events'
import { Router } from 'express'
import type { Request, Response } from 'express'
import type { Principal } from '../access/rights.ts'
import { CHANGES } from '../audit/changes.ts'
import { HubError } from '../errors.ts'
import { FEED_TYPES, renderFeed } from '../events/atom-feed.ts'
import { eventOf, isEventType } from '../events/event.ts'
import { followEvents } from '../events/follow-events.ts'
import type { EventBatch } from '../events/follow-events.ts'
import type { Hub } from '../hub.ts'
import { overlayName } from '../overlays/plan-overlay.ts'
import type { EventFilter } from '../records/audit.ts'
import { principalOf, whoAsks } from './auth.ts'
import { readable } from './environment-routes.ts'
import { query } from './request.ts'

/** After which a browser comes again by itself. */
const RETRY_MS = 3000

/** So many entries a feed has. */
const FEED_ENTRIES = 50

type Needs = Pick<Hub, 'records' | 'config' | 'clock' | 'eventStreams'>

export function eventRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/events', async (request, response) => {
    const { id } = principalOf(response)
    const filter = eventFilterOf(request)
    const after = await startOf(hub, request)
    const follows = request.method !== 'HEAD' && query(request, 'follow') !== 'false'
    using place = hub.eventStreams.enter(id)
    using left = { stop: new AbortController(), [Symbol.dispose]: () => left.stop.abort() }
    response.once('close', () => {
      left.stop.abort()
    })
    const signal = AbortSignal.any([place.signal, left.stop.signal])
    begin(response)
    const wanted = { after, filter, signal, heartbeatMs: hub.eventStreams.limits.heartbeatMs }
    for await (const batch of followEvents(hub, wanted, async () => await askerOf(hub, request))) {
      await write(response, textOf(batch), signal)
      if (batch.isEnd && !follows) break
    }
    response.end()
  })
  routes.get('/environments/:environment/feed.atom', async (request, response) => {
    const { name } = readable(hub, request, response)
    const filter = { types: FEED_TYPES, app: null, environment: name }
    const rows = await hub.records.audit.newestEvents(FEED_ENTRIES, filter)
    response.set({ ETag: `"${String(rows[0]?.seq ?? 0)}"`, 'Cache-Control': 'private, no-cache' })
    if (request.fresh) {
      response.status(304).end()
      return
    }
    const address = `${hub.config.publicUrl}/api/v1/environments/${name}/feed.atom`
    const title = `${overlayName(hub.config, name)} of Portage Hub`
    response.type('application/atom+xml').send(renderFeed(title, address, rows.map(eventOf)))
  })
  return routes
}

/** Null when the token or session has ended meanwhile, and with it what it may see. */
async function askerOf(hub: Needs, request: Request): Promise<Principal | null> {
  try {
    return await whoAsks(hub, request)
  } catch (error) {
    if (error instanceof HubError && error.code === 'auth.invalid') return null
    throw error
  }
}

function begin(response: Response): void {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    // nginx would keep events back until its buffer is full.
    'X-Accel-Buffering': 'no',
    // Nothing comes after a stream: its connection need not be kept when the hub ends it.
    Connection: 'close',
  })
  response.write(`retry: ${String(RETRY_MS)}\n\n`)
}

/** An id without data moves on what the client asks for next, though it was told of nothing. */
function textOf({ events, upTo }: EventBatch): string {
  const told = events.map(
    (event) => `id: ${String(event.seq)}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
  )
  return `${told.join('')}: up to here\nid: ${String(upTo)}\n\n`
}

/** Waits for a client that is slow: what it has not taken is not read for it either. */
async function write(response: Response, text: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted || response.write(text)) return
  await once(response, 'drain', { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

/** @throws {HubError} `request.invalid`. */
export function eventFilterOf(request: Request): EventFilter {
  const types = query(request, 'type')?.split(',') ?? null
  const unknown = types?.find((type) => !isEventType(type))
  if (unknown !== undefined)
    throw new HubError('request.invalid', `?type= is one or more of ${Object.keys(CHANGES).join(', ')}`)
  return { types, app: query(request, 'app'), environment: query(request, 'environment') }
}

/** Behind which event it begins: the one that the client had last, or the newest. @throws {HubError} `request.invalid`. */
async function startOf({ records }: Pick<Hub, 'records'>, request: Request): Promise<number> {
  const { seq: head } = await records.audit.head()
  const given = request.get('Last-Event-ID') ?? query(request, 'after') ?? ''
  if (given === '') return head
  if (!/^[0-9]{1,15}$/.test(given) || Number(given) > head)
    throw new HubError(
      'request.invalid',
      `Last-Event-ID and ?after= name an event that there is, up to ${String(head)}`,
    )
  return Number(given)
}
