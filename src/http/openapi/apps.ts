import { z } from 'zod'
import { appChangeSchema } from '../app-routes.ts'
import { json, orDryRun } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import { appName, time } from './values.ts'

export const app = z
  .strictObject({
    id: appName,
    name: appName,
    category: z.string().meta({ examples: ['app-acme'] }),
    package: z.string().meta({ description: 'As Portage names it.', examples: ['app-acme/shop'] }),
    description: z.string().nullable(),
    lastBuild: z.int().min(0).describe('The highest number that was ever given.'),
    versionPolicy: z.strictObject({
      preReleaseWords: z.record(z.string(), z.enum(['alpha', 'beta', 'pre', 'rc'])),
      otherWords: z.enum(['refuse', 'alpha']),
    }),
    defaultRecipe: z.record(z.string(), z.unknown()).nullable().describe('For uploads that bring none.'),
    createdAt: time,
  })
  .meta({ id: 'App' })
export type App = Answering<typeof app>

export const apps: Noun = {
  name: 'Apps',
  description: 'What builds are of. The first upload makes one.',
  operations: {
    'apps.list': {
      call: 'GET /apps',
      summary: 'List apps',
      description: 'By name.',
      who: 'any token',
      query: { q: z.string().optional().describe('Part of the name.') },
      page: { of: app },
    },
    'apps.get': {
      call: 'GET /apps/{app}',
      summary: 'Get an app',
      who: 'sees',
      answers: { 200: json('The app.', app) },
      refusals: ['app.unknown'],
    },
    'apps.change': {
      call: 'PATCH /apps/{app}',
      summary: 'Change an app’s settings',
      description: 'Changes what the body names.',
      who: 'administers',
      body: { schema: appChangeSchema, example: { description: 'Acme web shop' } },
      change: true,
      answers: { 200: json('The app as it is now.', orDryRun(app)) },
      refusals: ['app.unknown', 'recipe.invalid'],
    },
  },
}
