/** One rule of the verdict whether a build may be published in an environment. */
export interface Rule {
  readonly code: string
  readonly state: 'met' | 'unmet' | 'waived'
  readonly detail: string
  /** What makes it met; null when it is. */
  readonly toMeet: string | null
}
