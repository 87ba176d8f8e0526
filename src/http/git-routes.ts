/** `/git/<environment>.git`: smart HTTP, read only. Source: gitprotocol-http(5). */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { HubError } from '../errors.ts'
import { parseProtocolVersion } from '../git/advertisement.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { readOverlayBlobs } from '../overlays/overlay-history.ts'
import type { Overlay } from '../overlays/overlay.ts'
import { GitServer } from '../overlays/serve-git.ts'
import type { GitAnswer } from '../overlays/serve-git.ts'
import { authorizeReading } from './auth.ts'
import type { Door } from './node-door.ts'
import type { Headers, Visit } from './visit.ts'

/** A request of git lists what it has; one for an overlay needs a few kilobytes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024

export function gitDoor(hub: Hub, server = new GitServer()): Door {
  return async (visit) => {
    const { method } = visit.request
    const [, repository = '', ...rest] = visit.segments
    const place = rest.join('/')
    const isRead = method === 'GET' || method === 'HEAD'
    if (place === 'info/refs' && isRead) advertise(server, visit, servedOverlay(hub, visit, repository))
    else if (place === 'git-upload-pack' && method === 'POST') {
      await answerUploadPack(hub, server, visit, servedOverlay(hub, visit, repository))
    } else return false
    return true
  }
}

function advertise(server: GitServer, visit: Visit, overlay: Overlay): void {
  if (visit.query('service') !== 'git-upload-pack') {
    throw new HubError(
      'request.invalid',
      'this repository is read by the smart HTTP protocol: ?service=git-upload-pack',
    )
  }
  const version = parseProtocolVersion(visit.header('git-protocol'))
  sendWhole(visit, server.advertise(overlay.state?.commit ?? null, version))
}

async function answerUploadPack(hub: Hub, server: GitServer, visit: Visit, overlay: Overlay): Promise<void> {
  const body = await readBody(visit)
  const left = new AbortController()
  visit.response.once('close', () => {
    if (!visit.response.writableFinished) left.abort()
  })
  const answer = await server.answerUploadPack({
    overlay: {
      tip: overlay.state,
      former: overlay.former,
      recall: async (commit) => await overlay.recall(commit),
    },
    blobs: async (oids) => await readOverlayBlobs(hub.records, oids),
    repository: overlay.repository,
    body,
    protocolVersion: parseProtocolVersion(visit.header('git-protocol')),
    signal: left.signal,
  })
  await send(visit, answer)
}

function servedOverlay(hub: Hub, visit: Visit, repository: string): Overlay {
  const match = /^([a-z0-9-]+)\.git$/.exec(repository)
  const environment = match?.[1] ?? repository
  authorizeReading(hub, visit.principal, environment)
  if (!match) throw new HubError('environment.unknown', 'an overlay is /git/<environment>.git')
  return overlayOf(hub, environment)
}

async function readBody({ request }: Visit): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new HubError(
      'request.invalid',
      `Content-Encoding ${JSON.stringify(encoding.slice(0, 20))} is not known here; send gzip or none`,
    )
  }
  const chunks: Buffer[] = []
  let sizeBytes = 0
  const source: Readable = encoding === 'gzip' ? gunzipped(request) : request
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.byteLength
      if (sizeBytes > MAX_BODY_BYTES)
        throw new HubError('request.too_large', 'a git request has at most 4 MiB here')
      chunks.push(chunk)
    }
  } catch (error) {
    // What still comes is dropped, or the connection would never come to its next request.
    request.unpipe().resume()
    if (error instanceof HubError) throw error
    throw new HubError('request.invalid', 'the body cannot be read', {}, { cause: error })
  }
  return Buffer.concat(chunks)
}

/** A request that breaks off ends its reader too, which `pipe` leaves waiting. */
function gunzipped(request: Visit['request']): Readable {
  const gunzip = createGunzip()
  request.once('close', () => {
    if (!request.complete) gunzip.destroy(new Error('the request broke off'))
  })
  return request.pipe(gunzip)
}

async function send(visit: Visit, answer: GitAnswer): Promise<void> {
  if (Buffer.isBuffer(answer.body)) {
    sendWhole(visit, { contentType: answer.contentType, body: answer.body })
    return
  }
  visit.begin(200, headersOf(answer))
  try {
    await pipeline(Readable.from(answer.body, { objectMode: false }), visit.response)
  } catch (error) {
    // A client that leaves is no fault of the hub.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

function sendWhole(visit: Visit, answer: { readonly contentType: string; readonly body: Buffer }): void {
  visit.answer(200, headersOf(answer), answer.body)
}

function headersOf({ contentType }: Pick<GitAnswer, 'contentType'>): Headers {
  return { 'Content-Type': contentType, 'Cache-Control': 'no-cache, max-age=0, must-revalidate' }
}
