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

/** The same as text, for arguments: a number that goes into an address as it is. */
export function parseNumber(text: string): string {
  return String(parseCount(text))
}

/** Prints a page: the JSON for programs; for people a table, or `none` when it is empty, and whether there is more. */
export function showPage<T>(
  { terminal, show }: LocalSession,
  page: Page<T>,
  columns: readonly Column<T>[],
  none: string,
): void {
  show(page, page.items.length === 0 ? '' : table(columns, page.items, terminal.columns))
  if (page.items.length === 0) terminal.note(none)
  if (page.nextCursor !== null) terminal.note('There are more: give a higher --limit.')
}
