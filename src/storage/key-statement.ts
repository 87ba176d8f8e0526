/**
 * Which keys to believe, as nodes fetch it. A key of overlays vouches for all of them: whoever has it could make a node do
 * anything by an ebuild, so it gives nobody more.
 */
import { z } from 'zod'
import type { HubKey, KeyPurpose, KeyRing } from './key-ring.ts'

export const statementSchema = z.strictObject({
  serial: z.int(),
  text: z.string(),
  signatures: z.array(z.string()),
})

/** With a detached signature by each key of overlays that a node may be left with. */
export type KeyStatement = z.infer<typeof statementSchema>

/**
 * A node that has been away needs a signature by the one key that it knows, so each gives one, retired ones too. A revoked
 * key gives its last under the very statement that says so: to who knows nothing but that key, its thief could say as much.
 * The serial keeps an older statement from being shown again.
 * @param leaving the key that the statement is the first to call revoked, if there is one.
 */
export async function stateKeys(
  { overlay, binhost }: Readonly<Record<KeyPurpose, KeyRing>>,
  { serial, now, leaving }: { readonly serial: number; readonly now: Date; readonly leaving: HubKey | null },
): Promise<KeyStatement> {
  const part = ({ publicKeys, fingerprints, distrusted }: KeyRing) => ({
    publicKeys,
    fingerprints,
    distrusted,
  })
  const text = `${JSON.stringify({ format: 1, serial, overlay: part(overlay), binhost: part(binhost) })}\n`
  const signatures: string[] = []
  for (const { key, revoked } of overlay.keys) {
    if (revoked !== null && key.fingerprint !== leaving?.key.fingerprint) continue
    const at = new Date(Math.max(now.getTime(), key.createdSec * 1000))
    signatures.push(await key.sign(Buffer.from(text), at))
  }
  return { serial, text, signatures }
}
