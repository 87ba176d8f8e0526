/** The tables of people, in the manner of schema.ts. */

export interface PersonTable {
  id: string
  /** With which they sign in, and what records say. */
  name: string
  fullName: string | null
  /** JSON of `Grant[]` (access/rights.ts). */
  grants: string
  /** As people/password-hash.ts writes it; null: they have none, and sign in otherwise. */
  password: string | null
  /** By whom and as whom an OpenID provider knows them; null: none does. */
  issuer: string | null
  subject: string | null
  createdBy: string
  createdAt: string
  /** The last time; null: never. */
  signedInAt: string | null
  disabledAt: string | null
}

export interface SessionTable {
  id: string
  person: string
  secretSha256: string
  /** How they signed in. */
  way: 'password' | 'link' | 'openid'
  address: string | null
  /** As the browser says, cut. */
  userAgent: string | null
  createdAt: string
  /** Somewhat behind the last request: not every one is written down. */
  seenAt: string
  /** At the latest. */
  expiresAt: string
}

/** By which somebody signs in once, and may set a password. */
export interface SignInLinkTable {
  id: string
  person: string
  secretSha256: string
  createdBy: string
  createdAt: string
  expiresAt: string
  usedAt: string | null
}
