/** The keys that a node must trust, and for what. */
import type { Hub } from '../hub.ts'

export interface TrustAnchor {
  /** ASCII-armoured public keys. */
  readonly publicKeys: string
  /** Of the primary keys, 40 upper-case hex digits each. */
  readonly fingerprints: readonly string[]
}

export interface TrustAnchors {
  /** Signs the commits of overlays. */
  readonly overlay: TrustAnchor
  /** Signs binary packages. */
  readonly binhost: TrustAnchor
}

export function trustAnchors({
  signingKey,
  binhostKey,
}: Pick<Hub, 'signingKey' | 'binhostKey'>): TrustAnchors {
  return { overlay: anchorOf(signingKey), binhost: anchorOf(binhostKey) }
}

function anchorOf({ publicKey, fingerprint }: Hub['signingKey']): TrustAnchor {
  return { publicKeys: publicKey, fingerprints: [fingerprint] }
}
