/** `/apps/{app}/builds…`: uploads, and what is in the archive. */
import { Router } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import { sightOf } from '../access/rights.ts'
import type { ArchiveEntry, ArchiveFormat } from '../builds/archive-contents.ts'
import { readArchiveFile } from '../builds/read-archive-file.ts'
import { receiveBuild } from '../builds/receive-build.ts'
import type { ReceivedFile } from '../builds/receive-bytes.ts'
import { judge } from '../environments/eligibility.ts'
import { carryOutUpload, promotionsOfUpload } from '../environments/promote-upload.ts'
import { HubError } from '../errors.ts'
import type { Oid } from '../git/objects.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { readOverlayBlob } from '../overlays/overlay-history.ts'
import type { BuildRow } from '../records/builds.ts'
import { authorize, principalOf } from './auth.ts'
import { buildJson, entryJson, promotionJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseBuildNumber, query, sendPage } from './request.ts'
import { sendBlob } from './send-blob.ts'
import { digestsOfHeader, parseUploadFields, receiveForm, receiveRawBody, tarballOf } from './upload.ts'
import type { UploadFields } from './upload.ts'

const MAX_TEXT_BYTES = 1024 * 1024

export function buildRoutes(hub: Hub): Router {
  const routes = Router()
  const mayUpload: RequestHandler = (request, response, next) => {
    authorize(response, { to: 'upload', app: parameter(request, 'app') })
    next()
  }
  routes.post('/apps/:app/builds', mayUpload, receiveForm(hub), async (request, response) => {
    const fields = parseUploadFields(request.body as Record<string, unknown>, [])
    await answerUpload(hub, request, response, { fields, received: tarballOf(request) })
  })
  routes.put('/apps/:app/builds/:build/tarball', mayUpload, async (request, response) => {
    const build = parameter(request, 'build')
    const fields = parseUploadFields({ ...request.query, build }, digestsOfHeader(request))
    await using received = await receiveRawBody(hub, request)
    await answerUpload(hub, request, response, { fields, received })
  })
  routes.get('/apps/:app/builds', async (request, response) => {
    const filter = { ...sightOf(principalOf(response)), app: parameter(request, 'app'), ...search(request) }
    if (!(await hub.records.apps.find(filter.app))) throw unknownApp(filter.app)
    const page = await hub.records.builds.list(filter, pageRequest(request))
    const items = await Promise.all(page.items.map(async (build) => await withReleases(hub, build)))
    sendPage(request, response, { ...page, items }, (item) => item)
  })
  routes.get('/builds', async (request, response) => {
    const filter = { ...sightOf(principalOf(response)), ...search(request) }
    const page = await hub.records.builds.list(filter, pageRequest(request))
    const items = await Promise.all(page.items.map(async (build) => await withReleases(hub, build)))
    sendPage(request, response, { ...page, items }, (item) => item)
  })
  routes.get('/digests/:hex', async (request, response) => {
    response.json({ items: await buildsOfDigest(hub, request, response) })
  })
  addBuildRoutes(hub, routes)
  return routes
}

/** One build and what is in it. */
function addBuildRoutes(hub: Hub, routes: Router): void {
  routes.get('/apps/:app/builds/:build', async (request, response) => {
    response.json(await withReleases(hub, await visibleBuild(hub, request, response)))
  })
  routes.get('/apps/:app/builds/:build/tarball', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    response.set('Content-Disposition', `attachment; filename="${build.distfileName}"`)
    await sendBlob(request, response, hub.blobs.path(build.sha512), build)
  })
  routes.get('/apps/:app/builds/:build/files', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    const prefix = query(request, 'prefix') ?? ''
    const { limit, cursor } = pageRequest(request, 1000, 10_000)
    const entries = (await listingOf(hub, build)).filter(({ path }) => path.startsWith(prefix))
    const start = Number(cursor ?? 0)
    const items = entries.slice(start, start + limit)
    const nextCursor = start + limit < entries.length ? String(start + limit) : null
    sendPage(request, response, { items, nextCursor }, entryJson)
  })
  routes.get('/apps/:app/builds/:build/files/*path', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    await sendTextOfFile(hub, response, build, parameter(request, 'path'))
  })
  routes.get('/apps/:app/builds/:build/ebuild', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    const text = await readOverlayBlob(hub.records, build.ebuildOid as Oid)
    response.set('Content-Disposition', `inline; filename="${build.pn}-${build.pv}.ebuild"`)
    sendText(response, text)
  })
  routes.get('/apps/:app/builds/:build/eligibility/:environment', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    const { environment } = overlayOf(hub, parameter(request, 'environment'))
    response.json(await judge(hub, build, environment, false))
  })
}

async function answerUpload(
  hub: Hub,
  request: Request,
  response: Response,
  { fields, received }: { readonly fields: UploadFields; readonly received: ReceivedFile },
): Promise<void> {
  // All bytes are here; reading a large archive may take longer than a silent connection is otherwise kept.
  request.setTimeout(0)
  const dryRun = isDryRun(request)
  const { name: by } = principalOf(response)
  const environment = fields.promote === 'true' || fields.promote === 'false' ? null : fields.promote
  if (environment !== null) {
    overlayOf(hub, environment)
    authorize(response, { to: 'promote', environment })
  }
  const wanted = { byPolicy: fields.promote !== 'false', environment, by }
  const { build, isNew, ebuildText } = await receiveBuild(hub, {
    ...fields,
    app: parameter(request, 'app'),
    received,
    by,
    dryRun,
    promotions: (made) => promotionsOfUpload(hub, made, wanted),
  })
  if (dryRun) {
    response.json({ ...buildJson(build, []), dryRun: true, wouldArchive: isNew, ebuild: ebuildText })
    return
  }
  const promotions = await carryOutUpload(hub, build)
  response.status(isNew ? 201 : 200)
  response.location(`${request.baseUrl}/apps/${build.app}/builds/${String(build.build)}`)
  response.json({ ...(await withReleases(hub, build)), promotions: promotions.map(promotionJson) })
}

async function visibleBuild(hub: Hub, request: Request, response: Response): Promise<BuildRow> {
  const principal = principalOf(response)
  const app = parameter(request, 'app')
  const number = parseBuildNumber(parameter(request, 'build'))
  const build = await hub.records.builds.find(app, number)
  if (build && (await isVisible(hub, build, sightOf(principal)))) return build
  throw new HubError(
    'build.unknown',
    `there is no build ${String(number)} of ${JSON.stringify(app.slice(0, 100))} that this token may see`,
  )
}

async function isVisible(hub: Hub, build: BuildRow, sight: ReturnType<typeof sightOf>): Promise<boolean> {
  if (sight.apps !== null && !sight.apps.includes(build.app)) return false
  if (sight.environments === null) return true
  const releases = await hub.records.releases.ofBuild(build.app, build.build)
  return releases.some(({ environment }) => sight.environments?.includes(environment))
}

async function buildsOfDigest(hub: Hub, request: Request, response: Response) {
  const sight = sightOf(principalOf(response))
  const hex = parameter(request, 'hex').toLowerCase()
  if (!/^([0-9a-f]{128}|[0-9a-f]{64})$/.test(hex)) {
    throw new HubError(
      'request.invalid',
      'a digest is the hex of SHA512 or BLAKE2B (128 digits) or SHA256 (64)',
    )
  }
  const found = []
  for (const build of await hub.records.builds.findByDigest(hex)) {
    if (await isVisible(hub, build, sight)) found.push({ kind: 'build', ...(await withReleases(hub, build)) })
  }
  if (found.length === 0)
    throw new HubError('digest.unknown', `nothing archived has the digest ${hex.slice(0, 16)}…`)
  return found
}

async function sendTextOfFile(hub: Hub, response: Response, build: BuildRow, path: string): Promise<void> {
  const format = build.format as ArchiveFormat
  const { content } = await readArchiveFile(hub.blobs.path(build.sha512), format, path, MAX_TEXT_BYTES)
  if (content.includes(0)) {
    throw new HubError(
      'archive.not_text',
      `${JSON.stringify(path.slice(0, 100))} is not text; fetch the tarball for it`,
    )
  }
  sendText(response, content)
}

/** Text of somebody else's making: never anything that a browser would run. */
function sendText(response: Response, text: Buffer): void {
  response.set('Content-Security-Policy', "default-src 'none'; sandbox")
  response.type('text/plain; charset=utf-8').send(text)
}

async function listingOf(hub: Hub, build: BuildRow): Promise<readonly ArchiveEntry[]> {
  const entries = await hub.records.builds.findListing<ArchiveEntry>(build.sha512)
  if (!entries) throw new Error(`the records have no listing of ${build.sha512}`)
  return entries
}

async function withReleases(hub: Pick<Hub, 'records'>, build: BuildRow) {
  return buildJson(build, await hub.records.releases.ofBuild(build.app, build.build))
}

function search(request: Request): { readonly search?: string } {
  const text = query(request, 'q')
  return text === null ? {} : { search: text.slice(0, 200) }
}

export function unknownApp(name: string): HubError {
  return new HubError(
    'app.unknown',
    `there is no app ${JSON.stringify(name.slice(0, 100))}; its first upload makes it`,
  )
}
