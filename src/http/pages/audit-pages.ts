/** `/audit`: who changed what, and whether the chain of it is whole. For administrators. */
import { setTimeout as delay } from 'node:timers/promises'
import { Router } from 'express'
import type { Request, Response } from 'express'
import type { Hub } from '../../hub.ts'
import type { AuditFilter, AuditRow } from '../../records/audit.ts'
import type { Page } from '../../records/page.ts'
import { auditPage } from '../../web/pages/audit-page.ts'
import { auditFilterOf, auditJson, countOf } from '../audit-routes.ts'
import { authorize } from '../auth.ts'
import { numberedPageRequest, query } from '../request.ts'
import { answerPage, changeByForm, requireVisitor, visitorOf } from './frame.ts'
import type { Refusal } from './frame.ts'

/** A long chain is followed on without whoever asked for it. */
const PATIENCE_MS = 5000

const FILTERS = ['actor', 'type', 'app', 'build', 'environment', 'node', 'subject', 'since', 'until', 'limit']

export function auditPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/audit', requireVisitor, async (request, response) => {
    await answerAudit(hub, request, response)
  })
  routes.post(
    '/audit/verify',
    ...changeByForm(
      hub,
      async (_request, response) => {
        authorize(response, { to: 'administer' })
        const following = hub.chainWatch.follow().catch((error: unknown) => {
          hub.log.error({ err: error }, 'the chain of the audit could not be followed')
        })
        await Promise.race([following, delay(PATIENCE_MS, undefined, { ref: false })])
        return ['/audit', hub.chainWatch.progress === null ? 'followed' : 'following']
      },
      async (request, response, refused) => {
        await answerAudit(hub, request, response, refused)
      },
    ),
  )
  return routes
}

async function answerAudit(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  authorize(response, { to: 'administer' })
  const filter = auditFilterOf(request)
  const given = FILTERS.flatMap((name) => {
    const value = query(request, name)
    return value === null ? [] : [[name, value] as const]
  })
  const { items, nextCursor, isNewest } = await recordsOf(hub, filter, request)
  const newest = items[0]
  const { last, progress } = hub.chainWatch
  const content = auditPage({
    records: items.map(auditJson),
    filter: Object.fromEntries(given),
    older: nextCursor === null ? null : addressOf('/audit', [...given, ['cursor', nextCursor]]),
    newer: isNewest || !newest ? null : addressOf('/audit', [...given, ['after', String(newest.seq)]]),
    exported: addressOf(
      '/api/v1/audit/export',
      given.filter(([name]) => name !== 'limit'),
    ),
    environments: hub.config.environments.map(({ name }) => name),
    chain: { head: await hub.records.audit.head(), last, progress },
    csrf: visitorOf(response)?.csrf ?? '',
    now: hub.clock.now(),
  })
  answerPage(request, response, { title: 'Audit', section: 'audit', ...refused }, content)
}

/** Newest first: those before `?cursor=`, or the next after `?after=`; where these do not fill a page, the newest. */
async function recordsOf(
  { records }: Pick<Hub, 'records'>,
  filter: AuditFilter,
  request: Request,
): Promise<Page<AuditRow> & { readonly isNewest: boolean }> {
  const { limit, cursor } = numberedPageRequest(request)
  const after = countOf(request, 'after')
  const next = after === null ? [] : await records.audit.after(after, limit, filter)
  if (next.length === limit)
    return { items: next.toReversed(), nextCursor: String(next[0]?.seq), isNewest: false }
  const page = await records.audit.list(filter, { limit, cursor: after === null ? cursor : null })
  return { ...page, isNewest: after !== null || cursor === null }
}

function addressOf(path: string, pairs: readonly (readonly [name: string, value: string])[]): string {
  const text = new URLSearchParams(Object.fromEntries(pairs)).toString()
  return text === '' ? path : `${path}?${text}`
}
