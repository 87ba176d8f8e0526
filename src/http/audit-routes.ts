/** `/audit`: who changed what. For administrators: it tells of everybody. */
import { once } from 'node:events'
import { Router } from 'express'
import type { Request, Response } from 'express'
import { CHANGES } from '../audit/changes.ts'
import type { ChangeType } from '../audit/changes.ts'
import type { ChainHead } from '../audit/chain.ts'
import { verifyChain } from '../audit/verify-chain.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { AuditFilter, AuditRow } from '../records/audit.ts'
import { authorize } from './auth.ts'
import { numberedPageRequest, parseBuildNumber, query, sendPage } from './request.ts'
import type { AuditRecord } from './openapi/audit.ts'

const ROWS_AT_ONCE = 500

export function auditRoutes(hub: Pick<Hub, 'records' | 'chainWatch'>): Router {
  const routes = Router()
  routes.get('/audit', async (request, response) => {
    authorize(response, { to: 'administer' })
    const page = await hub.records.audit.list(auditFilterOf(request), numberedPageRequest(request))
    sendPage(request, response, page, auditJson)
  })
  routes.get('/audit/export', async (request, response) => {
    authorize(response, { to: 'administer' })
    const range = { after: countOf(request, 'after') ?? 0, limit: countOf(request, 'limit') ?? Infinity }
    await sendExport(hub, auditFilterOf(request), range, response)
  })
  routes.get('/audit/verify', async (request, response) => {
    authorize(response, { to: 'administer' })
    const kept = headOf(query(request, 'head'))
    const { faults, head } = await (kept ? verifyChain(hub.records, kept) : hub.chainWatch.follow())
    response.json({ ok: faults.length === 0, head, faults })
  })
  return routes
}

/** What somebody did last, newest first. */
export async function lastChangesBy(
  { records }: Pick<Hub, 'records'>,
  actor: string,
  limit: number,
): Promise<readonly AuditRecord[]> {
  const any = { type: null, app: null, build: null, environment: null, node: null, subject: null }
  const page = await records.audit.list({ ...any, actor, since: null, until: null }, { limit, cursor: null })
  return page.items.map(auditJson)
}

export function auditJson({ before, after, ...row }: AuditRow): AuditRecord {
  return { ...row, type: row.type as ChangeType, before: valueOf(before), after: valueOf(after) }
}

function valueOf(text: string | null): AuditRecord['before'] {
  return text === null ? null : (JSON.parse(text) as AuditRecord['before'])
}

/** Oldest first, one JSON object a line, `before` and `after` as the texts that were hashed: what a chain is checked by. */
async function sendExport(
  { records }: Pick<Hub, 'records'>,
  filter: AuditFilter,
  { after, limit }: { readonly after: number; readonly limit: number },
  response: Response,
): Promise<void> {
  response.type('application/x-ndjson').attachment('audit.jsonl')
  let seq = after
  for (let left = limit; left > 0;) {
    const rows = await records.audit.after(seq, Math.min(left, ROWS_AT_ONCE), filter)
    if (rows.length === 0 || response.destroyed) break
    seq = rows.at(-1)?.seq ?? seq
    left -= rows.length
    if (!response.write(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))) {
      await Promise.race([once(response, 'drain'), once(response, 'close')])
    }
  }
  response.end()
}

/** What `?type=`, `?app=` and the others say. @throws {HubError} `request.invalid`. */
export function auditFilterOf(request: Request): AuditFilter {
  const type = query(request, 'type')
  if (type !== null && !Object.hasOwn(CHANGES, type))
    throw new HubError('request.invalid', `?type= is one of ${Object.keys(CHANGES).join(', ')}`)
  const build = query(request, 'build')
  return {
    ...{ type, app: query(request, 'app'), build: build === null ? null : parseBuildNumber(build) },
    ...{ environment: query(request, 'environment'), node: query(request, 'node') },
    ...{ actor: query(request, 'actor'), subject: query(request, 'subject') },
    ...{ since: timeOf(request, 'since'), until: timeOf(request, 'until') },
  }
}

export function countOf(request: Request, name: string): number | null {
  const text = query(request, name)
  if (text === null || /^[0-9]{1,15}$/.test(text)) return text === null ? null : Number(text)
  throw new HubError('request.invalid', `?${name}= is a number`)
}

function timeOf(request: Request, name: string): string | null {
  const text = query(request, name)
  if (text === null) return null
  if (/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)) {
    const time = new Date(text)
    if (!Number.isNaN(time.getTime())) return timestamp(time)
  }
  throw new HubError(
    'request.invalid',
    `?${name}= is a day or an RFC 3339 time, such as 2026-01-31T08:00:00Z`,
  )
}

/** `<seq>:<hash>`, as an answer of `/audit/verify` had them. */
function headOf(text: string | null): ChainHead | null {
  if (text === null) return null
  const [, seq, hash] = /^([0-9]{1,15}):([0-9a-f]{64})$/.exec(text) ?? []
  if (seq === undefined || hash === undefined)
    throw new HubError('request.invalid', '?head= is <seq>:<hash> of a head that was seen before')
  return { seq: Number(seq), hash }
}
