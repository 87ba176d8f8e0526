/** `POST /apps/{app}/builds` and `PUT …/{build}/tarball`: what CI sends, from its bytes to its answer. */
import { Router } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { settleUpload, takeUpload } from '../builds/partial-upload.ts'
import { receiveBuild } from '../builds/receive-build.ts'
import type { ReceivedBuild } from '../builds/receive-build.ts'
import type { ReceivedFile } from '../builds/receive-bytes.ts'
import { addPromotions } from '../environments/promotion.ts'
import { carryOutUpload, promotionsOfUpload } from '../environments/promote-upload.ts'
import type { UploadPromotion } from '../environments/promote-upload.ts'
import { HubError } from '../errors.ts'
import { parseAppName } from '../gentoo/cpv.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { authorize, principalOf } from './auth.ts'
import { marksOf } from './build-routes.ts'
import { findUploadOfKey, keyOf, uploadKeyRow } from './idempotency.ts'
import { takeUploadField } from './plain-fields.ts'
import { buildJson } from './representations.ts'
import { promotionsJson } from './promotion-json.ts'
import { isDryRun, parameter, query } from './request.ts'
import { digestsOfHeader, parseUploadFields, receiveForm, receiveRawBody, tarballOf } from './upload.ts'
import type { UploadFields } from './upload.ts'

interface ReceivedUpload {
  readonly fields: UploadFields
  readonly received: ReceivedFile
  /** The resumable upload that the bytes are of; null when they came with the request. */
  readonly uploadId: string | null
}

export function uploadRoutes(hub: Hub): Router {
  const routes = Router()
  const mayUpload: RequestHandler = (request, response, next) => {
    const app = parameter(request, 'app')
    authorize(response, { to: 'upload', app })
    // Known before a byte is read, so it is refused before.
    parseAppName(app)
    next()
  }
  routes.post('/apps/:app/builds', mayUpload, receiveForm(hub), async (request, response) => {
    // Discarded before the answer: who hears a refusal finds nothing left of the upload.
    await using received = tarballOf(request)
    const uploadId = takeUploadField(request)
    if (received === null && uploadId === null) throw missingTarball()
    const fields = parseUploadFields(request.body as Record<string, unknown>, [])
    if (received === null) await answerTaken(hub, request, response, fields, uploadId ?? '')
    else if (uploadId === null) await answerOnce(hub, request, response, { fields, received, uploadId })
    else throw new HubError('request.invalid', 'send the file or the id of an upload, not both')
  })
  routes.put('/apps/:app/builds/:build/tarball', mayUpload, async (request, response) => {
    const build = parameter(request, 'build')
    if (query(request, 'build') !== null)
      throw new HubError('request.invalid', 'the path says which build it is; leave ?build= out')
    const fields = parseUploadFields({ ...request.query, build }, digestsOfHeader(request))
    await using received = await receiveRawBody(hub, request)
    await answerUpload(hub, request, response, { fields, received, uploadId: null })
  })
  return routes
}

function missingTarball(): HubError {
  return new HubError(
    'upload.missing_tarball',
    'the form has no file "tarball" (curl -F tarball=@<file>), nor the id of an upload (upload=<id>)',
  )
}

/** Bytes that came by `/uploads`. One at a time, so that the repetition of a request finds what the first one did. */
async function answerTaken(
  hub: Hub,
  request: Request,
  response: Response,
  fields: UploadFields,
  id: string,
): Promise<void> {
  // All bytes are here; digesting them may take longer than a silent connection is otherwise kept.
  request.setTimeout(0)
  await hub.turns.run(`upload:${id}`, async () => {
    const { upload, received } = await takeUpload(hub, principalOf(response), id)
    await using bytes = received
    // Without a number it is the app's next one, and stays that when the request is repeated.
    const build = fields.build ?? (upload.app === parameter(request, 'app') ? upload.build : null)
    await answerOnce(hub, request, response, { fields: { ...fields, build }, received: bytes, uploadId: id })
  })
}

/** An upload without a number gets the app's next one; with an `Idempotency-Key` its repetition gets the same again. */
async function answerOnce(
  hub: Hub,
  request: Request,
  response: Response,
  upload: ReceivedUpload,
): Promise<void> {
  const key = keyOf(request)
  if (key === null || upload.fields.build !== null) {
    await answerUpload(hub, request, response, upload)
    return
  }
  const { id: principal } = principalOf(response)
  await hub.turns.run(`idempotency:${principal}:${key}`, async () => {
    const build = await findUploadOfKey(hub, { principal, key, app: parameter(request, 'app') })
    await answerUpload(hub, request, response, { ...upload, fields: { ...upload.fields, build } })
  })
}

async function answerUpload(
  hub: Hub,
  request: Request,
  response: Response,
  { fields, received, uploadId }: ReceivedUpload,
): Promise<void> {
  const dryRun = fields.dryRun || isDryRun(request)
  const upload = { app: parameter(request, 'app'), fields: { ...fields, dryRun }, received, uploadId }
  const archived = await archiveUpload(hub, request, response, upload)
  if (dryRun) {
    const { build, isNew, ebuildText } = archived
    response.json({
      ...buildJson(build, [], await marksOf(hub, build)),
      dryRun: true,
      wouldArchive: isNew,
      ebuild: ebuildText,
    })
    return
  }
  if (uploadId !== null) await settleUpload(hub, uploadId, archived.build)
  await sendArchived(hub, request, response, archived)
}

/** Archives what was received, and keeps with it which promotions it begins with. Nothing is left beside the archive. */
export async function archiveUpload(
  hub: Hub,
  request: Request,
  response: Response,
  { app, fields, received, uploadId }: ReceivedUpload & { readonly app: string },
): Promise<ReceivedBuild> {
  // All bytes are here; reading a large archive may take longer than a silent connection is otherwise kept.
  request.setTimeout(0)
  const { name: by, id: principal, maySendCommands } = principalOf(response)
  const wanted = wantedPromotion(hub, response, app, fields)
  const key = fields.build === null ? keyOf(request) : null
  const archived = await receiveBuild(hub, {
    ...fields,
    app,
    received,
    by,
    maySendCommands,
    record: async (records, build) => {
      const promotions = await promotionsOfUpload({ ...hub, records }, build, wanted)
      for (const promotion of promotions) await addPromotions({ ...hub, records }, [promotion])
      if (key !== null) await records.idempotency.add(uploadKeyRow(hub, { principal, key, ...build }))
      if (uploadId !== null) await records.partialUploads.archivedAs(uploadId, build)
    },
  })
  // Before the answer: who hears it finds nothing left beside the archive.
  await received[Symbol.asyncDispose]()
  return archived
}

async function sendArchived(
  hub: Hub,
  request: Request,
  response: Response,
  { build, isNew }: ReceivedBuild,
): Promise<void> {
  const promotions = await carryOutUpload(hub, build)
  const releases = await hub.records.releases.ofBuild(build.app, build.build)
  const app = await hub.records.apps.find(build.app)
  response.status(isNew ? 201 : 200)
  response.location(`${request.baseUrl}/apps/${build.app}/builds/${String(build.build)}`)
  response.json({
    ...buildJson(build, releases, await marksOf(hub, build)),
    promotions: await promotionsJson(hub, promotions),
    warnings:
      isNew && app !== undefined && app.lastBuild > build.build
        ? [lateBuild(build.build, app.lastBuild)]
        : [],
  })
}

function wantedPromotion(
  hub: Hub,
  response: Response,
  app: string,
  { promote }: UploadFields,
): UploadPromotion {
  const by = principalOf(response)
  if (promote === 'true' || promote === 'false')
    return { byPolicy: promote === 'true', environment: null, by }
  overlayOf(hub, promote)
  authorize(response, { to: 'promote', app, environment: promote })
  return { byPolicy: true, environment: promote, by }
}

/** CI jobs may finish out of order; a numbering that began anew looks the same, and nodes would not follow it. */
function lateBuild(build: number, lastBuild: number) {
  return {
    code: 'build.older_than_newest',
    detail:
      `build ${String(lastBuild)} was archived before build ${String(build)}: of equal versions Portage takes the ` +
      'higher build number, so nodes that have the later one stay on it',
  }
}
