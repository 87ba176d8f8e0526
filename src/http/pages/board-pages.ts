/** `/`: what is where, what waits and for what. People see the board; programs a line of text. */
import { Router } from 'express'
import type { RequestHandler } from 'express'
import { isInSight, may, sightOf } from '../../access/rights.ts'
import type { Principal } from '../../access/rights.ts'
import { currentPolicy } from '../../environments/environment-policy.ts'
import type { Hub } from '../../hub.ts'
import { newestReleased } from '../../nodes/node-status.ts'
import type { AppRow } from '../../records/apps.ts'
import type { BuildOnNodes } from '../../records/nodes.ts'
import type { StandingBuild } from '../../records/releases.ts'
import { HUB_VERSION } from '../../version.ts'
import { boardPage } from '../../web/pages/board-page.ts'
import type { Board, BoardCell, BoardEnvironment } from '../../web/pages/board-page.ts'
import { principalOf } from '../auth.ts'
import { visibleApps } from '../build-routes.ts'
import { promotionsJson, wholePromotionJson } from '../promotion-json.ts'
import { appJson, holdJson, releaseJson } from '../representations.ts'
import { pageRequest } from '../request.ts'
import { answerPage, nextPage, requireVisitor, wantsPage } from './frame.ts'
import { freezeNow } from './freeze-now.ts'

/** So many holds of an app are looked at; the page of the app has all. */
const SHOWN_HOLDS = 20

export function boardPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/', signOfTheHub, requireVisitor, async (request, response) => {
    const names = await visibleApps(hub, response)
    const apps = await hub.records.apps.list({ ...pageRequest(request), search: null, names })
    const board = {
      ...(await readBoard(hub, principalOf(response), apps.items)),
      ...{ address: request.originalUrl, next: nextPage(request, apps.nextCursor) },
    }
    answerPage(request, response, { title: 'Board', section: 'board' }, boardPage(board))
  })
  return routes
}

/** What programs read there. */
const signOfTheHub: RequestHandler = (request, response, next) => {
  response.vary('Accept')
  if (wantsPage(request)) next()
  else
    response
      .type('text/plain')
      .send(`Portage Hub ${HUB_VERSION}\nAPI: /api/v1 (docs/api.md)\nKeys: /keys/hub.asc /keys/binhost.asc\n`)
}

async function readBoard(
  hub: Hub,
  principal: Principal,
  apps: readonly AppRow[],
): Promise<Omit<Board, 'next' | 'address'>> {
  const sight = sightOf(principal)
  const names = apps.map(({ name }) => name)
  const seen = hub.config.environments
    .map(({ name }) => name)
    .filter((environment) => may(principal, { to: 'see', app: null, environment }))
  const newest = new Map<string, StandingBuild>()
  for (const environment of seen)
    for (const [app, builds] of await hub.standing.of(environment, names)) {
      const best = newestReleased(builds)
      if (best) newest.set(`${environment}/${app}`, best)
    }
  const releases = await releasesOf(
    hub,
    [...newest.values()].map(({ release }) => release),
  )
  const open = await hub.records.promotions.openOf(names, sight)
  const waiting = await Promise.all(open.map(async (promotion) => await wholePromotionJson(hub, promotion)))
  const counted = seen.filter((environment) => may(principal, { to: 'see nodes', environment }))
  const onNodes = await hub.records.nodes.buildsOn(counted, names)
  const rows = await Promise.all(
    apps.map(async (app) => {
      const filter = { app: app.name, environment: null, sight, open: true }
      const holds = await hub.records.holds.list(filter, { limit: SHOWN_HOLDS, cursor: null })
      const cells = seen.map((environment): BoardCell | null => {
        if (!isInSight(sight, app.name, environment)) return null
        const isHere = (one: { readonly app: string | null; readonly environment: string | null }) =>
          one.app === app.name && (one.environment ?? environment) === environment
        const best = newest.get(`${environment}/${app.name}`) ?? null
        return {
          ...(releases.get(best?.release ?? '') ?? NOTHING),
          waiting: waiting.filter(isHere),
          holds: holds.items.filter(isHere).map(holdJson),
          nodes: counted.includes(environment) ? countNodes(onNodes.filter(isHere), best) : null,
        }
      })
      return { app: appJson(app), cells }
    }),
  )
  const now = hub.clock.now()
  const environments = await Promise.all(seen.map(async (name) => await environmentOf(hub, name, now)))
  return { environments, rows, hubUrl: hub.config.publicUrl, now }
}

type Made = Pick<BoardCell, 'release' | 'promotion'>
const NOTHING: Made = { release: null, promotion: null }

/** By the ids of releases: each with the promotion that made it. */
async function releasesOf(hub: Hub, ids: readonly string[]): Promise<ReadonlyMap<string, Made>> {
  const promotions = await promotionsJson(hub, await hub.records.promotions.ofReleases(ids))
  const releases = await hub.records.releases.findAll(ids)
  return new Map(
    releases.map((release) => [
      release.id,
      {
        release: releaseJson(release, release),
        promotion: promotions.find(({ releaseId }) => releaseId === release.id) ?? null,
      },
    ]),
  )
}

function countNodes(counts: readonly BuildOnNodes[], newest: StandingBuild | null): BoardCell['nodes'] {
  const sum = (some: readonly BuildOnNodes[]) => some.reduce((total, { nodes }) => total + nodes, 0)
  const onIt = sum(counts.filter(({ build }) => build === newest?.build))
  return { onIt, elsewhere: sum(counts) - onIt }
}

async function environmentOf(hub: Hub, name: string, now: Date): Promise<BoardEnvironment> {
  const { policy } = await currentPolicy(hub, name)
  return { name, frozen: freezeNow(policy, now) }
}
