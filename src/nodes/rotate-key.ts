/**
 * A new key takes over from the one that signs, after a time in which both are published and the old one signs: Portage
 * checks each commit and each package with the keys that the node has, so nodes must have the new one first.
 */
import { recordChange } from '../audit/record-change.ts'
import { unixSeconds } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { HubKey, KeyPurpose } from '../storage/key-ring.ts'

/** Nodes fetch keys every minute; this is for those that are switched off for a while. */
export const DEFAULT_OVERLAP_SEC = 7 * 86_400

export interface Rotation {
  readonly purpose: KeyPurpose
  /** Until the new one signs. 0: at once, for a hub that no node knows yet. */
  readonly overlapSec: number
  /** Until nobody believes the new one any more, from now; null: it does not end. */
  readonly lifeSec: number | null
  readonly by: string
  readonly dryRun?: boolean
}

/**
 * Makes the new key; null in a dry run. The old one stays published afterwards, for what it has signed.
 * @throws {HubError} `key.waiting` while a key made before has not taken over; `request.invalid` for one that would end
 *   before it signs.
 */
export async function rotateKey(
  hub: Pick<Hub, 'keys' | 'clock' | 'turns' | 'log' | 'records'>,
  { purpose, overlapSec, lifeSec, by, dryRun = false }: Rotation,
): Promise<HubKey | null> {
  return await hub.turns.run('keys', async () => {
    const { next } = hub.keys[purpose]
    if (next !== null)
      throw new HubError(
        'key.waiting',
        `${next.key.fingerprint} is published and waits to sign: rotate again when it does`,
      )
    if (lifeSec !== null && lifeSec <= overlapSec)
      throw new HubError('request.invalid', 'the key would end before it signs: give it a longer time')
    if (dryRun) return null
    const signsFromSec = unixSeconds(hub.clock.now()) + overlapSec
    const made = await hub.keys.add(purpose, { signsFromSec, lifeSec })
    const facts = { purpose, signsFromSec, lifeSec }
    await hub.records.transaction(async (records) => {
      const change = { type: 'key.created', subject: made.key.fingerprint, after: facts } as const
      await recordChange(records, hub.clock, change)
    })
    hub.log.info(
      { purpose, fingerprint: made.key.fingerprint, signsFromSec, by },
      'a new signing key was made',
    )
    return made
  })
}
