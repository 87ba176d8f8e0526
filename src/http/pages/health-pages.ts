/** `/health`: whether the hub is well. For administrators. */
import { Router } from 'express'
import type { Hub } from '../../hub.ts'
import { healthPage } from '../../web/pages/health-page.ts'
import { authorize } from '../auth.ts'
import { healthJson } from '../health-routes.ts'
import { answerPage, requireVisitor } from './frame.ts'

export function healthPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/health', requireVisitor, async (request, response) => {
    authorize(response, { to: 'administer' })
    const content = healthPage(await healthJson(hub), hub.clock.now())
    answerPage(request, response, { title: 'Health', section: 'health' }, content)
  })
  return routes
}
