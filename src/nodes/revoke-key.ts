/** A key that somebody else may have, or that shall not be believed any more for another reason. */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { renewSignature } from '../overlays/renew-signature.ts'
import type { HubKey } from '../storage/key-ring.ts'
import type { RevocationReason } from '../storage/signing-key.ts'

export interface RevocationRequest {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string
  readonly reason: RevocationReason
  /** Everybody can read it, in the certificate; may be empty. */
  readonly note: string
  readonly by: string
  readonly dryRun?: boolean
}

/**
 * Revokes a key for good: it signs nothing any more, is published with a certificate that says so, and overlays that it
 * signed get a commit of the key that signs now. `signPackagesAgain` does the same for packages. One that is revoked stays
 * as it is. The key as it is then.
 * @throws {HubError} `key.unknown`; `key.in_use` for the key that signs, while no other waits to do so.
 */
export async function revokeKey(
  hub: Pick<Hub, 'keys' | 'clock' | 'turns' | 'log' | 'overlays' | 'overlayKeys' | 'records' | 'config'>,
  { fingerprint, reason, note, by, dryRun = false }: RevocationRequest,
): Promise<HubKey> {
  return await hub.turns.run('keys', async () => {
    const { ring, entry } = findKey(hub, fingerprint)
    if (entry.revoked !== null) return entry
    if (ring.stateOf(entry) === 'active' && ring.next === null)
      throw new HubError(
        'key.in_use',
        `${fingerprint} signs: make the key that takes its place first, portage-hub key rotate ${entry.purpose} --overlap 0s`,
      )
    if (dryRun) return entry
    const before = { purpose: entry.purpose, state: ring.stateOf(entry) }
    await hub.keys.revoke(entry, { reason, note })
    await hub.records.transaction(async (records) => {
      const change = {
        type: 'key.revoked',
        subject: fingerprint,
        reason: note,
        before,
        after: { reason },
      } as const
      await recordChange(records, hub.clock, change)
    })
    hub.log.warn({ purpose: entry.purpose, fingerprint, reason, note, by }, 'a signing key was revoked')
    for (const { name } of hub.config.environments) await renewSignature(hub, name)
    return findKey(hub, fingerprint).entry
  })
}

function findKey({ keys }: Pick<Hub, 'keys'>, fingerprint: string) {
  for (const ring of [keys.overlay, keys.binhost]) {
    const entry = ring.find(fingerprint)
    if (entry) return { ring, entry }
  }
  throw new HubError('key.unknown', `the hub has no key ${JSON.stringify(fingerprint.slice(0, 100))}`)
}
