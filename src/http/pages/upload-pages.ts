/** `/upload`: a build by a form of a browser. The script of the page sends the tarball by `/api/v1/uploads` instead. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { may, sightOf } from '../../access/rights.ts'
import type { Principal } from '../../access/rights.ts'
import { HubError } from '../../errors.ts'
import { carryOutUpload } from '../../environments/promote-upload.ts'
import { parseAppName } from '../../gentoo/cpv.ts'
import type { Hub } from '../../hub.ts'
import { uploadPage } from '../../web/pages/upload-page.ts'
import type { UploadView, UploadWords } from '../../web/pages/upload-page.ts'
import { buildAddress } from '../../web/pages/words.ts'
import { authorize, principalOf } from '../auth.ts'
import { visibleApps } from '../build-routes.ts'
import { query } from '../request.ts'
import { refuseForeign, refuseForged } from '../session.ts'
import { parseUploadFields, receiveForm, tarballOf } from '../upload.ts'
import { archiveUpload } from '../upload-routes.ts'
import { answerPage, refusalOf, requireVisitor, visitorOf } from './frame.ts'
import type { Refusal } from './frame.ts'

export const NO_WORDS: UploadWords = { app: '', build: '', version: '', commit: '', branch: '' }
/** So many names are offered. */
const MOST_APPS = 500

export function uploadPages(hub: Hub): Router {
  const routes = Router()
  const readUpload = receiveForm(hub)
  routes.get('/upload', requireVisitor, async (request, response) => {
    await answerForm(hub, request, response, { ...NO_WORDS, app: query(request, 'app') ?? '' })
  })
  routes.post('/upload', requireVisitor, async (request, response) => {
    // Before a byte is read: what is no form of the hub, and who may upload nothing.
    refuseForeign(hub, request)
    authorize(response, { to: 'begin uploads' })
    try {
      await readUpload(request, response, () => undefined)
      const build = await archiveForm(hub, request, response)
      response.redirect(303, `${buildAddress(build)}?done=archived`)
    } catch (error) {
      await answerForm(hub, request, response, wordsOf(request), codedRefusal(error))
    }
  })
  return routes
}

/** Whether somebody is offered to upload, this app or some. */
export function mayUpload(principal: Principal, app: string | null): boolean {
  if (app !== null) return may(principal, { to: 'upload', app })
  // A node sends bytes of its own.
  return principal.node === null && may(principal, { to: 'begin uploads' })
}

/** Whoever searches for what to do about it has the code. @throws whatever is none. */
function codedRefusal(error: unknown): Refusal {
  const refusal = refusalOf(error)
  const { code, message } = error as HubError
  return { ...refusal, notice: { kind: 'refused', text: `${message} (${code})` } }
}

async function archiveForm(hub: Hub, request: Request, response: Response) {
  await using received = tarballOf(request)
  const { csrf, app = '', ...given } = (request.body ?? {}) as Readonly<Record<string, unknown>>
  refuseForged(hub, request, response, csrf)
  const name = parseAppName(String(app))
  authorize(response, { to: 'upload', app: name })
  if (received === null) throw new HubError('upload.missing_tarball', 'choose the tarball to upload')
  const fields = parseUploadFields(given, [])
  const upload = { app: name, fields, received, uploadId: null }
  const { build } = await archiveUpload(hub, request, response, upload)
  await carryOutUpload(hub, build)
  return build
}

function wordsOf(request: Request): UploadWords {
  const given = (request.body ?? {}) as Readonly<Record<string, unknown>>
  const word = (name: string): string => (typeof given[name] === 'string' ? given[name] : '')
  const [app, build, version] = [word('app'), word('build'), word('version')]
  return { app, build, version, commit: word('commit'), branch: word('branch') }
}

async function answerForm(
  hub: Hub,
  request: Request,
  response: Response,
  words: UploadWords,
  refusal?: Refusal,
): Promise<void> {
  authorize(response, { to: 'begin uploads' })
  const view = await uploadViewOf(hub, response, words)
  const told = { title: 'Upload a build', section: 'apps', uploads: true } as const
  answerPage(request, response, { ...told, ...refusal }, uploadPage(view))
}

/** What the form of the page, or that of an app, has in it. */
export async function uploadViewOf(hub: Hub, response: Response, words: UploadWords): Promise<UploadView> {
  const principal = principalOf(response)
  const page = { limit: MOST_APPS, cursor: null }
  const names = await visibleApps(hub, response)
  const { items } = await hub.records.apps.list({ ...page, search: null, names })
  // Those of a developer that have no build yet are theirs to make.
  const all = new Set([
    ...items.map(({ name }) => name),
    ...sightOf(principal).flatMap(({ apps }) => apps ?? []),
  ])
  const apps = [...all].filter((app) => may(principal, { to: 'upload', app })).toSorted()
  const chosen = apps.includes(words.app) ? await hub.records.apps.find(words.app) : undefined
  return {
    ...{ words, apps, next: chosen ? chosen.lastBuild + 1 : null },
    ...{ csrf: visitorOf(response)?.csrf ?? '', hubUrl: hub.config.publicUrl },
  }
}
