/** `/apps/{app}/builds/{build}`: a build with its whole line, and the forms by which people let it go on or stop it. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { isInSight, may, sightOf } from '../../access/rights.ts'
import type { Principal } from '../../access/rights.ts'
import { judge } from '../../environments/eligibility.ts'
import type { Verdict } from '../../environments/eligibility.ts'
import { pinBuild, unpinBuild } from '../../environments/pin.ts'
import { isOpen } from '../../environments/promotion.ts'
import type { Oid } from '../../git/objects.ts'
import type { Hub } from '../../hub.ts'
import { readOverlayBlob } from '../../overlays/overlay-history.ts'
import type { BuildRow } from '../../records/builds.ts'
import type { PromotionRow } from '../../records/promotions.ts'
import type { ReleaseRow } from '../../records/releases.ts'
import { buildPage } from '../../web/pages/build-page.ts'
import type { BuildView } from '../../web/pages/build-page.ts'
import type { Eligibility } from '../../web/pages/eligibility-part.ts'
import { buildAddress } from '../../web/pages/words.ts'
import { principalOf } from '../auth.ts'
import { verdictOf, visibleBuild, withReleases } from '../build-routes.ts'
import { checksJson } from '../check-routes.ts'
import { withdraw } from '../environment-routes.ts'
import { holdSchema, mayPromote, placeHold } from '../hold-routes.ts'
import { marking, reasonSchema, unyankBuild, yankBuild } from '../mark-routes.ts'
import { listedPromotionJson, wholePromotionJson } from '../promotion-json.ts'
import { askToPromote, mayOverride, promotionSchema } from '../promotion-routes.ts'
import type { Build } from '../openapi/builds.ts'
import { pointJson, releaseJson } from '../representations.ts'
import { parameter, parseWith } from '../request.ts'
import { answerPage, fieldsOf, orShowAgain, readForm, requireVisitor, visitorOf } from './frame.ts'
import type { Refusal } from './frame.ts'
import { DECIDING_VERBS, decideByForm, decisionsOn } from './promotion-pages.ts'

const PATH = '/apps/:app/builds/:build'
/** So many runs of checks are shown, and so many nodes and restore points. */
const SHOWN_CHECKS = 100
const SHOWN_PLACES = 50

/** Does what a form says and gives the word for what was done. */
type Change = (hub: Hub, request: Request, response: Response) => Promise<string>

const CHANGES: Readonly<Record<string, Change>> = {
  async promote(hub, request, response) {
    const { app, build } = await visibleBuild(hub, request, response)
    const { environment, liftWithdrawal, override } = fieldsOf(request)
    const said = {
      liftWithdrawal: liftWithdrawal === 'true',
      override: override ? { reason: override } : null,
    }
    const wanted = parseWith(promotionSchema, { app, build, environment, ...said }, 'the form')
    const { verdict } = await askToPromote(hub, response, wanted)
    return verdict === null ? 'released' : 'requested'
  },
  async withdraw(hub, request, response) {
    const { environment = '', release: releaseId = '', reason = '' } = fieldsOf(request)
    await withdraw(hub, response, { environment, releaseId, dryRun: false }, { reason })
    return 'withdrawn'
  },
  async hold(hub, request, response) {
    const { app, build } = await visibleBuild(hub, request, response)
    const { environment = null, mask, reason } = fieldsOf(request)
    const wanted = parseWith(holdSchema, { app, build, mask: mask === 'true', reason }, 'the hold')
    await placeHold(hub, response, wanted, environment)
    return 'held'
  },
  async yank(hub, request, response) {
    await yankBuild(hub, { ...(await marking(hub, request, response)), reason: reasonOf(request) })
    return 'yanked'
  },
  async unyank(hub, request, response) {
    await unyankBuild(hub, { ...(await marking(hub, request, response)), reason: reasonOf(request) })
    return 'unyanked'
  },
  async pin(hub, request, response) {
    await pinBuild(hub, { ...(await marking(hub, request, response)), reason: reasonOf(request) })
    return 'pinned'
  },
  async unpin(hub, request, response) {
    await unpinBuild(hub, { ...(await marking(hub, request, response)), reason: reasonOf(request) })
    return 'unpinned'
  },
}

export function buildPages(hub: Hub): Router {
  const routes = Router()
  routes.get(PATH, requireVisitor, async (request, response) => {
    await answerBuild(hub, request, response)
  })
  const decisions = DECIDING_VERBS.map(
    (verb) =>
      [
        `promotions/:promotion/${verb}`,
        async (...asked: Parameters<Change>) => await decideByForm(asked[0], verb, asked[1], asked[2]),
      ] as const,
  )
  for (const [verb, change] of [...Object.entries(CHANGES), ...decisions])
    routes.post(
      `${PATH}/${verb}`,
      requireVisitor,
      readForm(hub),
      async (request: Request, response: Response) => {
        await orShowAgain(
          async () => {
            const done = await change(hub, request, response)
            const place = { app: parameter(request, 'app'), build: Number(parameter(request, 'build')) }
            response.redirect(303, `${buildAddress(place)}?done=${done}`)
          },
          async (refusal) => await answerBuild(hub, request, response, refusal),
        )
      },
    )
  return routes
}

function reasonOf(request: Request): string {
  return parseWith(reasonSchema, { reason: fieldsOf(request)['reason'] ?? '' }, 'the form').reason
}

async function answerBuild(hub: Hub, request: Request, response: Response, refusal?: Refusal): Promise<void> {
  const build = await visibleBuild(hub, request, response)
  const view = await readBuild(hub, build, response)
  const title = `${build.app} build ${String(build.build)}`
  answerPage(request, response, { title, section: 'apps', ...refusal }, buildPage(view))
}

async function readBuild(hub: Hub, build: BuildRow, response: Response): Promise<BuildView> {
  const principal = principalOf(response)
  const sight = sightOf(principal)
  const { records, config } = hub
  const isSeen = ({ environment }: { readonly environment: string }) =>
    isInSight(sight, build.app, environment)
  const promotions = (await records.promotions.ofBuild(build.app, build.build)).filter(isSeen)
  const releases = (await records.releases.ofBuild(build.app, build.build)).filter(isSeen)
  const environments = config.environments.map(({ name }) => name)
  const seeing = environments.filter((environment) => may(principal, { to: 'see nodes', environment }))
  const shown = await withReleases(hub, build, sight)
  const places = [...environments, null]
  return {
    build: shown,
    checks: await checksOf(hub, build),
    promotions: await Promise.all(promotions.map(async (one) => await wholePromotionJson(hub, one))),
    releases: releases.map((release) => releaseJson(release, build)),
    nodes: await records.nodes.withBuild(build, seeing, SHOWN_PLACES),
    points: await pointsHolding(hub, shown, principal),
    shown: SHOWN_PLACES,
    reading: environments.filter(
      (environment) =>
        config.anonymousRead.includes(environment) || may(principal, { to: 'read', environment }),
    ),
    environments: await Promise.all(
      environments
        .filter((environment) => isSeen({ environment }))
        .map(
          async (name) =>
            await eligibilityIn(hub, response, build, {
              ...{ environment: name, principal, standing: standingIn(releases, name) },
              open: promotions.find((one) => one.environment === name && isOpen(one)) ?? null,
            }),
        ),
    ),
    ebuild: (await readOverlayBlob(records, build.ebuildOid as Oid)).toString('utf8'),
    mayMark: mayPromote(hub, principal, { app: build.app, environment: null }),
    mayHoldIn: places
      .filter((environment) => mayPromote(hub, principal, { app: build.app, environment }))
      .map((environment) => environment ?? ''),
    csrf: visitorOf(response)?.csrf ?? '',
    now: hub.clock.now(),
  }
}

/** The release by which it stands there. */
function standingIn(releases: readonly ReleaseRow[], name: string): string | null {
  const standing = releases.find(({ environment, state }) => environment === name && state === 'released')
  return standing?.id ?? null
}

/** What a node keeps is for itself and for administrators, as with the API. */
async function pointsHolding({ records }: Pick<Hub, 'records'>, { app, cpv }: Build, principal: Principal) {
  const points = await records.restorePoints.holding(app, cpv, SHOWN_PLACES)
  return points
    .filter(({ node }) => may(principal, { to: 'act as node', node }))
    .map((point) => pointJson(point))
}

async function checksOf(hub: Pick<Hub, 'records'>, { app, build }: BuildRow) {
  const filter = { app, build, stage: null, name: null }
  const { items } = await hub.records.checks.list(filter, { limit: SHOWN_CHECKS, cursor: null })
  return await checksJson(hub, { app, build }, items)
}

interface Asked {
  readonly environment: string
  readonly principal: Principal
  /** The release by which it stands there; null: it does not. */
  readonly standing: string | null
  readonly open: PromotionRow | null
}

/** The verdict, and what the asker may make of it: judged as it would be if they asked. */
async function eligibilityIn(
  hub: Hub,
  response: Response,
  build: BuildRow,
  asked: Asked,
): Promise<Eligibility> {
  const { environment, principal, standing, open } = asked
  const promotes = may(principal, { to: 'promote', app: build.app, environment })
  const isTheirs = standing === null && promotes
  const wish = { liftWithdrawal: false, override: null, promotion: open }
  const would = async (change: Partial<Parameters<typeof judge>[3]>) =>
    await judge(hub, build, environment, { ...wish, ...change })
  const now = await would({})
  const skipping = async () => (await would({ override: { by: principal.name, reason: '' } })).eligible
  const isOverriding =
    isTheirs && !now.eligible && (await mayOverride(hub, { app: build.app, environment }, principal))
  return {
    ...{ environment, stands: standing !== null, verdict: await verdictOf(hub, build, environment) },
    open: open && (await listedPromotionJson(hub, open)),
    asking:
      !isTheirs || open
        ? null
        : (wayOf(now) ?? (wayOf(await would({ liftWithdrawal: true })) && 'lift withdrawal')),
    mayOverride: isOverriding && (await skipping()),
    decisions: open ? await decisionsOn(hub, response, open) : { approve: false, cancel: false },
    mayWithdraw: promotes ? standing : null,
  }
}

function wayOf({ eligible, waitsFor }: Verdict): 'release' | 'wait' | null {
  return eligible ? 'release' : waitsFor === null ? null : 'wait'
}
