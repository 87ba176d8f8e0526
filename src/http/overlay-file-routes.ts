/** `/overlays/…`: an overlay as a zip, of now or of any revision, and its files one by one. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { HubError } from '../errors.ts'
import { EMPTY_TREE, lookup } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { OverlayZips } from '../overlays/overlay-zips.ts'
import { readOverlayBlob, treeAt } from '../overlays/overlay-history.ts'
import { authorizeReading } from './auth.ts'
import { parameter } from './request.ts'

/** `staging` or `staging@12`. */
interface Place {
  readonly environment: string
  readonly revision: number | null
}

export function overlayFileRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/overlays/:file', async (request, response) => {
    const name = parameter(request, 'file')
    if (!name.endsWith('.zip'))
      throw new HubError('request.unknown_route', 'an overlay is /overlays/<environment>.zip')
    const place = openPlace(hub, response, name.slice(0, -'.zip'.length))
    await sendZip(hub, request, response, place, await treeOf(hub, place))
  })
  routes.get(['/overlays/:place/tree', '/overlays/:place/tree/*path'], async (request, response) => {
    const place = openPlace(hub, response, parameter(request, 'place'))
    const tree = await treeOf(hub, place)
    await sendEntry(hub, request, response, {
      place,
      tree,
      path: parameter(request, 'path').replace(/\/$/, ''),
    })
  })
  return routes
}

function openPlace(hub: Hub, response: Response, text: string): Place {
  const match = /^([a-z0-9-]+)(?:@([1-9][0-9]{0,14}))?$/.exec(text)
  const environment = match?.[1] ?? text
  authorizeReading(hub, response, environment)
  overlayOf(hub, environment)
  return { environment, revision: match?.[2] === undefined ? null : Number(match[2]) }
}

async function treeOf(hub: Hub, { environment, revision }: Place): Promise<Tree> {
  if (revision !== null) return await treeAt(hub.records, environment, revision)
  return overlayOf(hub, environment).state?.tree ?? EMPTY_TREE
}

async function sendZip(
  hub: Hub,
  request: Request,
  response: Response,
  place: Place,
  tree: Tree,
): Promise<void> {
  response.set({
    ETag: OverlayZips.etag(tree),
    'Cache-Control': cacheControl(response, place),
    'Content-Type': 'application/zip',
  })
  if (request.fresh) {
    response.status(304).end()
    return
  }
  const zip = await hub.zips.zipOf(tree)
  response.set('Content-Length', String(zip.byteLength)).end(request.method === 'HEAD' ? undefined : zip)
}

async function sendEntry(
  hub: Hub,
  request: Request,
  response: Response,
  { place, tree, path }: { readonly place: Place; readonly tree: Tree; readonly path: string },
): Promise<void> {
  const entry = path === '' ? undefined : lookup(tree, path)
  const folder = path === '' ? tree : entry?.tree
  response.set({ 'Cache-Control': cacheControl(response, place), ETag: `"${entry?.oid ?? tree.oid}"` })
  if (folder) {
    const items = folder.entries.map(({ name, oid, tree: below }) => ({
      name,
      type: below ? 'folder' : 'file',
      oid,
    }))
    response.json({ path, items })
    return
  }
  if (!entry)
    throw new HubError(
      'overlay.no_such_path',
      `the overlay of ${place.environment} has no ${JSON.stringify(path.slice(0, 200))}`,
    )
  if (request.fresh) {
    response.status(304).end()
    return
  }
  response.set('Content-Security-Policy', "default-src 'none'; sandbox")
  response.type('text/plain; charset=utf-8').send(await readOverlayBlob(hub.records, entry.oid))
}

function cacheControl(response: Response, { revision }: Place): string {
  const scope = response.locals['principal'] === undefined ? 'public' : 'private'
  return revision === null ? `${scope}, no-cache` : `${scope}, max-age=31536000, immutable`
}
