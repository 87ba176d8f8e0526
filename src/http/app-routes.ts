/** `/apps`: what there is, and an app's own settings. */
import { Router } from 'express'
import type { Response } from 'express'
import { z } from 'zod'
import { sightOf } from '../access/rights.ts'
import { parseRecipe } from '../builds/recipe.ts'
import type { Hub } from '../hub.ts'
import { authorize, principalOf } from './auth.ts'
import { unknownApp } from './build-routes.ts'
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
    const names = await visibleApps(hub, response)
    const name = parameter(request, 'app')
    const app = await hub.records.apps.find(name)
    if (!app || (names !== null && !names.includes(name))) throw unknownApp(name)
    response.json(appJson(app))
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

async function visibleApps(hub: Pick<Hub, 'records'>, response: Response): Promise<readonly string[] | null> {
  const sight = sightOf(principalOf(response))
  if (sight.environments === null) return sight.apps
  return await hub.records.releases.appsOf(sight.environments)
}
