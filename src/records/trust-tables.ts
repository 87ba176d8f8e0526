/** The tables of trusted publishing. */

/** Whom an app trusts. */
export interface TrustTable {
  id: string
  app: string
  provider: 'github' | 'gitlab' | 'jenkins' | 'other'
  issuer: string
  /** JSON: by claim, what it must be; its keys in the order of the alphabet. */
  claims: string
  maySendCommands: number
  createdBy: string
  createdAt: string
}

/** An identity token that was exchanged, and what for. */
export interface ExchangeTable {
  /** By what is told apart from all others: never the token itself. */
  identitySha256: string
  trust: string
  tokenId: string
  /** After this nobody can exchange it any more, and the row is of no use. */
  identityEndsAt: string
}
