/** `/nodes/{node}/restore-points`: a question first, then the files that the hub lacks, then its verdict. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import type { ChangedFiles } from '../binpkgs/changed-files.ts'
import { takeUpload, endUpload } from '../builds/partial-upload.ts'
import type { ReceivedFile } from '../builds/receive-bytes.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { announcePoint, wantedFiles } from '../nodes/announce-point.ts'
import { completePoint } from '../nodes/complete-point.ts'
import { findNode } from '../nodes/find-node.ts'
import { findPointFile, receivePointFile } from '../nodes/receive-point-file.ts'
import { receivePointMetadata } from '../nodes/receive-point-metadata.ts'
import { FILE_PLACES, announcementSchema, findPoint } from '../nodes/restore-point.ts'
import { knownChanges } from '../nodes/known-changes.ts'
import { keepPoint, removePoint } from '../nodes/remove-point.ts'
import { findStoredFile } from '../nodes/stored-file.ts'
import type { StoredFile } from '../nodes/stored-file.ts'
import type { BinpkgRow } from '../records/binpkgs.ts'
import type {
  PointKey,
  RehearsalFilter,
  RestorePointFileRow,
  RestorePointRow,
} from '../records/restore-points.ts'
import { authorize, principalOf } from './auth.ts'
import { ownNode } from './own-node.ts'
import { pointFileJson, pointJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'
import { BlobSender } from './send-blob.ts'
import { digestsOfHeader, receiveRawBody } from './upload.ts'
import { Visit } from './visit.ts'
import type { StoredPoint } from './openapi/restore-points.ts'

const PLACE = '/nodes/:node/restore-points/:point/:place/*name'

/** Bytes of restore points: their own store, and no server in front that could send from it. */
export function restorePointFileRoutes(hub: Hub): Router {
  const routes = Router()
  const stored = { blobs: hub.binpkgBlobs, config: { ...hub.config, accelRedirect: null }, log: hub.log }
  const blobs = new BlobSender(stored)
  routes.put('/nodes/:node/restore-points/:point/metadata/*name', async (request, response) => {
    const key = ownPoint(request, response)
    const fileKey = { kind: 'binpkg', name: parameter(request, 'name') } as const
    const file = await findPointFile(hub, key, fileKey)
    if (file.receivedAt !== null) {
      response.json(pointFileJson(file))
      return
    }
    await hub.arrivals.during(key, async () => {
      await using received = await receiveRawBody(stored, request)
      await receivePointMetadata(hub, key, { file, received, declared: digestsOfHeader(request) })
    })
    response.status(201).json(pointFileJson(await findPointFile(hub, key, fileKey)))
  })
  routes.put(PLACE, async (request, response) => {
    const key = ownPoint(request, response)
    const file = await findPointFile(hub, key, fileKeyOf(request))
    if (file.receivedAt !== null) {
      response.json(pointFileJson(file))
      return
    }
    const declared = digestsOfHeader(request)
    const upload = query(request, 'upload')
    await hub.arrivals.during(key, async () => {
      await using received =
        upload === null
          ? await receiveRawBody(stored, request)
          : await takeNamed(hub, request, response, upload)
      await receivePointFile(hub, key, { file, received, declared })
    })
    if (upload !== null) await endUpload(hub, principalOf(response), upload)
    response.status(201).json(pointFileJson(await findPointFile(hub, key, file)))
  })
  routes.get(PLACE, async (request, response) => {
    const key = ownPoint(request, response)
    const visit = new Visit(request, response)
    visit.principal = principalOf(response)
    await blobs.send(visit, await keptFile(hub, await findPointFile(hub, key, fileKeyOf(request))))
  })
  return routes
}

export function restorePointRoutes(hub: Hub): Router {
  const routes = Router()
  routes.post('/nodes/:node/restore-points', async (request, response) => {
    const node = ownNode(request, response)
    const announcement = parseWith(announcementSchema, request.body, 'the restore point')
    const dryRun = isDryRun(request)
    const announced = await announcePoint(hub, { node, announcement, dryRun })
    response.status(announced.isNew && !dryRun ? 201 : 200)
    response.json({
      ...pointJson(announced.point, announced.files),
      wants: await wantedFiles(hub, announced),
      ...(dryRun && { dryRun }),
    })
  })
  routes.post('/nodes/:node/restore-points/:point/complete', async (request, response) => {
    const key = ownPoint(request, response)
    if (isDryRun(request)) throw new HubError('request.invalid', 'this has no dry run; leave ?dryRun= out')
    // Reading large packages may take longer than a silent connection is otherwise kept.
    request.setTimeout(0)
    const { point, binpkgs } = await completePoint(hub, key)
    response.json({ id: point.id, state: point.state, binpkgs: binpkgs.map(binpkgJson) })
  })
  routes.get('/nodes/:node/restore-points', async (request, response) => {
    const node = ownNode(request, response)
    await findNode(hub, node)
    const filter = { app: query(request, 'app'), rehearsed: rehearsalFilter(request) }
    const page = await hub.records.restorePoints.list(node, filter, pageRequest(request))
    const changes = await changesOf(
      hub,
      node,
      page.items.map(({ id }) => id),
    )
    sendPage(request, response, page, (point) => storedPointJson(point, changes))
  })
  routes.get('/nodes/:node/restore-points/:point', async (request, response) => {
    const key = ownPoint(request, response)
    const point = await findPoint(hub, key)
    const files = await hub.records.restorePoints.filesOf(key)
    const filesJson = await Promise.all(files.map(async (file) => await storedFileJson(hub, file)))
    const changes = await changesOf(hub, key.node, [key.id])
    response.json({ ...storedPointJson(point, changes), files: filesJson })
  })
  routes.delete('/nodes/:node/restore-points/:point', async (request, response) => {
    authorize(response, { to: 'administer' })
    const key = { node: parameter(request, 'node'), id: parameter(request, 'point') }
    const dryRun = isDryRun(request)
    const point = await removePoint(hub, key, { evenNewest: query(request, 'newest') === 'true', dryRun })
    response.json({ ...pointJson(point), ...(dryRun && { dryRun }) })
  })
  for (const [method, keep] of [
    ['put', true],
    ['delete', false],
  ] as const)
    routes[method]('/nodes/:node/restore-points/:point/pin', async (request, response) => {
      const key = ownPoint(request, response)
      const dryRun = isDryRun(request)
      const point = await keepPoint(hub, key, { keep, dryRun })
      response.json({ ...pointJson(point), ...(dryRun && { dryRun }) })
    })
  return routes
}

function rehearsalFilter(request: Request): RehearsalFilter | null {
  const wanted = query(request, 'rehearsed')
  if (wanted === null || wanted === 'never' || wanted === 'passed' || wanted === 'failed') return wanted
  throw new HubError('request.invalid', '?rehearsed= is never, passed or failed')
}

function ownPoint(request: Request, response: Response): PointKey {
  return { node: ownNode(request, response), id: parameter(request, 'point') }
}

function fileKeyOf(request: Request) {
  const place = parameter(request, 'place')
  const kind = Object.hasOwn(FILE_PLACES, place) ? FILE_PLACES[place] : undefined
  if (kind === undefined)
    throw new HubError(
      'request.unknown_route',
      `files of a restore point are in ${Object.keys(FILE_PLACES).join(', ')}`,
    )
  return { kind, name: parameter(request, 'name') }
}

/** Bytes that came by `/uploads`, of the same token. */
async function takeNamed(hub: Hub, request: Request, response: Response, id: string): Promise<ReceivedFile> {
  request.setTimeout(0)
  return (await takeUpload(hub, principalOf(response), id)).received
}

/** @throws {HubError} `restore_point.unknown_file` for bytes that are not here. */
async function keptFile(hub: Pick<Hub, 'records'>, file: RestorePointFileRow): Promise<StoredFile> {
  const stored = await findStoredFile(hub, file)
  if (stored) return stored
  throw new HubError('restore_point.unknown_file', `the bytes of ${file.name} are not here`)
}

type Changes = ReadonlyMap<string, ChangedFiles>

/** Of these points of a node those of which it is known. */
async function changesOf(
  { records }: Pick<Hub, 'records'>,
  node: string,
  ids: readonly string[],
): Promise<Changes> {
  const rows = await records.packageChanges.ofPoints(node, ids)
  return new Map(
    rows.map((row) => {
      const { count, names } = knownChanges(row)
      return [row.point, { count, names }]
    }),
  )
}

/** null: nobody knows which files were changed, of a package that is encrypted or not here. */
export function storedPointJson(point: RestorePointRow, changes: Changes): StoredPoint {
  return { ...pointJson(point), changedFiles: changes.get(point.id) ?? null }
}

/** A node that lost its own copy must know what it will get: of an accepted package that is not what it sent. */
async function storedFileJson(hub: Pick<Hub, 'records'>, file: RestorePointFileRow) {
  const stored = await findStoredFile(hub, file)
  return {
    ...pointFileJson(file),
    stored: stored && { sizeBytes: stored.sizeBytes, sha512: stored.sha512 },
  }
}

function binpkgJson({ cpv, binpkgBuildId, path, sizeBytes, sha512 }: BinpkgRow) {
  return { cpv, binpkgBuildId, path, sizeBytes, sha512 }
}
