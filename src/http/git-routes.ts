/** `/git/<environment>.git`: smart HTTP, read only. Source: gitprotocol-http(5). */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { Router } from 'express'
import type { Request, Response } from 'express'
import { HubError } from '../errors.ts'
import { parseProtocolVersion } from '../git/advertisement.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { readOverlayBlob } from '../overlays/overlay-history.ts'
import type { Overlay } from '../overlays/overlay.ts'
import { GitServer } from '../overlays/serve-git.ts'
import type { GitAnswer } from '../overlays/serve-git.ts'
import { authorizeReading } from './auth.ts'
import { parameter } from './request.ts'

/** A request of git lists what it has; one for an overlay needs a few kilobytes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024

export function gitRoutes(hub: Hub, server = new GitServer()): Router {
  const routes = Router()
  routes.get('/git/:repository/info/refs', (request, response) => {
    const overlay = servedOverlay(hub, request, response)
    if (request.query['service'] !== 'git-upload-pack') {
      throw new HubError(
        'request.invalid',
        'this repository is read by the smart HTTP protocol: ?service=git-upload-pack',
      )
    }
    const version = parseProtocolVersion(request.get('Git-Protocol'))
    sendWhole(response, server.advertise(overlay.state?.commit ?? null, version))
  })
  routes.post('/git/:repository/git-upload-pack', async (request, response) => {
    const overlay = servedOverlay(hub, request, response)
    const body = await readBody(request)
    const left = new AbortController()
    response.once('close', () => {
      left.abort()
    })
    const answer = await server.answerUploadPack({
      overlay: { tip: overlay.state, former: overlay.former },
      blob: async (oid) => await readOverlayBlob(hub.records, oid),
      repository: overlay.repository,
      body,
      protocolVersion: parseProtocolVersion(request.get('Git-Protocol')),
      signal: left.signal,
    })
    await send(response, answer)
  })
  return routes
}

function servedOverlay(hub: Hub, request: Request, response: Response): Overlay {
  const match = /^([a-z0-9-]+)\.git$/.exec(parameter(request, 'repository'))
  const environment = match?.[1] ?? parameter(request, 'repository')
  authorizeReading(hub, response, environment)
  if (!match) throw new HubError('environment.unknown', 'an overlay is /git/<environment>.git')
  return overlayOf(hub, environment)
}

async function readBody(request: Request): Promise<Buffer> {
  const encoding = request.get('Content-Encoding') ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new HubError(
      'request.invalid',
      `Content-Encoding ${JSON.stringify(encoding.slice(0, 20))} is not known here; send gzip or none`,
    )
  }
  const chunks: Buffer[] = []
  let sizeBytes = 0
  const source = encoding === 'gzip' ? request.pipe(createGunzip()) : request
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      sizeBytes += chunk.byteLength
      if (sizeBytes > MAX_BODY_BYTES)
        throw new HubError('request.too_large', 'a git request has at most 4 MiB here')
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof HubError) throw error
    throw new HubError('request.invalid', 'the body cannot be read', {}, { cause: error })
  }
  return Buffer.concat(chunks)
}

async function send(response: Response, answer: GitAnswer): Promise<void> {
  if (Buffer.isBuffer(answer.body)) {
    sendWhole(response, answer)
    return
  }
  setHeader(response, answer)
  try {
    await pipeline(Readable.from(answer.body, { objectMode: false }), response)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

function sendWhole(response: Response, answer: GitAnswer): void {
  setHeader(response, answer)
  response.end(answer.body)
}

function setHeader(response: Response, { contentType }: GitAnswer): void {
  response.set({ 'Content-Type': contentType, 'Cache-Control': 'no-cache, max-age=0, must-revalidate' })
}
