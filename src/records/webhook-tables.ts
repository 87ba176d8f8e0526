/** The tables of webhooks, in the manner of schema.ts. */

export interface WebhookTable {
  id: string
  /** http(s), or `mailto:` with one address. */
  url: string
  format: 'json' | 'slack' | 'matrix' | 'email'
  /** JSON; null: every event but those of administration. */
  types: string | null
  app: string | null
  environment: string | null
  enabled: number
  /** Events up to this one are not for it: they were before it was there, or enabled. */
  afterSeq: number
  createdBy: string
  createdAt: string
}

/** One event for one webhook. */
export interface WebhookDeliveryTable {
  id: string
  webhook: string
  /** The number of the event. */
  seq: number
  type: string
  /** dead: given up; somebody may replay it. */
  state: 'waiting' | 'delivered' | 'dead'
  /** Since it was queued, or replayed. */
  attempts: number
  createdAt: string
  /** When it is tried next; null: no more. */
  nextAt: string | null
  lastAt: string | null
  /** HTTP's, or SMTP's; null: nothing was answered. */
  lastStatus: number | null
  lastError: string | null
}

/** One row: the newest event that was looked at. */
export interface WebhookQueueTable {
  one: number
  seq: number
}
