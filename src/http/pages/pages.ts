/** Every page that people who have signed in look at. */
import { Router } from 'express'
import type { Hub } from '../../hub.ts'
import { componentsPage } from '../../web/pages/components-page.ts'
import { appsPages } from './apps-pages.ts'
import { auditPages } from './audit-pages.ts'
import { boardPages } from './board-pages.ts'
import { buildPages } from './build-pages.ts'
import { comparePages } from './compare-pages.ts'
import { enrolPages } from './enrol-pages.ts'
import { environmentPages } from './environment-pages.ts'
import { filesPages } from './files-pages.ts'
import { answerPage, requireVisitor } from './frame.ts'
import { healthPages } from './health-pages.ts'
import { nodePages } from './node-pages.ts'
import { peoplePages } from './people-pages.ts'
import { promotionPages } from './promotion-pages.ts'
import { searchPages } from './search-pages.ts'
import { storagePages } from './storage-pages.ts'
import { tokenPages } from './token-pages.ts'
import { treePages } from './tree-pages.ts'
import { uploadPages } from './upload-pages.ts'
import { webhookPages } from './webhook-pages.ts'

export function pages(hub: Hub): Router {
  const routes = Router()
  // Before anything is read: what happens from now on is told to whoever has the page.
  routes.use(async (_request, response, next) => {
    response.locals['eventsAfter'] = (await hub.records.audit.head()).seq
    next()
  })
  routes.use(boardPages(hub), appsPages(hub), buildPages(hub), filesPages(hub), comparePages(hub))
  routes.get('/components', requireVisitor, (request, response) => {
    answerPage(request, response, { title: 'Components' }, componentsPage())
  })
  routes.use(promotionPages(hub), enrolPages(hub), nodePages(hub), environmentPages(hub), treePages(hub))
  routes.use(searchPages(hub), uploadPages(hub))
  routes.use(auditPages(hub), peoplePages(hub), tokenPages(hub), webhookPages(hub), healthPages(hub))
  routes.use(storagePages(hub))
  return routes
}
