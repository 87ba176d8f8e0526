/** `/storage`: what takes how much space, the rules of retention, and what they would let go of. For administrators. */
import { Router } from 'express'
import type { Request, RequestHandler, Response } from 'express'
import type { RetentionRules } from '../../environments/retention.ts'
import { HubError } from '../../errors.ts'
import type { Hub } from '../../hub.ts'
import { storagePage } from '../../web/pages/storage-page.ts'
import { authorize } from '../auth.ts'
import { parseWith, query } from '../request.ts'
import { hubRules, planPage, retentionSchema, setAskedRules, storageJson } from '../storage-routes.ts'
import { answerPage, changeByForm, fieldsOf, nextPage, requireVisitor, visitorOf } from './frame.ts'
import type { Done, Refusal } from './frame.ts'

const BUILDS_PER_PAGE = 25

export function storagePages(hub: Hub): Router {
  const routes = Router()
  routes.get('/storage', requireVisitor, async (request, response) => {
    await answerStorage(hub, request, response)
  })
  const set = (done: Done, rulesOf: (request: Request) => RetentionRules | null): RequestHandler[] =>
    changeByForm(
      hub,
      async (request, response) => {
        authorize(response, { to: 'administer' })
        const app = fieldsOf(request)['app'] ?? null
        await setAskedRules(hub, response, { app, rules: rulesOf(request) }, false)
        return ['/storage', done]
      },
      async (request, response, refused) => {
        await answerStorage(hub, request, response, refused)
      },
    )
  routes.post('/storage/retention', ...set('changed', rulesOfForm))
  routes.post('/storage/retention/remove', ...set('removed', noRules))
  return routes
}

async function answerStorage(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  authorize(response, { to: 'administer' })
  const plan = planPage(request, await hub.storageWatch.plan(), BUILDS_PER_PAGE)
  const own = (await hub.records.retention.all()).filter(({ app }) => app !== '')
  const content = storagePage({
    storage: await storageJson(hub),
    rules: await hubRules(hub),
    own,
    plan,
    what: query(request, 'what') ?? '',
    next: nextPage(request, plan.nextCursor),
    csrf: visitorOf(response)?.csrf ?? '',
    now: hub.clock.now(),
  })
  answerPage(request, response, { title: 'Storage', section: 'storage', ...refused }, content)
}

/** An app goes by those of the hub then, which has to have some. @throws {HubError} `request.invalid`. */
function noRules(request: Request): null {
  if (fieldsOf(request)['app'] !== undefined) return null
  throw new HubError('request.invalid', 'the rules of the hub can be changed, and not taken away')
}

/** A field that says nothing is no rule. @throws {HubError} `request.invalid`. */
function rulesOfForm(request: Request): RetentionRules {
  const { keepNewest, keepDays, keepRevisions } = fieldsOf(request)
  const number = (text: string | undefined) => (text === undefined ? null : Number(text))
  const given = { keepNewest: number(keepNewest), keepDays: number(keepDays) }
  const revisions = keepRevisions === undefined ? {} : { keepRevisions: Number(keepRevisions) }
  return parseWith(retentionSchema, { ...given, ...revisions }, 'the rules')
}
