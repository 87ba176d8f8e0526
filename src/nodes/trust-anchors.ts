/** The keys that a node must trust, and for what. */
import type { Hub } from '../hub.ts'

export interface TrustAnchor {
  /** ASCII-armoured public keys. */
  readonly publicKeys: string
  /** Of those of them that are to be believed, 40 upper-case hex digits each. */
  readonly fingerprints: readonly string[]
  /** Those that were to be believed once, and are not any more. */
  readonly distrusted: readonly string[]
}

export interface TrustAnchors {
  /** Signs the commits of overlays. */
  readonly overlay: TrustAnchor
  /** Signs binary packages. */
  readonly binhost: TrustAnchor
}

export function trustAnchors({
  overlayKeys,
  binhostKeys,
}: Pick<Hub, 'overlayKeys' | 'binhostKeys'>): TrustAnchors {
  return { overlay: anchorOf(overlayKeys), binhost: anchorOf(binhostKeys) }
}

function anchorOf({ publicKeys, fingerprints, distrusted }: Hub['overlayKeys']): TrustAnchor {
  return { publicKeys, fingerprints, distrusted }
}
