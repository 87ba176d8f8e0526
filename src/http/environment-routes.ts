/** `/environments`: what stands where, the history of each overlay, hand-kept files, and taking a release back. */
import { raw, Router } from 'express'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { demand, EVERYTHING, may, sightOf } from '../access/rights.ts'
import type { Principal, Sight } from '../access/rights.ts'
import { currentPolicy } from '../environments/environment-policy.ts'
import { withdrawRelease } from '../environments/release-build.ts'
import type { Withdrawn } from '../environments/release-build.ts'
import { HubError } from '../errors.ts'
import { listFiles } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import { entryOfRevision, treeOfRevision } from '../overlays/browse-revision.ts'
import { diffRevision } from '../overlays/diff-revision.ts'
import { readOverlayBlob } from '../overlays/overlay-history.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { putOverlayFile } from '../overlays/put-file.ts'
import type { RevisionRow } from '../records/overlays.ts'
import type { Page } from '../records/page.ts'
import type { ReleasedBuild } from '../records/releases.ts'
import type { EnvironmentConfig } from '../settings.ts'
import type { Environment } from './openapi/environments.ts'
import { authorize, authorizeReading, principalOf } from './auth.ts'
import { sendText } from './build-routes.ts'
import { momentOf } from './moment.ts'
import { reasonField } from './reason.ts'
import { environmentJson, publishedJson, releaseJson, revisionJson } from './representations.ts'
import {
  isDryRun,
  numberedPageRequest,
  pageRequest,
  parameter,
  parseWith,
  query,
  sendPage,
} from './request.ts'

export const withdrawalSchema = z.strictObject({ reason: reasonField })

const MAX_FILE_BYTES = 1024 * 1024

export function environmentRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/environments', async (_request, response) => {
    response.json({ items: await listedEnvironments(hub, principalOf(response)), nextCursor: null })
  })
  routes.get('/environments/:environment', async (request, response) => {
    const { environment } = seen(hub, request, response)
    response.json(environmentJson(hub, environment, await currentPolicy(hub, environment.name)))
  })
  routes.get('/environments/:environment/releases', async (request, response) => {
    sendPage(request, response, await listedReleases(hub, request, response), (build) =>
      releaseJson(build.release, build),
    )
  })
  routes.post('/environments/:environment/releases/:release/withdraw', async (request, response) => {
    const environment = parameter(request, 'environment')
    const releaseId = parameter(request, 'release')
    const dryRun = isDryRun(request)
    const { release, published } = await withdraw(
      hub,
      response,
      { environment, releaseId, dryRun },
      request.body,
    )
    const build = await hub.records.builds.find(release.app, release.build)
    if (!build) throw new Error(`release ${release.id} names a build that the records lack`)
    response.json({ ...releaseJson(release, build), published: publishedJson(published) })
  })
  addRevisionRoutes(hub, routes)
  return routes
}

/** Withdraws a release as the body says, if that is theirs to do. @throws {HubError} as `withdrawRelease`. */
export async function withdraw(
  hub: Hub,
  response: Response,
  place: { readonly environment: string; readonly releaseId: string; readonly dryRun: boolean },
  body: unknown,
): Promise<Withdrawn> {
  const { environment } = overlayOf(hub, place.environment)
  // Of one that there is not nobody is told who may not withdraw all of them.
  const { app = '' } = (await hub.records.releases.find(place.releaseId)) ?? {}
  const { name: by } = authorize(response, { to: 'promote', app, environment })
  const { reason } = parseWith(withdrawalSchema, body, 'the body')
  return await withdrawRelease(hub, { ...place, environment, reason, by })
}

/** Those of which they see something, in the order of promotion. */
export async function listedEnvironments(hub: Hub, principal: Principal): Promise<readonly Environment[]> {
  const seen = hub.config.environments.filter(({ name }) =>
    may(principal, { to: 'see', app: null, environment: name }),
  )
  return await Promise.all(
    seen.map(async (environment) =>
      environmentJson(hub, environment, await currentPolicy(hub, environment.name)),
    ),
  )
}

/** Releases of the environment of the path that they see, as the query narrows them. @throws as `seen`. */
export async function listedReleases(
  hub: Hub,
  request: Request,
  response: Response,
): Promise<Page<ReleasedBuild>> {
  const { environment, sight } = seen(hub, request, response)
  const state = query(request, 'state')
  if (state !== null && state !== 'released' && state !== 'withdrawn')
    throw new HubError('request.invalid', '?state= is released or withdrawn')
  const filter = { ...pageRequest(request), app: query(request, 'app'), state, sight }
  return await hub.records.releases.list(environment.name, filter)
}

function addRevisionRoutes(hub: Hub, routes: Router): void {
  routes.get('/environments/:environment/revisions', async (request, response) => {
    const { name } = readable(hub, request, response)
    sendPage(
      request,
      response,
      await hub.records.overlays.listRevisions(name, {
        ...numberedPageRequest(request),
        until: momentOf(query(request, 'at')),
      }),
      revisionJson,
    )
  })
  routes.get('/environments/:environment/revisions/:revision', async (request, response) => {
    const revision = await findRevision(hub, request, response)
    const changes = await hub.records.overlays.changesOf(revision.environment, revision.number)
    const listed = changes.map(({ path, oid }) => ({ path, action: oid === null ? 'remove' : 'write' }))
    response.json({ ...revisionJson(revision), changes: listed })
  })
  routes.get('/environments/:environment/revisions/:revision/diff', async (request, response) => {
    const revision = await findRevision(hub, request, response)
    const files = await diffRevision(hub.records, revision.environment, revision.number)
    response.json({ ...revisionJson(revision), files })
  })
  routes.get('/environments/:environment/revisions/:revision/files', async (request, response) => {
    const tree = await treeOfRevision(hub, await findRevision(hub, request, response))
    const prefix = query(request, 'prefix') ?? ''
    const { limit, cursor } = numberedPageRequest(request, 1000, 10_000)
    const files = [...listFiles(tree)].filter(([path]) => path.startsWith(prefix))
    const start = Number(cursor ?? 0)
    const nextCursor = start + limit < files.length ? String(start + limit) : null
    const page = { items: files.slice(start, start + limit), nextCursor }
    sendPage(request, response, page, ([path, oid]) => ({ path, oid }))
  })
  routes.get('/environments/:environment/revisions/:revision/files/*path', async (request, response) => {
    const revision = await findRevision(hub, request, response)
    const path = parameter(request, 'path')
    const { oid, tree } = await entryOfRevision(hub, revision, path)
    if (tree)
      throw new HubError(
        'overlay.no_such_path',
        `${JSON.stringify(path.slice(0, 200))} is a folder: ask for the files with ?prefix= of it`,
      )
    sendText(response, await readOverlayBlob(hub.records, oid))
  })
}

/** Hand-kept files: bodies of any type, so these routes come before whatever reads JSON. */
export function overlayHandRoutes(hub: Hub): Router {
  const routes = Router()
  const path = '/environments/:environment/files/*path'
  routes.put(path, raw({ type: () => true, limit: MAX_FILE_BYTES }), async (request, response) => {
    const content = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    await putFile(hub, request, response, content)
  })
  routes.delete(path, async (request, response) => {
    await putFile(hub, request, response, null)
  })
  routes.get('/environments/:environment/files', async (request, response) => {
    const { name } = readable(hub, request, response)
    const files = (await hub.records.overlays.files(name)).filter(({ byHand }) => byHand === 1)
    response.json({ items: files.map(({ path }) => ({ path })), nextCursor: null })
  })
  return routes
}

async function putFile(
  hub: Hub,
  request: Request,
  response: Response,
  content: Buffer | null,
): Promise<void> {
  const { environment } = overlayOf(hub, parameter(request, 'environment'))
  const { name: by } = authorize(response, { to: 'administer' })
  const path = parameter(request, 'path')
  const published = await putOverlayFile(hub, { environment, path, content, by, dryRun: isDryRun(request) })
  response.json({ path, published: publishedJson(published) })
}

/** The environment of the path, if it is theirs to read. @throws {HubError} `auth.forbidden`; `environment.unknown`. */
export function readable(hub: Hub, request: Request, response: Response): EnvironmentConfig {
  const name = parameter(request, 'environment')
  authorizeReading(hub, principalOf(response), name)
  return environmentOf(hub, name)
}

/**
 * The environment of the path, if something of it is theirs to see, and what that is: all of it, where the operator
 * opened it. @throws as `readable`.
 */
export function seen(
  hub: Hub,
  request: Request,
  response: Response,
): { readonly environment: EnvironmentConfig; readonly sight: Sight } {
  const name = parameter(request, 'environment')
  const isOpen = hub.config.anonymousRead.includes(name)
  const principal = principalOf(response)
  if (!isOpen) demand(principal, { to: 'see', app: null, environment: name })
  return { environment: environmentOf(hub, name), sight: isOpen ? EVERYTHING : sightOf(principal) }
}

function environmentOf(hub: Hub, name: string): EnvironmentConfig {
  overlayOf(hub, name)
  const environment = hub.config.environments.find((candidate) => candidate.name === name)
  if (!environment)
    throw new HubError('environment.unknown', `there is no environment ${JSON.stringify(name)}`)
  return environment
}

/** The revision of the path. @throws as `readable`; {HubError} `overlay.unknown_revision`. */
export async function findRevision(hub: Hub, request: Request, response: Response): Promise<RevisionRow> {
  const { name } = readable(hub, request, response)
  const text = parameter(request, 'revision')
  const revision = /^[1-9][0-9]{0,14}$/.test(text)
    ? await hub.records.overlays.findRevision(name, Number(text))
    : undefined
  if (revision) return revision
  throw new HubError(
    'overlay.unknown_revision',
    `the overlay of ${name} has no revision ${JSON.stringify(text.slice(0, 50))}`,
  )
}
