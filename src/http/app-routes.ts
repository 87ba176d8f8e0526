/** `/apps`: what there is, and an app's own settings. */
import { Router } from 'express'
import { z } from 'zod'
import { parseRecipe } from '../builds/recipe.ts'
import type { Hub } from '../hub.ts'
import { authorize } from './auth.ts'
import { unknownApp, visibleApp, visibleApps } from './build-routes.ts'
import { appJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

const changeSchema = z.strictObject({
  description: z.string().max(1000).nullable().optional(),
  /** YAML or JSON text of the recipe for uploads that bring none; null takes it away. */
  defaultRecipe: z.string().nullable().optional(),
  versionPolicy: z
    .strictObject({
      preReleaseWords: z.record(
        z.string().regex(/^[a-z][a-z0-9]{0,31}$/),
        z.enum(['alpha', 'beta', 'pre', 'rc']),
      ),
      otherWords: z.enum(['refuse', 'alpha']),
    })
    .optional(),
})

export function appRoutes(hub: Hub): Router {
  const routes = Router()
  routes.get('/apps', async (request, response) => {
    const names = await visibleApps(hub, response)
    const page = await hub.records.apps.list({ ...pageRequest(request), search: query(request, 'q'), names })
    sendPage(request, response, page, appJson)
  })
  routes.get('/apps/:app', async (request, response) => {
    response.json(appJson(await visibleApp(hub, response, parameter(request, 'app'))))
  })
  routes.patch('/apps/:app', async (request, response) => {
    authorize(response, { to: 'administer' })
    const name = parameter(request, 'app')
    const app = await hub.records.apps.find(name)
    if (!app) throw unknownApp(name)
    const { description, defaultRecipe, versionPolicy } = parseWith(changeSchema, request.body, 'the body')
    const change = {
      ...(description === undefined ? {} : { description }),
      ...(defaultRecipe === undefined
        ? {}
        : { defaultRecipe: defaultRecipe === null ? null : JSON.stringify(parseRecipe(defaultRecipe)) }),
      ...(versionPolicy === undefined ? {} : { versionPolicy: JSON.stringify(versionPolicy) }),
    }
    if (!isDryRun(request) && Object.keys(change).length > 0) await hub.records.apps.update(name, change)
    response.json(appJson({ ...app, ...change }))
  })
  return routes
}
