/**
 * Which keys to believe, as nodes fetch it. A key of overlays vouches for all of them: whoever has it could make a node do
 * anything by an ebuild, so it gives nobody more.
 */
import { z } from 'zod'
import type { HubKey, KeyPurpose, KeyRing } from './key-ring.ts'

const signedSchema = z.strictObject({ text: z.string(), signatures: z.array(z.string()) })

export const statementSchema = z.strictObject({
  serial: z.int(),
  ...signedSchema.shape,
  /** Those that called a key of overlays revoked, which signed them last, oldest first: the way for who knows only it. */
  former: z.array(signedSchema).default([]),
})

/** What a statement says, and what came before it: with a detached signature by each key of overlays that a node may be left with. */
export type KeyStatement = z.infer<typeof statementSchema>

interface StatementOf {
  /** null: there was none. */
  readonly before: KeyStatement | null
  readonly now: Date
  /** The key that the statement is the first to call revoked; null: none. */
  readonly leaving: HubKey | null
}

/**
 * A node that has been away needs a signature by the one key that it knows, so each gives one, retired ones too. A revoked
 * key gives its last under the very statement that says so: to who knows nothing but that key, its thief could say as much.
 * The serial keeps an older statement from being shown again.
 */
export async function stateKeys(
  { overlay, binhost }: Readonly<Record<KeyPurpose, KeyRing>>,
  { before, now, leaving }: StatementOf,
): Promise<KeyStatement> {
  const part = ({ publicKeys, fingerprints, distrusted }: KeyRing) => ({
    publicKeys,
    fingerprints,
    distrusted,
  })
  const serial = (before?.serial ?? 0) + 1
  const text = `${JSON.stringify({ format: 1, serial, overlay: part(overlay), binhost: part(binhost) })}\n`
  const signatures: string[] = []
  for (const { key, revoked } of overlay.keys) {
    if (revoked !== null && key.fingerprint !== leaving?.key.fingerprint) continue
    const at = new Date(Math.max(now.getTime(), key.createdSec * 1000))
    signatures.push(await key.sign(Buffer.from(text), at))
  }
  const former = before?.former ?? []
  const isLast = leaving?.purpose === 'overlay'
  return { serial, text, signatures, former: isLast ? [...former, { text, signatures }] : former }
}
