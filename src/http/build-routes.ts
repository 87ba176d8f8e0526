/** `/apps/{app}/builds…`: what is in the archive. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { isInSight, sightOf } from '../access/rights.ts'
import type { Sight } from '../access/rights.ts'
import type { ArchiveEntry, ArchiveFormat } from '../builds/archive-contents.ts'
import { isText } from '../builds/file-kind.ts'
import { readArchiveFile } from '../builds/read-archive-file.ts'
import { ByteCache } from '../byte-cache.ts'
import { judge, judgePromotion } from '../environments/eligibility.ts'
import { isOpen } from '../environments/promotion.ts'
import { HubError } from '../errors.ts'
import type { Oid } from '../git/objects.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { readOverlayBlob } from '../overlays/overlay-history.ts'
import type { AppRow } from '../records/apps.ts'
import type { BuildRow } from '../records/builds.ts'
import { principalOf } from './auth.ts'
import { readingTurn } from './reading-turn.ts'
import { buildJson, entryJson } from './representations.ts'
import type { BuildMarks } from './representations.ts'
import { numberedPageRequest, pageRequest, parameter, parseBuildNumber, query, sendPage } from './request.ts'
import type { BlobSender } from './send-blob.ts'
import { Visit } from './visit.ts'
import type { VerdictAnswer } from './openapi/verdict.ts'

const MAX_TEXT_BYTES = 1024 * 1024

export function buildRoutes(hub: Hub, blobs: BlobSender): Router {
  const routes = Router()
  routes.get('/apps/:app/builds', async (request, response) => {
    const sight = sightOf(principalOf(response))
    const filter = { sight, app: parameter(request, 'app'), ...search(request) }
    await visibleApp(hub, response, filter.app)
    const page = await hub.records.builds.list(filter, numberedPageRequest(request))
    const items = await Promise.all(page.items.map(async (build) => await withReleases(hub, build, sight)))
    sendPage(request, response, { ...page, items }, (item) => item)
  })
  routes.get('/builds', async (request, response) => {
    const sight = sightOf(principalOf(response))
    const filter = { sight, ...search(request) }
    const page = await hub.records.builds.list(filter, pageRequest(request))
    const items = await Promise.all(page.items.map(async (build) => await withReleases(hub, build, sight)))
    sendPage(request, response, { ...page, items }, (item) => item)
  })
  routes.get('/digests/:hex', async (request, response) => {
    response.json({ items: await buildsOfDigest(hub, request, response) })
  })
  addBuildRoutes(hub, blobs, routes)
  return routes
}

/** One build and what is in it. */
function addBuildRoutes(hub: Hub, blobs: BlobSender, routes: Router): void {
  routes.get('/apps/:app/builds/:build', async (request, response) => {
    response.json(
      await withReleases(hub, await visibleBuild(hub, request, response), sightOf(principalOf(response))),
    )
  })
  routes.get('/apps/:app/builds/:build/tarball', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    response.set('Content-Disposition', `attachment; filename="${build.distfileName}"`)
    const visit = new Visit(request, response)
    visit.principal = principalOf(response)
    await blobs.send(visit, build)
  })
  routes.get('/apps/:app/builds/:build/files', async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    const prefix = query(request, 'prefix') ?? ''
    const { limit, cursor } = numberedPageRequest(request, 1000, 10_000)
    const part = (query(request, 'q') ?? '').toLowerCase()
    const entries = (await listingOf(hub, build)).filter(
      ({ path }) => path.startsWith(prefix) && path.toLowerCase().includes(part),
    )
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
    response.json(await verdictOf(hub, build, environment))
  })
}

/** As the promotion that is open sees it, or as one would that was asked for now. */
export async function verdictOf(hub: Hub, build: BuildRow, environment: string): Promise<VerdictAnswer> {
  const promotion = (await hub.records.promotions.ofBuild(build.app, build.build)).find(
    (one) => one.environment === environment && isOpen(one),
  )
  const { eligible, policyVersion, rules } = promotion
    ? await judgePromotion(hub, promotion)
    : await judge(hub, build, environment, { liftWithdrawal: false, override: null, promotion: null })
  return { eligible, policyVersion, rules }
}

/** The build of the path. @throws {HubError} `build.unknown`, also for one that is there and not to be seen. */
export async function visibleBuild(hub: Hub, request: Request, response: Response): Promise<BuildRow> {
  const number = parseBuildNumber(parameter(request, 'build'))
  return await visibleBuildOf(hub, response, parameter(request, 'app'), number)
}

/** @throws {HubError} `build.unknown`, as `visibleBuild`. */
export async function visibleBuildOf(
  hub: Hub,
  response: Response,
  app: string,
  number: number,
): Promise<BuildRow> {
  const build = await hub.records.builds.find(app, number)
  if (build && (await isVisible(hub, build, sightOf(principalOf(response))))) return build
  throw new HubError(
    'build.unknown',
    `there is no build ${String(number)} of ${JSON.stringify(app.slice(0, 100))} that you may see`,
  )
}

export async function isVisible(hub: Hub, build: BuildRow, sight: Sight): Promise<boolean> {
  const reaches = sight.filter(({ apps }) => apps?.includes(build.app) ?? true)
  if (reaches.some(({ environments }) => environments === null)) return true
  if (reaches.length === 0) return false
  const releases = await hub.records.releases.ofBuild(build.app, build.build)
  return releases.some(({ environment }) => isInSight(reaches, build.app, environment))
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
    if (await isVisible(hub, build, sight))
      found.push({ kind: 'build', ...(await withReleases(hub, build, sight)) })
  }
  if (found.length === 0)
    throw new HubError('digest.unknown', `nothing archived has the digest ${hex.slice(0, 16)}…`)
  return found
}

async function sendTextOfFile(hub: Hub, response: Response, build: BuildRow, path: string): Promise<void> {
  const format = build.format as ArchiveFormat
  using _turn = await readingTurn(response)
  const { content, truncated } = await readArchiveFile(
    hub.blobs.path(build.sha512),
    format,
    path,
    MAX_TEXT_BYTES,
  )
  if (!isText(content)) {
    throw new HubError(
      'archive.not_text',
      `${JSON.stringify(path.slice(0, 100))} is not text; fetch its bytes below /raw/`,
    )
  }
  if (truncated) response.set('X-Truncated', 'true')
  sendText(response, content)
}

/** Text of somebody else's making: never anything that a browser would run. */
export function sendText(response: Response, text: Buffer): void {
  response.set('Content-Security-Policy', "default-src 'none'; sandbox")
  response.type('text/plain; charset=utf-8').send(text)
}

/** Of the tarballs that somebody looks into: an archived one never changes, and people go from folder to folder. */
const listings = new ByteCache<readonly ArchiveEntry[]>(64 * 1024 * 1024)
/** About what an entry takes. */
const BYTES_PER_ENTRY = 300

/** What is in its tarball, in the tarball's order. */
export async function listingOf(
  { records }: Pick<Hub, 'records'>,
  { sha512 }: BuildRow,
): Promise<readonly ArchiveEntry[]> {
  const known = listings.get(sha512)
  if (known) return known
  const entries = await records.builds.findListing<ArchiveEntry>(sha512)
  if (!entries) throw new Error(`the records have no listing of ${sha512}`)
  listings.set(sha512, entries, entries.length * BYTES_PER_ENTRY)
  return entries
}

/** With those of its releases that the asker may know of. */
export async function withReleases(hub: Pick<Hub, 'records'>, build: BuildRow, sight: Sight) {
  const releases = await hub.records.releases.ofBuild(build.app, build.build)
  return buildJson(
    build,
    releases.filter(({ environment }) => isInSight(sight, build.app, environment)),
    await marksOf(hub, build),
  )
}

export async function marksOf(
  { records }: Pick<Hub, 'records'>,
  { app, build }: Pick<BuildRow, 'app' | 'build'>,
): Promise<BuildMarks> {
  return { yank: await records.holds.yankOf(app, build), pin: await records.pins.find(app, build) }
}

function search(request: Request): { readonly search?: string } {
  const text = query(request, 'q')
  return text === null ? {} : { search: text.slice(0, 200) }
}

/** Names of the apps that the one who asks may see; null: all. */
export async function visibleApps(
  hub: Pick<Hub, 'records'>,
  response: Response,
): Promise<readonly string[] | null> {
  const names = new Set<string>()
  for (const { apps, environments } of sightOf(principalOf(response))) {
    if (apps === null && environments === null) return null
    const released = environments === null ? apps : await hub.records.releases.appsOf(environments)
    for (const name of released ?? []) if (apps?.includes(name) ?? true) names.add(name)
  }
  return [...names]
}

/** @throws {HubError} `app.unknown`, also for an app that is there and not to be seen. */
export async function visibleApp(
  hub: Pick<Hub, 'records'>,
  response: Response,
  name: string,
): Promise<AppRow> {
  const names = await visibleApps(hub, response)
  const app = await hub.records.apps.find(name)
  if (!app || (names !== null && !names.includes(name))) throw unknownApp(name)
  return app
}

export function unknownApp(name: string): HubError {
  return new HubError(
    'app.unknown',
    `there is no app ${JSON.stringify(name.slice(0, 100))}; its first upload makes it`,
  )
}
