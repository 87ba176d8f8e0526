/** What handlers take from a request: checked parameters, pages, `dryRun`. */
import type { Request, Response } from 'express'
import type { z } from 'zod'
import { HubError } from '../errors.ts'
import type { Page, PageRequest } from '../records/page.ts'

/** @throws {HubError} `request.invalid` listing every fault as `issues`. */
export function parseWith<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
  const detail = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  throw new HubError('request.invalid', `${what}: ${detail}`, { issues })
}

/** A parameter of the path, decoded. */
export function parameter(request: Request, name: string): string {
  const value = request.params[name]
  return Array.isArray(value) ? value.join('/') : (value ?? '')
}

/** The number of a build in a path. @throws {HubError} `build.invalid_number`. */
export function parseBuildNumber(text: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text)
  throw new HubError(
    'build.invalid_number',
    `${JSON.stringify(text.slice(0, 100))} is not a build number; send an integer of 1 or more`,
  )
}

/** A parameter of the query, once and as text; null when it is not there. @throws {HubError} `request.invalid`. */
export function query(request: Request, name: string): string | null {
  const value = request.query[name]
  if (value === undefined || value === '') return null
  if (typeof value === 'string') return value
  throw new HubError('request.invalid', `?${name}= may be given once`)
}

export function isDryRun(request: Request): boolean {
  const value = query(request, 'dryRun')
  if (value === null || value === 'false') return false
  if (value === 'true') return true
  throw new HubError('request.invalid', '?dryRun= is true or false')
}

/** `?limit=` (1 to `most`) and `?cursor=`. */
export function pageRequest(request: Request, ordinary = 50, most = 500): PageRequest {
  const limit = query(request, 'limit')
  const count = limit === null ? ordinary : /^[0-9]{1,6}$/.test(limit) ? Number(limit) : 0
  if (count < 1 || count > most) throw new HubError('request.invalid', `?limit= is 1 to ${String(most)}`)
  const cursor = query(request, 'cursor')
  if (cursor !== null && !/^[\w.~:+-]{1,300}$/.test(cursor)) {
    throw new HubError('request.invalid', '?cursor= is the nextCursor of the page before')
  }
  return { limit: count, cursor }
}

/** The same where the cursor is a number. */
export function numberedPageRequest(request: Request, ordinary?: number, most?: number): PageRequest {
  const page = pageRequest(request, ordinary, most)
  if (page.cursor === null || /^[0-9]{1,15}$/.test(page.cursor)) return page
  throw new HubError('request.invalid', '?cursor= is the nextCursor of the page before')
}

/** Answers with a page; `Link: rel="next"` leads on. */
export function sendPage<T>(
  request: Request,
  response: Response,
  page: Page<T>,
  represent: (item: T) => unknown,
): void {
  if (page.nextCursor !== null) {
    const next = new URLSearchParams(request.query as Record<string, string>)
    next.set('cursor', page.nextCursor)
    response.set('Link', `<${request.baseUrl}${request.path}?${next.toString()}>; rel="next"`)
  }
  response.json({ items: page.items.map(represent), nextCursor: page.nextCursor })
}
