/** The nodes' door: what `emerge` and git ask for, over and over. A refusal is told as everywhere else. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Hub } from '../hub.ts'
import { authenticateRequest } from './auth.ts'
import { binhostDoor } from './binhost-routes.ts'
import { distfileDoor } from './distfile-routes.ts'
import { answerFailure, unknownAddress } from './error-handler.ts'
import { gitDoor } from './git-routes.ts'
import { overlayFileDoor } from './overlay-file-routes.ts'
import type { BlobSender } from './send-blob.ts'
import { Visit } from './visit.ts'
import type { Headers } from './visit.ts'

/** Answers a visit, or says by `false` that there is no such address. */
export type Door = (visit: Visit) => Promise<boolean>

/** Nothing here is a page: whatever a browser makes of it may do nothing. */
const SECURITY: Headers = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'same-site',
  'Referrer-Policy': 'no-referrer',
}
const STRICT_TRANSPORT: Headers = { 'Strict-Transport-Security': 'max-age=31536000; includeSubDomains' }

type NodeDoor = (request: IncomingMessage, response: ServerResponse, requestId: string) => Promise<void>

export function createNodeDoor(hub: Hub, blobs: BlobSender): NodeDoor {
  const doors: Readonly<Record<string, Door>> = {
    git: gitDoor(hub),
    overlays: overlayFileDoor(hub),
    distfiles: distfileDoor(hub, blobs),
    binhost: binhostDoor(hub),
  }
  const security = hub.config.tlsCert === null ? SECURITY : { ...SECURITY, ...STRICT_TRANSPORT }
  return async (request, response, requestId) => {
    const common = { 'X-Request-Id': requestId, ...security }
    try {
      const visit = new Visit(request, response, common)
      const principal = authenticateRequest(hub, request)
      visit.principal = principal instanceof Promise ? await principal : principal
      const door = doors[visit.segments[0] ?? '']
      if (door === undefined || !(await door(visit))) throw unknownAddress(request)
    } catch (error) {
      if (!response.headersSent) response.setHeaders(new Map(Object.entries(common)))
      answerFailure(hub, error, request, response)
    }
  }
}
