/** `/enroll.sh`: the script of `node/enroll.sh` with what it must know of this hub. */
import { readFileSync } from 'node:fs'
import { MARKERS } from '../gentoo/node-config.ts'
import { quoteShell } from '../gentoo/quote.ts'
import { OWN_FILES, PART_FILE, SHARED_PARTS } from './node-files.ts'
import type { TrustAnchors } from './trust-anchors.ts'

const TEMPLATE = readFileSync(new URL('../../node/enroll.sh', import.meta.url), 'utf8')

export interface ScriptFacts {
  /** http(s) address without a slash at its end; it may have a port. */
  readonly hub: string
  readonly overlayPrefix: string
  readonly anchors: TrustAnchors
}

/** Every value stands in quotes, as one word of the shell, whatever it holds. */
export function renderEnrolScript({ hub, overlayPrefix, anchors }: ScriptFacts): string {
  const values: Readonly<Record<string, string>> = {
    HUB: hub,
    HOST: netrcHost(hub),
    OVERLAY_PREFIX: overlayPrefix,
    HUB_KEYS: anchors.overlay.fingerprints.join(' '),
    BINHOST_KEYS: anchors.binhost.fingerprints.join(' '),
    OLD_BINHOST_KEYS: anchors.binhost.distrusted.join(' '),
    SHARED_PARTS: SHARED_PARTS.join(' '),
    OWN_FILES: Object.entries(OWN_FILES)
      .map(([path, mode]) => `${path}:${mode}`)
      .join(' '),
    PART_FILE,
    MARKER_BEGIN: MARKERS.begin,
    MARKER_END: MARKERS.end,
  }
  return TEMPLATE.replaceAll(/=@([A-Z_]+)@$/gm, (_line, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`node/enroll.sh asks for ${name}, which nobody knows`)
    return `=${quoteShell(value)}`
  })
}

/** A .netrc knows hosts only: no scheme, no port, and an IPv6 address without its brackets. */
function netrcHost(hub: string): string {
  return new URL(hub).hostname.replace(/^\[|\]$/g, '')
}
