/**
 * `/distfiles/<environment>/`: the mirror, in all three layouts at once. A plain `thirdpartymirrors` entry asks for
 * the name alone; GENTOO_MIRRORS appends `distfiles/` and follows `layout.conf` (GLEP 75).
 */
import { Router } from 'express'
import { HubError } from '../errors.ts'
import { contentHashPath, filenameHashPath, renderDistfilesLayoutConf } from '../gentoo/layout-conf.ts'
import type { Hub } from '../hub.ts'
import { overlayOf } from '../overlays/overlay-of.ts'
import type { BuildRow } from '../records/builds.ts'
import { authorizeReading } from './auth.ts'
import { parameter } from './request.ts'
import { sendBlob } from './send-blob.ts'

export function distfileRoutes(hub: Hub): Router {
  const routes = Router()
  const layoutConf = renderDistfilesLayoutConf()
  routes.get('/distfiles/:environment/*path', async (request, response) => {
    const environment = parameter(request, 'environment')
    authorizeReading(hub, response, environment)
    overlayOf(hub, environment)
    const path = parameter(request, 'path').replace(/^distfiles\//, '')
    if (path === 'layout.conf') {
      response.set('Cache-Control', 'no-cache').type('text/plain').send(layoutConf)
      return
    }
    const build = await findDistfile(hub, environment, path)
    if (!build)
      throw new HubError(
        'distfile.unknown',
        `the mirror of ${environment} has no ${JSON.stringify(path.slice(0, 200))}`,
      )
    await sendBlob(request, response, hub.blobs.path(build.sha512), build)
  })
  return routes
}

async function findDistfile(
  hub: Pick<Hub, 'records'>,
  environment: string,
  path: string,
): Promise<BuildRow | undefined> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (/^[0-9a-f]{128}$/.test(name)) {
    return path === contentHashPath(name)
      ? await hub.records.releases.findDistfileBySha512(environment, name)
      : undefined
  }
  const build = await hub.records.releases.findDistfile(environment, name)
  return build && (path === name || path === filenameHashPath(name)) ? build : undefined
}
