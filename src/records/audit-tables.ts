/** The tables of the audit, in the manner of schema.ts. */

/** One change. Rows are added and never altered. */
export interface AuditTable {
  /** 1, 2, 3, …: without a gap. */
  seq: number
  id: string
  at: string
  /** Of `CHANGES` (audit/changes.ts). */
  type: string
  subject: string
  app: string | null
  build: number | null
  environment: string | null
  node: string | null
  actor: string
  actorRole: string
  /** Of the token or person. */
  actorId: string | null
  address: string | null
  requestId: string | null
  reason: string | null
  /** JSON. */
  before: string | null
  after: string | null
  /** `hash` of the record before. */
  previousHash: string
  hash: string
}

/** One row: the newest record of the audit. */
export interface AuditHeadTable {
  one: number
  seq: number
  hash: string
}
