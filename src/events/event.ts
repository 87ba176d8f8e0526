/** An event is what others may know of a change: a view of the audit, in its order and under its numbers. */
import { CHANGES } from '../audit/changes.ts'
import type { ChangeType } from '../audit/changes.ts'
import type { AuditRow } from '../records/audit.ts'

export interface HubEvent {
  /** 1, 2, 3, …: what a client names to go on behind it. */
  readonly seq: number
  readonly id: string
  readonly type: ChangeType
  readonly at: string
  readonly subject: string
  readonly app: string | null
  readonly build: number | null
  readonly environment: string | null
  readonly node: string | null
  /** The name of who made the change. */
  readonly actor: string
  readonly reason: string | null
  readonly before: Facts | null
  readonly after: Facts | null
}

export type Facts = Readonly<Record<string, unknown>>

/** What is administrators' business, in whichever change it stands. */
const NOT_TOLD = new Set(['token', 'machineId'])

/** The public part of a record: no address, no request, no id of a token that was used or given. */
export function eventOf(row: AuditRow): HubEvent {
  const { seq, id, at, subject, app, build, environment, node, actor, reason } = row
  return {
    ...{ seq, id, type: row.type as ChangeType, at, subject, app, build, environment, node, actor, reason },
    ...{ before: factsOf(row.before), after: factsOf(row.after) },
  }
}

export function isEventType(text: string): text is ChangeType {
  return Object.hasOwn(CHANGES, text)
}

function factsOf(text: string | null): Facts | null {
  if (text === null) return null
  const told = Object.entries(JSON.parse(text) as Facts).filter(([name]) => !NOT_TOLD.has(name))
  return Object.fromEntries(told)
}
