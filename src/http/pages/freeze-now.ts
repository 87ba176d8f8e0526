import { timestamp } from '../../clock.ts'
import { nextOpen, windowAt } from '../../environments/freeze.ts'
import type { Policy } from '../../environments/policy.ts'

/** The freeze that holds, with the first moment at which none does (null: in more than a year); null: it is open. */
export function freezeNow(
  { freezes }: Policy,
  now: Date,
): { readonly reason: string; readonly until: string | null } | null {
  const freeze = freezes.find((one) => windowAt(one, now.getTime()) !== null)
  if (!freeze) return null
  const opens = nextOpen(freezes, now.getTime())
  return { reason: freeze.reason, until: opens === null ? null : timestamp(new Date(opens)) }
}
