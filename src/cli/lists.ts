/** What the commands that list things have in common. */
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import type { Page } from './client.ts'
import { table } from './format.ts'
import type { Column } from './format.ts'
import type { LocalSession } from './session.ts'

const ORDINARY_LIMIT = 50

export interface ListOptions {
  readonly limit: number
}

/** Adds `--limit`. */
export function withLimit(command: Command): Command {
  return command.option('--limit <count>', 'how many at the most', parseCount, ORDINARY_LIMIT)
}

/** An integer of 1 or more, for commander. */
export function parseCount(text: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be an integer of 1 or more.')
}

/** `64M`, `1GiB` or a plain number of bytes, for commander. */
export function parseSize(text: string): number {
  const [, count, unit] = /^([0-9]{1,12})(?:([KMGT])(?:iB)?)?$/.exec(text) ?? []
  if (count !== undefined) return Number(count) * 1024 ** (unit === undefined ? 0 : 'KMGT'.indexOf(unit) + 1)
  throw new InvalidArgumentError('It must be a size such as 64M or 1G.')
}

/** `90s`, `5m`, `1h` or a plain number of seconds, for commander. */
export function parseSeconds(text: string): number {
  const [, count, unit = 's'] = /^([0-9]{1,6})([smh]?)$/.exec(text) ?? []
  if (count !== undefined) return Number(count) * ({ m: 60, h: 3600 }[unit] ?? 1)
  throw new InvalidArgumentError('It must be a time such as 90s or 5m.')
}

/** A count as text, for arguments: a number that goes into an address as it is. */
export function parseNumber(text: string): string {
  return String(parseCount(text))
}

/** The number of an event, 0 for before the first, for commander. */
export function parseEventNumber(text: string): string {
  if (/^[0-9]{1,15}$/.test(text)) return text
  throw new InvalidArgumentError('It must be the number of an event, or 0.')
}

/** Prints a page: the JSON for programs; for people a table, or `none` when it is empty, and whether there is more. */
export function showPage<T>(
  { terminal, show }: LocalSession,
  page: Page<T>,
  columns: readonly Column<T>[],
  none: string,
): void {
  show(page, page.items.length === 0 ? '' : table(columns, page.items, terminal.columns, terminal.urgent))
  if (page.items.length === 0) terminal.note(none)
  if (page.nextCursor !== null) terminal.note('There are more: give a higher --limit.')
}
