/** Digests that a client declares of what it sends: the field `sha512`, and the header fields of RFC 9530. */
import { HubError } from '../errors.ts'
import type { Digests } from './digest-blocks.ts'

export interface DeclaredDigest {
  /** Where it was declared, for the refusal. */
  readonly by: string
  readonly algorithm: 'sha512' | 'sha256'
  /** Lower-case hex. */
  readonly hex: string
}

const ALGORITHMS: Readonly<Record<string, { name: DeclaredDigest['algorithm']; bytes: number }>> = {
  'sha-512': { name: 'sha512', bytes: 64 },
  'sha-256': { name: 'sha256', bytes: 32 },
}

/**
 * Reads `Content-Digest` or `Repr-Digest`: `sha-512=:<base64>:, sha-256=:…:`. Algorithms that the hub does not compute
 * are passed over, as RFC 9530 has it.
 * @throws {HubError} `request.invalid` when it is no such list.
 */
export function parseDigestField(name: string, value: string): readonly DeclaredDigest[] {
  return value.split(',').flatMap((member) => {
    const match = /^\s*([a-z0-9*_.-]+)=:([A-Za-z0-9+/]*={0,2}):\s*$/.exec(member)
    if (!match) throw new HubError('request.invalid', `${name} must be a list such as sha-512=:<base64>:`)
    const [, key = '', base64 = ''] = match
    const algorithm = ALGORITHMS[key]
    if (!algorithm) return []
    const bytes = Buffer.from(base64, 'base64')
    if (bytes.byteLength !== algorithm.bytes) {
      throw new HubError('request.invalid', `${name}: ${key} has ${String(algorithm.bytes)} bytes in base64`)
    }
    return [{ by: name, algorithm: algorithm.name, hex: bytes.toString('hex') }]
  })
}

/** @throws {HubError} `upload.digest_mismatch` naming the first that is wrong. */
export function checkDeclaredDigests(
  received: Pick<Digests, 'sha512' | 'sha256'>,
  declared: readonly DeclaredDigest[],
): void {
  for (const { by, algorithm, hex } of declared) {
    if (received[algorithm] === hex) continue
    throw new HubError(
      'upload.digest_mismatch',
      `${by} says ${algorithm} ${hex.slice(0, 16)}…, the bytes received have ${received[algorithm].slice(0, 16)}…; send them again`,
      { declared: hex, received: received[algorithm], algorithm },
    )
  }
}
