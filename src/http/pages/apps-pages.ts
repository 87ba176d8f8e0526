/** `/apps` and `/apps/{app}`: what there is, how far its builds have come, and holding it. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { isInSight, may, sightOf } from '../../access/rights.ts'
import type { Principal, Sight } from '../../access/rights.ts'
import { currentPolicy } from '../../environments/environment-policy.ts'
import { retentionRules } from '../../environments/retention.ts'
import type { Hub } from '../../hub.ts'
import { appPage, appsPage } from '../../web/pages/apps-page.ts'
import type { AppView } from '../../web/pages/apps-page.ts'
import { principalOf } from '../auth.ts'
import { isVisible, visibleApp, visibleApps, withReleases } from '../build-routes.ts'
import { holdSchema, liftSchema, liftVisible, mayPromote, placeHold } from '../hold-routes.ts'
import { policyJson } from '../policy-routes.ts'
import { appJson, holdJson } from '../representations.ts'
import { numberedPageRequest, pageRequest, parameter, parseWith, query } from '../request.ts'
import { hubRules } from '../storage-routes.ts'
import { trustJson } from '../trust-routes.ts'
import { answerPage, fieldsOf, nextPage, orShowAgain, readForm, requireVisitor, visitorOf } from './frame.ts'
import type { Refusal } from './frame.ts'
import { mayUpload, NO_WORDS, uploadViewOf } from './upload-pages.ts'

const BUILDS_PER_PAGE = 25
/** So many of an app are shown; nobody has more. */
const SHOWN_HOLDS = 100
const SHOWN_TRUST = 100
const SHOWN_PINS = 100

export function appsPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/apps', requireVisitor, async (request, response) => {
    const names = await visibleApps(hub, response)
    const search = query(request, 'q')
    const { items, nextCursor } = await hub.records.apps.list({ ...pageRequest(request), search, names })
    const uploads = { mayUpload: visitorOf(response)?.csrf !== '' && mayUpload(principalOf(response), null) }
    const list = {
      apps: items.map(appJson),
      search: search ?? '',
      next: nextPage(request, nextCursor),
      ...uploads,
    }
    const content = appsPage({ ...list, hubUrl: hub.config.publicUrl, now: hub.clock.now() })
    answerPage(request, response, { title: 'Apps', section: 'apps' }, content)
  })
  routes.get('/apps/:app', requireVisitor, async (request, response) => {
    await answerApp(hub, request, response)
  })
  routes.post(
    '/apps/:app/hold',
    requireVisitor,
    readForm(hub),
    async (request: Request, response: Response) => {
      const app = parameter(request, 'app')
      const { environment = null, reason } = fieldsOf(request)
      const change = async (): Promise<void> => {
        await placeHold(hub, response, parseWith(holdSchema, { app, reason }, 'the hold'), environment)
        response.redirect(303, `/apps/${app}?done=held#holds`)
      }
      await orShowAgain(change, async (refusal) => await answerApp(hub, request, response, refusal))
    },
  )
  routes.post(
    '/apps/:app/holds/:hold/lift',
    requireVisitor,
    readForm(hub),
    async (request: Request, response: Response) => {
      const change = async (): Promise<void> => {
        const said = parseWith(liftSchema, { reason: fieldsOf(request)['reason'] }, 'the form')
        const { hold } = await liftVisible(hub, request, response, said)
        response.redirect(303, `/apps/${hold.app}?done=${hold.yank === 1 ? 'unyanked' : 'lifted'}#holds`)
      }
      await orShowAgain(change, async (refusal) => await answerApp(hub, request, response, refusal))
    },
  )
  return routes
}

async function answerApp(hub: Hub, request: Request, response: Response, refusal?: Refusal): Promise<void> {
  const app = await visibleApp(hub, response, parameter(request, 'app'))
  const principal = principalOf(response)
  const sight = sightOf(principal)
  const search = query(request, 'q')
  const filter = { sight, app: app.name, ...(search !== null && { search: search.slice(0, 200) }) }
  const page = await hub.records.builds.list(filter, numberedPageRequest(request, BUILDS_PER_PAGE, 100))
  const builds = await Promise.all(
    page.items.map(async (build) => ({
      build: await withReleases(hub, build, sight),
      checks: await hub.records.checks.newest(build.app, build.build),
    })),
  )
  const wanted = { app: app.name, environment: null, sight, open: true }
  const holds = await hub.records.holds.list(wanted, { limit: SHOWN_HOLDS, cursor: null })
  const view: AppView = {
    ...{ app: appJson(app), builds, search: search ?? '', next: nextPage(request, page.nextCursor) },
    before: search === null ? await buildBefore(hub, filter, page.nextCursor) : null,
    pins: await pinsOf(hub, app.name, sight),
    retention: may(principal, { to: 'administer' }) ? await retentionOf(hub, app.name) : null,
    policies: await policiesFor(hub, app.name, sight),
    holds: holds.items.map((hold) => ({
      hold: holdJson(hold),
      mayLift: mayPromote(hub, principal, hold),
    })),
    mayHoldIn: [...hub.config.environments.map(({ name }) => name), null]
      .filter((environment) => mayPromote(hub, principal, { app: app.name, environment }))
      .map((environment) => environment ?? ''),
    trust: await trustOf(hub, principal, app.name),
    upload: await uploadOf(hub, response, app.name),
    ...{ csrf: visitorOf(response)?.csrf ?? '', hubUrl: hub.config.publicUrl, now: hub.clock.now() },
  }
  const told = { title: app.name, section: 'apps', uploads: view.upload !== null } as const
  answerPage(request, response, { ...told, ...refusal }, appPage(view))
}

/** The form is for people who have signed in and may. */
async function uploadOf(hub: Hub, response: Response, app: string): Promise<AppView['upload']> {
  if (visitorOf(response)?.csrf === '' || !mayUpload(principalOf(response), app)) return null
  return await uploadViewOf(hub, response, { ...NO_WORDS, app })
}

/** The one that the next page begins with; null: there is none. */
async function buildBefore(
  hub: Hub,
  { sight, app }: { readonly sight: Sight; readonly app: string },
  cursor: string | null,
): Promise<AppView['before']> {
  if (cursor === null) return null
  const [build] = (await hub.records.builds.list({ sight, app }, { limit: 1, cursor })).items
  return build ? await withReleases(hub, build, sight) : null
}

async function retentionOf(hub: Hub, app: string): Promise<AppView['retention']> {
  const own = await retentionRules(hub, app)
  return { rules: own ?? (await hubRules(hub)), isOwn: own !== null }
}

async function pinsOf(hub: Hub, app: string, sight: Sight): Promise<AppView['pins']> {
  const pins = await hub.records.pins.newestOf(app, SHOWN_PINS)
  const seen = await Promise.all(
    pins.map(async ({ build: number, reason, pinnedBy: by, pinnedAt: at }) => {
      const build = await hub.records.builds.find(app, number)
      return build && (await isVisible(hub, build, sight)) ? [{ build: number, reason, by, at }] : []
    }),
  )
  return seen.flat()
}

async function policiesFor(hub: Hub, app: string, sight: Sight): Promise<AppView['policies']> {
  const seen = hub.config.environments.filter(({ name }) => isInSight(sight, app, name))
  return await Promise.all(seen.map(async ({ name }) => policyJson(name, await currentPolicy(hub, name))))
}

/** Whom an app trusts is for administrators, as in the API. */
async function trustOf(hub: Hub, principal: Principal, app: string): Promise<AppView['trust']> {
  if (!may(principal, { to: 'administer' })) return null
  const { items } = await hub.records.trusts.list(app, { limit: SHOWN_TRUST, cursor: null })
  return items.map(trustJson)
}
