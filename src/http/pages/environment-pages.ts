/** `/environments`: what stands in each, by which policy, how its overlay came to be, and what is held there. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { may } from '../../access/rights.ts'
import { currentPolicy } from '../../environments/environment-policy.ts'
import type { Hub } from '../../hub.ts'
import { diffRevision } from '../../overlays/diff-revision.ts'
import { environmentPage, environmentsPage } from '../../web/pages/environment-page.ts'
import type { PolicyFields } from '../../web/pages/policy-part.ts'
import { revisionPage, revisionsPage } from '../../web/pages/revision-page.ts'
import { environmentAddress } from '../../web/pages/words.ts'
import { authorize, principalOf } from '../auth.ts'
import { findRevision, listedEnvironments, listedReleases, readable, seen } from '../environment-routes.ts'
import { liftSchema, liftVisible, mayPromote } from '../hold-routes.ts'
import { policyJson } from '../policy-routes.ts'
import { environmentJson, holdJson, releaseJson, revisionJson } from '../representations.ts'
import { numberedPageRequest, parseWith } from '../request.ts'
import { freezeNow } from './freeze-now.ts'
import { setPolicyByForm } from './policy-form.ts'
import { answerPage, changeByForm, fieldsOf, nextPage, requireVisitor, visitorOf } from './frame.ts'
import type { Refusal } from './frame.ts'

/** So many of the newest revisions the page of an environment has. */
const SHOWN_REVISIONS = 10

/** There are few holds at a time; whoever has more finds the others by the API. */
const SHOWN_HOLDS = 200

export function environmentPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/environments', requireVisitor, async (request, response) => {
    const environments = await listedEnvironments(hub, principalOf(response))
    const title = { title: 'Environments', section: 'environments' } as const
    answerPage(request, response, title, environmentsPage(environments))
  })
  routes.get('/environments/:environment', requireVisitor, async (request, response) => {
    await answerEnvironment(hub, request, response)
  })
  routes.get('/environments/:environment/revisions', requireVisitor, async (request, response) => {
    const { name } = readable(hub, request, response)
    const page = await hub.records.overlays.listRevisions(name, numberedPageRequest(request))
    const content = revisionsPage({
      environment: name,
      revisions: page.items.map(revisionJson),
      next: nextPage(request, page.nextCursor),
      now: hub.clock.now(),
    })
    answerPage(request, response, { title: `Overlay of ${name}`, section: 'environments' }, content)
  })
  routes.get('/environments/:environment/revisions/:revision', requireVisitor, async (request, response) => {
    const revision = await findRevision(hub, request, response)
    const { environment, number } = revision
    const files = await diffRevision(hub.records, environment, number)
    const content = revisionPage({ revision: revisionJson(revision), files, now: hub.clock.now() })
    const title = `Revision ${String(number)} of ${environment}`
    answerPage(request, response, { title, section: 'environments' }, content)
  })
  routes.post(
    '/environments/:environment/holds/:hold/lift',
    ...changeByForm(
      hub,
      async (request, response) => {
        const { name } = seen(hub, request, response).environment
        const said = parseWith(liftSchema, { reason: fieldsOf(request)['reason'] ?? '' }, 'the form')
        await liftVisible(hub, request, response, said)
        return [environmentAddress(name), 'lifted']
      },
      async (request, response, refused) => {
        await answerEnvironment(hub, request, response, refused)
      },
    ),
  )
  routes.post(
    '/environments/:environment/policy',
    ...changeByForm(
      hub,
      async (request, response) => {
        const { name } = seen(hub, request, response).environment
        const { name: by } = authorize(response, { to: 'administer' })
        await setPolicyByForm(hub, name, fieldsOf(request), by)
        return [environmentAddress(name), 'changed']
      },
      async (request, response, refused) => {
        await answerEnvironment(hub, request, response, refused, fieldsOf(request))
      },
    ),
  )
  return routes
}

/** @param sent the fields of a form of the policy that was refused. */
async function answerEnvironment(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
  sent: PolicyFields | null = null,
): Promise<void> {
  const { environment, sight } = seen(hub, request, response)
  const { name } = environment
  const principal = principalOf(response)
  const csrf = visitorOf(response)?.csrf ?? ''
  const policy = await currentPolicy(hub, name)
  const releases = await listedReleases(hub, request, response)
  const wanted = { app: null, environment: name, sight, open: true }
  const holds = await hub.records.holds.list(wanted, { limit: SHOWN_HOLDS, cursor: null })
  const content = environmentPage({
    environment: environmentJson(hub, environment, policy),
    policy: policyJson(name, policy),
    frozen: freezeNow(policy.policy, hub.clock.now()),
    mayChange: csrf !== '' && may(principal, { to: 'administer' }),
    sent,
    releases: releases.items.map((build) => releaseJson(build.release, build)),
    next: nextPage(request, releases.nextCursor),
    revisions: await newestRevisions(hub, response, name),
    holds: holds.items.map((hold) => ({
      ...holdJson(hold),
      mayLift: csrf !== '' && mayPromote(hub, principal, hold),
    })),
    hubUrl: hub.config.publicUrl,
    csrf,
    now: hub.clock.now(),
  })
  answerPage(request, response, { title: name, section: 'environments', ...refused }, content)
}

/** null: the overlay is not theirs to read. */
async function newestRevisions(hub: Hub, response: Response, environment: string) {
  const principal = principalOf(response)
  const isOpen = hub.config.anonymousRead.includes(environment)
  if (!isOpen && !may(principal, { to: 'read', environment })) return null
  const page = { limit: SHOWN_REVISIONS, cursor: null }
  return (await hub.records.overlays.listRevisions(environment, page)).items.map(revisionJson)
}
