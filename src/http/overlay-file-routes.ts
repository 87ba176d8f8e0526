/** `/overlays/…`: an overlay as a zip, of now or of any revision, and its files one by one. */
import { HubError } from '../errors.ts'
import { EMPTY_TREE, lookup } from '../git/tree.ts'
import type { Tree } from '../git/tree.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import { OverlayZips } from '../overlays/overlay-zips.ts'
import { readOverlayBlob, treeAt } from '../overlays/overlay-history.ts'
import { authorizeReading } from './auth.ts'
import type { Door } from './node-door.ts'
import type { Visit } from './visit.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

/** `staging` or `staging@12`. */
interface Place {
  readonly environment: string
  readonly revision: number | null
}

export function overlayFileDoor(hub: Hub): Door {
  return async (visit) => {
    const { method } = visit.request
    const [, name = '', tree, ...path] = visit.segments
    if (method !== 'GET' && method !== 'HEAD') return false
    if (visit.segments.length === 2) await answerZip(hub, visit, name)
    else if (tree === 'tree') await answerEntry(hub, visit, name, path.join('/').replace(/\/$/, ''))
    else return false
    return true
  }
}

async function answerZip(hub: Hub, visit: Visit, name: string): Promise<void> {
  if (!name.endsWith('.zip'))
    throw new HubError('request.unknown_route', 'an overlay is /overlays/<environment>.zip')
  const place = openPlace(hub, visit, name.slice(0, -'.zip'.length))
  await sendZip(hub, visit, place, await treeOf(hub, place))
}

async function answerEntry(hub: Hub, visit: Visit, name: string, path: string): Promise<void> {
  const place = openPlace(hub, visit, name)
  await sendEntry(hub, visit, { place, tree: await treeOf(hub, place), path })
}

function openPlace(hub: Hub, visit: Visit, text: string): Place {
  const match = /^([a-z0-9-]+)(?:@([1-9][0-9]{0,14}))?$/.exec(text)
  const environment = match?.[1] ?? text
  authorizeReading(hub, visit.principal, environment)
  overlayOf(hub, environment)
  return { environment, revision: match?.[2] === undefined ? null : Number(match[2]) }
}

async function treeOf(hub: Hub, { environment, revision }: Place): Promise<Tree> {
  if (revision !== null) return await treeAt(hub.records, environment, revision)
  return overlayOf(hub, environment).state?.tree ?? EMPTY_TREE
}

async function sendZip(hub: Hub, visit: Visit, place: Place, tree: Tree): Promise<void> {
  const etag = OverlayZips.etag(tree)
  const headers = {
    ETag: etag,
    'Cache-Control': cacheControl(visit, place),
    'Content-Type': 'application/zip',
  }
  if (visit.isFresh({ etag })) visit.answerUnchanged(headers)
  else visit.answer(200, headers, await hub.zips.zipOf(tree))
}

async function sendEntry(
  hub: Hub,
  visit: Visit,
  { place, tree, path }: { readonly place: Place; readonly tree: Tree; readonly path: string },
): Promise<void> {
  const entry = path === '' ? undefined : lookup(tree, path)
  const folder = path === '' ? tree : entry?.tree
  const etag = `"${entry?.oid ?? tree.oid}"`
  const headers = { ETag: etag, 'Cache-Control': cacheControl(visit, place) }
  if (!folder && !entry) {
    throw new HubError(
      'overlay.no_such_path',
      `the overlay of ${place.environment} has no ${JSON.stringify(path.slice(0, 200))}`,
    )
  }
  if (visit.isFresh({ etag })) visit.answerUnchanged(headers)
  else if (folder) visit.answer(200, { ...headers, 'Content-Type': JSON_TYPE }, folderJson(path, folder))
  else if (entry) {
    const text = await readOverlayBlob(hub.records, entry.oid)
    visit.answer(200, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }, text)
  }
}

function folderJson(path: string, folder: Tree): string {
  const items = folder.entries.map(({ name, oid, tree }) => ({ name, type: tree ? 'folder' : 'file', oid }))
  return JSON.stringify({ path, items })
}

function cacheControl(visit: Visit, { revision }: Place): string {
  return revision === null
    ? `${visit.cacheScope}, no-cache`
    : `${visit.cacheScope}, max-age=31536000, immutable`
}
