/**
 * `/uploads`: resumable uploads by tus 1.0.0 (https://tus.io/protocols/resumable-upload), core and the extensions
 * creation, creation-with-upload, termination, expiration and checksum. What an upload becomes is said by
 * `POST /apps/{app}/builds` with its id.
 */
import { Router } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { appendChunk } from '../builds/append-chunk.ts'
import { beginUpload, endUpload, findUpload, settledUpload } from '../builds/partial-upload.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { PartialUploadRow } from '../records/partial-uploads.ts'
import { authorize, principalOf } from './auth.ts'
import { isDryRun, parameter } from './request.ts'
import * as tus from './resumable-headers.ts'

export function resumableRoutes(hub: Hub): Router {
  const routes = Router()
  routes.use('/uploads', speakTus)
  routes.options(['/uploads', '/uploads/:upload'], (_request, response) => {
    response.set({
      'Tus-Version': tus.TUS_VERSION,
      'Tus-Extension': tus.TUS_EXTENSIONS.join(','),
      'Tus-Max-Size': String(hub.config.maxUploadBytes),
      'Tus-Checksum-Algorithm': Object.keys(tus.CHECKSUM_BYTES).join(','),
    })
    response.status(204).end()
  })
  routes.use('/uploads', mayBegin)
  routes.post('/uploads', async (request, response) => {
    await begin(hub, request, response)
  })
  routes.get('/uploads/:upload', async (request, response) => {
    const upload = await settledUpload(hub, principalOf(response), parameter(request, 'upload'))
    tus.describeUpload(response, upload)
    response.set('Upload-Length', String(upload.sizeBytes))
    if (upload.metadata !== null) response.set('Upload-Metadata', upload.metadata)
    if (request.method === 'HEAD') response.end()
    else response.json(uploadJson(upload))
  })
  routes.patch('/uploads/:upload', async (request, response) => {
    if (isDryRun(request)) throw new HubError('request.invalid', 'a chunk has no dry run; leave ?dryRun= out')
    const { id } = await findUpload(hub, principalOf(response), parameter(request, 'upload'))
    tus.refuseOtherTypes(request)
    tus.describeUpload(response, await append(hub, request, id, tus.uploadOffset(request)))
    response.status(204).end()
  })
  routes.delete('/uploads/:upload', async (request, response) => {
    const id = parameter(request, 'upload')
    if (isDryRun(request)) await findUpload(hub, principalOf(response), id)
    else await endUpload(hub, principalOf(response), id)
    response.status(204).end()
  })
  return routes
}

/** For people on a terminal, and what scripts take the id from; the protocol itself has only header fields. */
function uploadJson(upload: PartialUploadRow) {
  const { id, sizeBytes, offsetBytes: offset, app, build, createdAt, expiresAt } = upload
  return { id, sizeBytes, offset, app, build, createdAt, expiresAt }
}

/** Clients that can send neither PATCH nor DELETE name them in `X-HTTP-Method-Override`. */
const speakTus: RequestHandler = (request, response, next) => {
  response.set('Tus-Resumable', tus.TUS_VERSION)
  const override = request.get('X-HTTP-Method-Override')?.toUpperCase()
  if (override !== undefined && request.method === 'POST') {
    if (!['PATCH', 'DELETE', 'POST'].includes(override))
      throw new HubError('request.invalid', 'X-HTTP-Method-Override is PATCH or DELETE, sent by POST')
    request.method = override
  }
  next()
}

const mayBegin: RequestHandler = (request, response, next) => {
  authorize(response, { to: 'begin uploads' })
  if (request.method !== 'GET') tus.refuseOtherVersions(request, response)
  next()
}

async function begin(hub: Hub, request: Request, response: Response): Promise<void> {
  const dryRun = isDryRun(request)
  const wanted = { sizeBytes: tus.uploadLength(request), metadata: tus.uploadMetadata(request), dryRun }
  const lengthBytes = tus.bodyLength(request)
  if (lengthBytes !== 0) tus.refuseOtherTypes(request)
  const begun = await beginUpload(hub, principalOf(response), wanted)
  if (dryRun) {
    response.json({ ...uploadJson(begun), dryRun: true })
    return
  }
  const upload = lengthBytes === 0 ? begun : await appendFirst(hub, request, response, begun)
  tus.describeUpload(response, upload)
  response.status(201).location(`${request.baseUrl}/uploads/${upload.id}`)
  response.json(uploadJson(upload))
}

/** Bytes that come with the beginning. If they fail, their sender knows no upload to go on with: none is left. */
async function appendFirst(
  hub: Hub,
  request: Request,
  response: Response,
  { id }: PartialUploadRow,
): Promise<PartialUploadRow> {
  try {
    return await append(hub, request, id, 0)
  } catch (error) {
    await endUpload(hub, principalOf(response), id)
    throw error
  }
}

async function append(
  hub: Hub,
  request: Request,
  id: string,
  offsetBytes: number,
): Promise<PartialUploadRow> {
  try {
    return await appendChunk(hub, id, {
      offsetBytes,
      lengthBytes: tus.bodyLength(request),
      checksum: tus.uploadChecksum(request),
      source: request,
      stop: () => request.destroy(),
    })
  } catch (error) {
    if (error instanceof HubError || !request.destroyed || request.complete) throw error
    throw new HubError(
      'request.truncated',
      'the request ended before its end; ask for the offset and go on from there',
      {},
      { cause: error },
    )
  }
}
