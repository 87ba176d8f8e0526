/** `/apps`: what there is, and an app's own settings. */
import { Router } from 'express'
import { z } from 'zod'
import { recordChange } from '../audit/record-change.ts'
import { parseRecipe } from '../builds/recipe.ts'
import type { Hub } from '../hub.ts'
import type { AppRow } from '../records/apps.ts'
import { authorize } from './auth.ts'
import { unknownApp, visibleApp, visibleApps } from './build-routes.ts'
import { appJson } from './representations.ts'
import { isDryRun, pageRequest, parameter, parseWith, query, sendPage } from './request.ts'

export const appChangeSchema = z.strictObject({
  description: z.string().max(1000).nullable().optional(),
  defaultRecipe: z
    .string()
    .nullable()
    .optional()
    .describe('YAML or JSON text of the recipe for uploads that bring none; null takes it away.'),
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
    const { description, defaultRecipe, versionPolicy } = parseWith(appChangeSchema, request.body, 'the body')
    const change = {
      ...(description === undefined ? {} : { description }),
      ...(defaultRecipe === undefined
        ? {}
        : { defaultRecipe: defaultRecipe === null ? null : JSON.stringify(parseRecipe(defaultRecipe)) }),
      ...(versionPolicy === undefined ? {} : { versionPolicy: JSON.stringify(versionPolicy) }),
    }
    if (!isDryRun(request) && Object.keys(change).length > 0) await changeApp(hub, app, change)
    response.json(appJson({ ...app, ...change }))
  })
  return routes
}

async function changeApp(hub: Hub, app: AppRow, change: Partial<AppRow>): Promise<void> {
  await hub.records.transaction(async (records) => {
    await records.apps.update(app.name, change)
    const before = Object.fromEntries(Object.keys(change).map((name) => [name, app[name as keyof AppRow]]))
    const told = { type: 'app.changed', subject: app.name, app: app.name } as const
    await recordChange(records, hub.clock, { ...told, before, after: change })
  })
}
