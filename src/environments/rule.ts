import type { WaitingState } from './promotion.ts'

/** One rule of the verdict whether a build may be published in an environment. */
export interface Rule {
  readonly code: string
  readonly state: 'met' | 'unmet' | 'waived'
  readonly detail: string
  /** Since when it is so, RFC 3339; null where that is no matter of time. */
  readonly since: string | null
  /** Who made it so; null: nobody in particular. */
  readonly by: string | null
  /** What makes it met; null when it is. */
  readonly toMeet: string | null
  /** Of a release set: the app and the build that it is about. */
  readonly app?: string
  readonly build?: number
}

/** A rule with what a promotion waits in while it is unmet; without: no waiting mends it. */
export type JudgedRule = Rule & { readonly waitsFor?: WaitingState }
