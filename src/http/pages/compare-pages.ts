/** `/apps/{app}/builds/{build}/compare`: with which build, and what is otherwise than there. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { isInSight, sightOf } from '../../access/rights.ts'
import { HubError } from '../../errors.ts'
import type { Hub } from '../../hub.ts'
import type { BuildRow } from '../../records/builds.ts'
import {
  chooseComparisonPage,
  comparePage,
  comparisonAddress,
  fileDiffPage,
} from '../../web/pages/compare-page.ts'
import type { Choice } from '../../web/pages/compare-page.ts'
import { principalOf } from '../auth.ts'
import { visibleBuild } from '../build-routes.ts'
import { buildDiff, changeJson, comparedBuilds, comparison, fileDiff } from '../diff-routes.ts'
import { numberedPageRequest, parameter, parseBuildNumber, query } from '../request.ts'
import { answerPage, nextPage, requireVisitor } from './frame.ts'

const PATH = '/apps/:app/builds/:build/compare'

/** So many of the newest builds are to choose from; any other has its address. */
const CHOICES = 50

export function comparePages(hub: Hub): Router {
  const routes = Router()
  routes.get(PATH, requireVisitor, async (request, response) => {
    const build = await visibleBuild(hub, request, response)
    const wanted = query(request, 'with')
    const choices = await choicesFor(hub, response, build)
    const other = wanted === null ? choices[0]?.[0] : parseBuildNumber(wanted)
    if (other !== undefined) response.redirect(303, comparisonAddress(build, { build: other }))
    else answerPage(request, response, titleOf(build), chooseComparisonPage(build, choices))
  })
  routes.get(`${PATH}/:other`, requireVisitor, async (request, response) => {
    await answerComparison(hub, request, response)
  })
  routes.get(`${PATH}/:other/files/*path`, requireVisitor, async (request, response) => {
    const { from, to } = await comparedBuilds(hub, request, response)
    const path = parameter(request, 'path')
    const shown = await orRefused(async () => ({ diff: await fileDiff(hub, response, { from, to }, path) }))
    answerPage(request, response, titleOf(to), fileDiffPage({ from, to, path, shown }))
  })
  return routes
}

async function answerComparison(hub: Hub, request: Request, response: Response): Promise<void> {
  const builds = await comparedBuilds(hub, request, response)
  const { limit, cursor } = numberedPageRequest(request, 200)
  const compared = await comparison(hub, response, builds)
  const { changes } = compared
  const start = Number(cursor ?? 0)
  const isMore = start + limit < changes.length
  const choices = await choicesFor(hub, response, builds.to)
  const { build: number } = builds.from
  const isListed = choices.some(([build]) => build === number)
  const content = comparePage({
    diff: await buildDiff(hub, response, builds, compared),
    choices: isListed ? choices : [[number, String(number)], ...choices],
    changes: changes.slice(start, start + limit).map(changeJson),
    next: nextPage(request, isMore ? String(start + limit) : null),
    now: hub.clock.now(),
  })
  answerPage(request, response, titleOf(builds.to), content)
}

/** The build before it comes first, then the newest that stands in each environment, the last environment first, then others. */
async function choicesFor(
  hub: Hub,
  response: Response,
  { app, build }: BuildRow,
): Promise<readonly Choice[]> {
  const sight = sightOf(principalOf(response))
  const list = async (limit: number, cursor: string | null) =>
    (await hub.records.builds.list({ app, sight }, { limit, cursor })).items
  const before = await list(1, String(build))
  const standing = await Promise.all(
    hub.config.environments
      .toReversed()
      .filter(({ name }) => isInSight(sight, app, name))
      .map(async ({ name }) => {
        const filter = { app, state: 'released', sight, limit: 1, cursor: null } as const
        return (await hub.records.releases.list(name, filter)).items.map((one): Choice => [
          one.build,
          `build ${String(one.build)}, in ${name}`,
        ])
      }),
  )
  const named = [
    ...before.map((one): Choice => [one.build, `${String(one.build)}, the one before`]),
    ...standing.flat(),
    ...(await list(CHOICES, null)).map((one): Choice => [one.build, String(one.build)]),
  ]
  // What is named twice keeps the first of its names.
  const choices = new Map(named.toReversed())
  const order = [...new Set(named.map(([number]) => number))].filter((number) => number !== build)
  return order.map((number) => [number, choices.get(number) ?? ''])
}

async function orRefused<T>(read: () => Promise<T>): Promise<T | { readonly refused: string }> {
  try {
    return await read()
  } catch (error) {
    const codes = ['archive.not_text', 'archive.too_large_to_compare']
    if (error instanceof HubError && codes.includes(error.code)) return { refused: error.message }
    throw error
  }
}

function titleOf({ app, build }: BuildRow) {
  return { title: `Compare ${app} build ${String(build)}`, section: 'apps' } as const
}
