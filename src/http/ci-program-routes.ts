/** `/ci.sh`: the program that CI jobs keep in their repositories, for whoever has no checkout of the hub. */
import { readFileSync } from 'node:fs'
import { Router } from 'express'

const PROGRAM = readFileSync(new URL('../../integrations/shell/portage-hub-ci', import.meta.url), 'utf8')

/** Needs no token: it is the same at every hub. */
export function ciProgramRoutes(): Router {
  const routes = Router()
  routes.get('/ci.sh', (_request, response) => {
    response.set('Cache-Control', 'no-cache').type('text/plain').send(PROGRAM)
  })
  return routes
}
