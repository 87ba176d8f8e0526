/** Pages of a list: the items and, when there are more, the cursor to ask for them with. */

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor: string | null
}

export interface PageRequest {
  /** 1 to 500. */
  readonly limit: number
  /** The `nextCursor` of the page before; null for the first page. */
  readonly cursor: string | null
}

/** Makes a page of rows fetched with `limit + 1`, so that a full page knows whether another follows. */
export function pageOf<T>(rows: readonly T[], limit: number, cursorOf: (row: T) => string): Page<T> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null }
}
