/** The tables of policies and of what people say by them, in the manner of schema.ts. */

/** What must hold before a build is released in an environment; the newest version holds. */
export interface PolicyTable {
  environment: string
  /** From 1. */
  version: number
  /** JSON, as it was checked. */
  body: string
  setBy: string
  setAt: string
}

export interface ApprovalTable {
  id: string
  promotion: string
  by: string
  /** The id of the token or person that gave it. */
  approver: string
  /** Who is behind the approver: the same one counts once. */
  owner: string
  /** The approver's role when it was given. */
  role: string
  /** The version of the policy that it was given by: it counts for no other. */
  policyVersion: number
  comment: string | null
  at: string
}
