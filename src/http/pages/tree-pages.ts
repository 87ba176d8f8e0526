/** `/environments/{environment}/revisions/{n}/tree`: the files of an overlay as of a revision, or of a time. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import type { Tree } from '../../git/tree.ts'
import type { Hub } from '../../hub.ts'
import { entryOfRevision, revisionAt } from '../../overlays/browse-revision.ts'
import { readOverlayBlob } from '../../overlays/overlay-history.ts'
import { overlayOf } from '../../overlays/overlay-of.ts'
import { folderPage, overlayFilePage, treeAddress } from '../../web/pages/tree-page.ts'
import { findRevision, readable } from '../environment-routes.ts'
import { momentOf } from '../moment.ts'
import { revisionJson } from '../representations.ts'
import { numberedPageRequest, parameter, query } from '../request.ts'
import { answerPage, nextPage, requireVisitor } from './frame.ts'

const ITEMS_PER_PAGE = 200

export function treePages(hub: Hub): Router {
  const routes = Router()
  routes.get('/environments/:environment/tree', requireVisitor, async (request, response) => {
    const { name } = readable(hub, request, response)
    const path = query(request, 'path') ?? ''
    const number = query(request, 'revision')
    const at = momentOf(query(request, 'at')) ?? hub.clock.now()
    // What the number says wrongly, the address that it makes tells.
    const revision = number ?? (await revisionAt(hub, name, at)).number
    response.redirect(303, treeAddress({ environment: name, revision: Number(revision) }, path))
  })
  const tree = '/environments/:environment/revisions/:revision/tree'
  routes.get([tree, `${tree}/*path`], requireVisitor, async (request, response) => {
    await answerTree(hub, request, response)
  })
  return routes
}

async function answerTree(hub: Hub, request: Request, response: Response): Promise<void> {
  const revision = await findRevision(hub, request, response)
  const { environment, number } = revision
  const path = request.params['path'] === undefined ? '' : parameter(request, 'path')
  const entry = await entryOfRevision(hub, revision, path)
  const newest = overlayOf(hub, environment).state?.revision ?? number
  const place = { revision: revisionJson(revision), newest, path, now: hub.clock.now() }
  const content = entry.tree
    ? folderPage({ ...place, ...(await itemsOf(hub, request, entry.tree)) })
    : overlayFilePage({ ...place, ...textOf(await readOverlayBlob(hub.records, entry.oid)) })
  const title = `${path === '' ? 'Files' : path} in ${environment}, revision ${String(number)}`
  answerPage(request, response, { title, section: 'environments' }, content)
}

async function itemsOf(hub: Hub, request: Request, { entries }: Tree) {
  const { limit, cursor } = numberedPageRequest(request, ITEMS_PER_PAGE, 500)
  const start = Number(cursor ?? 0)
  const shown = entries.slice(start, start + limit)
  const sizes = await hub.records.overlays.blobSizes(shown.flatMap(({ oid, tree }) => (tree ? [] : [oid])))
  const items = shown.map(({ name, oid, tree }) => ({ name, sizeBytes: tree ? null : (sizes.get(oid) ?? 0) }))
  const more = start + limit < entries.length ? String(start + limit) : null
  return { items, next: nextPage(request, more) }
}

function textOf(content: Buffer): { readonly text: string | null; readonly sizeBytes: number } {
  return { text: content.includes(0) ? null : content.toString(), sizeBytes: content.byteLength }
}
