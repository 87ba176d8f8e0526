/** Every page that people who have signed in look at. */
import { Router } from 'express'
import { componentsPage } from '../../web/pages/components-page.ts'
import { answerPage, requireVisitor } from './frame.ts'

export function pages(): Router {
  const routes = Router()
  routes.get('/components', requireVisitor, (request, response) => {
    answerPage(request, response, { title: 'Components' }, componentsPage())
  })
  return routes
}
