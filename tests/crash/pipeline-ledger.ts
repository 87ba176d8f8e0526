/** What was asked for and told of an environment whose promotions wait: for checks, for people, for their time. */
import { PROMOTION_MOVES } from '../../src/environments/promotion.ts'
import type { PromotionState } from '../../src/environments/promotion.ts'
import { Uncertain } from './fleet-ledger.ts'

/** The environment after production; what comes there is asked for by one client alone. */
export const GATED = 'gated'
/** Apps whose builds go there, alone and together. */
export const GATED_APPS = ['gate', 'latch'] as const

export interface SentApproval {
  /** The promotion, or the first one of its release set. */
  readonly promotion: string
  readonly approver: string
  readonly policyVersion: number
}

/** A build's marks, which all environments show. */
export interface SentMarks {
  readonly app: string
  readonly build: number
  readonly yank: Uncertain<boolean>
  readonly pin: Uncertain<boolean>
}

export class PipelineLedger {
  /** Tokens of people who approve, by name: each stands for one. */
  readonly approvers = new Map<string, string>()
  /** The state in which each promotion was last told to be. */
  readonly promotions = new Map<string, PromotionState>()
  readonly approvals: SentApproval[] = []
  /** Ids of releases there that were told of. */
  readonly releases = new Set<string>()
  /** Ids of checks. */
  readonly checks: string[] = []
  /** What was set, by its version. */
  readonly policies = new Map<number, object>()
  readonly marks = new Map<string, SentMarks>()
  /** Up to where the audit was followed, and the states that it had told by then. */
  followed = 0
  readonly moves = new Map<string, PromotionState>()
  /** In how many promotions of each state a hub came back. */
  readonly seen = new Map<string, number>()

  marksOf(app: string, build: number): SentMarks {
    const key = `${app}/${String(build)}`
    const known = this.marks.get(key) ?? { app, build, yank: new Uncertain(false), pin: new Uncertain(false) }
    this.marks.set(key, known)
    return known
  }

  /** Writes down a state that was told or seen; gives what is wrong with it. */
  told(id: string, state: PromotionState): readonly string[] {
    const before = this.promotions.get(id)
    this.promotions.set(id, state)
    if (before === undefined || isReachable(before, state)) return []
    return [`promotion ${id} is ${state}, and was told to be ${before}`]
  }

  /** Ids of promotions that had come to no end when they were last told of. */
  open(): readonly string[] {
    return [...this.promotions].filter(([, state]) => PROMOTION_MOVES[state].length > 0).map(([id]) => id)
  }
}

/** Whether moves of the table lead from one state to another; no move at all does too. */
export function isReachable(from: PromotionState, to: PromotionState): boolean {
  const reached = new Set<PromotionState>([from])
  for (const state of reached) for (const next of PROMOTION_MOVES[state]) reached.add(next)
  return reached.has(to)
}
