/**
 * The front door: every request comes in here, gets its id, and goes to the nodes' door (`/git/`, `/overlays/`,
 * `/distfiles/`, `/binhost/`) or to the application for everybody else.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import { shownPath } from './shown-path.ts'
import { createApp } from './app.ts'
import { createNodeDoor } from './node-door.ts'
import { BlobSender } from './send-blob.ts'

const OF_NODES = /^\/(?:git|overlays|distfiles|binhost)\//

export function createFrontDoor(hub: Hub): RequestListener {
  const blobs = new BlobSender(hub)
  const app = createApp(hub, blobs)
  const nodeDoor = createNodeDoor(hub, blobs)
  const isLogged = hub.log.isLevelEnabled('debug')
  return (request, response) => {
    const requestId = newId('req', hub.clock.now())
    if (isLogged) logWhenDone(hub, requestId, request, response)
    if (OF_NODES.test(request.url ?? '')) void nodeDoor(request, response, requestId)
    else app(request, response.setHeader('X-Request-Id', requestId))
  }
}

function logWhenDone(
  hub: Pick<Hub, 'log'>,
  requestId: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const started = performance.now()
  const { method, url = '' } = request
  response.once('close', () => {
    const tookMs = Math.round(performance.now() - started)
    const status = response.writableFinished ? response.statusCode : 'aborted'
    const path = shownPath(url)
    hub.log.debug({ requestId, method, path, status, tookMs }, 'request')
  })
}
