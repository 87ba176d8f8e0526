/** The chain of the audit: whatever is altered in it is found, and where. */
import { expect, test } from 'vitest'
import { ChainCheck, NO_HASH, hashOf } from '../../src/audit/chain.ts'
import type { ChainHead } from '../../src/audit/chain.ts'
import type { AuditRow } from '../../src/records/audit.ts'

function chainOf(count: number): readonly AuditRow[] {
  const rows: AuditRow[] = []
  for (let seq = 1; seq <= count; seq++) {
    const row: Omit<AuditRow, 'hash'> = {
      ...{ seq, id: `aud_${String(seq)}`, at: '2026-01-02T03:04:05Z', type: 'hold.set', subject: 'hld_1' },
      ...{ app: 'shop', build: seq, environment: null, node: null, actor: 'Ada', actorRole: 'administrator' },
      ...{ actorId: 'tok_1', address: '127.0.0.1', requestId: 'req_1', reason: 'why' },
      ...{ before: null, after: '{"mask":false}', previousHash: rows.at(-1)?.hash ?? NO_HASH },
    }
    rows.push({ ...row, hash: hashOf(row) })
  }
  return rows
}

function headOf(rows: readonly AuditRow[]): ChainHead {
  const last = rows.at(-1)
  return last ? { seq: last.seq, hash: last.hash } : { seq: 0, hash: NO_HASH }
}

function faultsOf(rows: readonly AuditRow[], head: ChainHead, expected: ChainHead | null = null) {
  const check = new ChainCheck(expected)
  for (const row of rows) check.follow(row)
  return check.end(head)
}

const ROWS = chainOf(5)
const HEAD = headOf(ROWS)

test('a chain that nobody touched has no fault, nor has an empty one', () => {
  expect(faultsOf(ROWS, HEAD)).toEqual([])
  expect(faultsOf([], { seq: 0, hash: NO_HASH })).toEqual([])
})

const FIELDS = Object.keys(chainOf(1)[0] ?? {}).filter((field) => field !== 'hash')

test.each(FIELDS)('another %s in one record is found at that record', (field) => {
  const other = typeof ROWS[2]?.[field as keyof AuditRow] === 'number' ? 77 : 'other'
  const altered = ROWS.map((row) => (row.seq === 3 ? { ...row, [field]: other } : row))
  expect(faultsOf(altered, HEAD)[0]?.seq).toBe(field === 'seq' ? 77 : 3)
})

test('a record that was altered and hashed anew is found at the one after it', () => {
  const altered = ROWS.map((row) => {
    if (row.seq !== 3) return row
    const forged = { ...row, reason: 'another' }
    return { ...forged, hash: hashOf(forged) }
  })
  expect(faultsOf(altered, HEAD)).toEqual([{ seq: 4, what: 'it does not continue the record before it' }])
})

test('a record that was taken out is missed', () => {
  const faults = faultsOf(
    ROWS.filter(({ seq }) => seq !== 3),
    HEAD,
  )
  expect(faults).toEqual([{ seq: 4, what: 'the record before it is 2: some are missing' }])
})

test('records that were cut off the end are missed', () => {
  expect(faultsOf(ROWS.slice(0, 3), HEAD)).toEqual([
    { seq: 3, what: 'the chain ends here, and its head was 5' },
  ])
})

test('a chain that was made anew in whole is found by a head that was kept elsewhere', () => {
  const forged = chainOf(5).map((row) => ({ ...row, actor: 'Eve' }))
  let previousHash = NO_HASH
  const chained = forged.map((row) => {
    const next = { ...row, previousHash }
    previousHash = hashOf(next)
    return { ...next, hash: previousHash }
  })
  expect(faultsOf(chained, headOf(chained))).toEqual([])
  expect(faultsOf(chained, headOf(chained), HEAD)).toEqual([
    { seq: 5, what: 'its hash is not the one that was kept elsewhere' },
  ])
  expect(faultsOf(chained.slice(0, 2), headOf(chained.slice(0, 2)), HEAD)).toEqual([
    { seq: 2, what: 'the chain ends here, and 5 was seen elsewhere' },
  ])
})
