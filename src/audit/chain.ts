/** The chain of the audit: each record is hashed together with the hash of the one before. */
import { hash } from 'node:crypto'
import type { AuditRow } from '../records/audit.ts'

/** What stands before the first record. */
export const NO_HASH = '0'.repeat(64)

export interface ChainHead {
  /** Of the newest record; 0: there is none. */
  readonly seq: number
  readonly hash: string
}

/**
 * SHA256, in hex, over the JSON array of all fields in the order below, the hash of the record before as the last. An
 * export can be checked with nothing but this sentence.
 */
export function hashOf(row: Omit<AuditRow, 'hash'>): string {
  return hash(
    'sha256',
    JSON.stringify([
      ...[row.seq, row.id, row.at, row.type, row.subject, row.app, row.build, row.environment, row.node],
      ...[
        row.actor,
        row.actorRole,
        row.actorId,
        row.address,
        row.requestId,
        row.reason,
        row.before,
        row.after,
      ],
      row.previousHash,
    ]),
  )
}

export interface ChainFault {
  /** The record at which the chain is broken. */
  readonly seq: number
  readonly what: string
}

/** Follows the chain from its first record; give it all rows in order. */
export class ChainCheck {
  readonly faults: ChainFault[] = []
  #head: ChainHead = { seq: 0, hash: NO_HASH }
  #expected: ChainHead | null

  /** @param expected a head that somebody kept elsewhere: the record must still be there with that hash; null: none. */
  constructor(expected: ChainHead | null = null) {
    this.#expected = expected
  }

  /** Of what was followed. */
  get head(): ChainHead {
    return this.#head
  }

  follow(row: AuditRow): void {
    if (row.seq !== this.#head.seq + 1)
      this.#fault(row.seq, `the record before it is ${String(this.#head.seq)}: some are missing`)
    else if (row.previousHash !== this.#head.hash)
      this.#fault(row.seq, 'it does not continue the record before it')
    if (hashOf(row) !== row.hash) this.#fault(row.seq, 'it is not what it was when it was written')
    if (row.seq === this.#expected?.seq && row.hash !== this.#expected.hash)
      this.#fault(row.seq, 'its hash is not the one that was kept elsewhere')
    this.#head = { seq: row.seq, hash: row.hash }
  }

  /** @param recorded the head as the records have it apart from the chain. */
  end(recorded: ChainHead): readonly ChainFault[] {
    if (recorded.seq !== this.#head.seq || recorded.hash !== this.#head.hash)
      this.#fault(this.#head.seq, `the chain ends here, and its head was ${String(recorded.seq)}`)
    if (this.#expected && this.#expected.seq > this.#head.seq)
      this.#fault(this.#head.seq, `the chain ends here, and ${String(this.#expected.seq)} was seen elsewhere`)
    return this.faults
  }

  #fault(seq: number, what: string): void {
    this.faults.push({ seq, what })
  }
}
