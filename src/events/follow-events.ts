import type { Principal } from '../access/rights.ts'
import type { Hub } from '../hub.ts'
import type { EventFilter } from '../records/audit.ts'
import { Bell } from './bell.ts'
import { eventOf } from './event.ts'
import type { HubEvent } from './event.ts'
import { maySee } from './visibility.ts'

type Needs = Pick<Hub, 'records' | 'config'>

export interface EventBatch {
  readonly events: readonly HubEvent[]
  /** Whoever goes on behind this `seq` has missed nothing. */
  readonly upTo: number
  /** Nothing more is there now. */
  readonly isEnd: boolean
}

export const EVENTS_AT_ONCE = 200

/** The events behind `after` that the asker may see, oldest first; `upTo` counts those that others see as well. */
export async function readEvents(
  { records, config }: Needs,
  after: number,
  filter: EventFilter,
  principal: Principal,
): Promise<EventBatch> {
  // Before the rows: what is appended between the two is read with the next ones.
  const { seq: head } = await records.audit.head()
  const rows = await records.audit.eventsAfter(after, EVENTS_AT_ONCE, filter)
  const isEnd = rows.length < EVENTS_AT_ONCE
  const last = rows.at(-1)?.seq ?? after
  return {
    events: rows.filter((row) => maySee(config, principal, row)).map(eventOf),
    upTo: isEnd ? Math.max(last, head, after) : last,
    isEnd,
  }
}

/**
 * Batches of events without end, each as soon as it is recorded; an empty one where none came for a while.
 * @param principal asked before each batch, so that nobody sees what the asker lost the right to; null ends it.
 */
export async function* followEvents(
  hub: Needs,
  wanted: {
    readonly after: number
    readonly filter: EventFilter
    readonly heartbeatMs: number
    readonly signal: AbortSignal
  },
  principal: () => Promise<Principal | null>,
): AsyncGenerator<EventBatch> {
  using bell = new Bell(hub.records.growth)
  let { after } = wanted
  while (!wanted.signal.aborted) {
    bell.silence()
    const asker = await principal()
    if (asker === null) return
    const batch = await readEvents(hub, after, wanted.filter, asker)
    yield batch
    after = batch.upTo
    if (batch.isEnd) await bell.rung(wanted.heartbeatMs, wanted.signal)
  }
}
