import { HubError } from '../errors.ts'

const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/

/**
 * A moment as somebody says it: RFC 3339, or `2026-11-20 12:00` (or with a T), which is UTC. null: none is said.
 * @throws {HubError} `request.invalid`.
 */
export function momentOf(text: string | null): Date | null {
  if (text === null) return null
  const plain = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?))?$/.exec(text)
  const moment = new Date(plain ? `${plain[1] ?? ''}T${plain[2] ?? '00:00'}Z` : text)
  if ((plain || RFC_3339.test(text)) && !Number.isNaN(moment.getTime())) return moment
  throw new HubError(
    'request.invalid',
    '?at= is a time such as 2026-11-20T12:00:00Z, or 2026-11-20 12:00 in UTC',
  )
}
