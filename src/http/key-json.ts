/** The JSON of signing keys, as docs/api.md shows it. */
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { signerOfNewest } from '../overlays/renew-signature.ts'
import type { HubKey, KeyState } from '../storage/key-ring.ts'
import type { Key } from './openapi/keys.ts'

type Needs = Pick<Hub, 'config' | 'overlayKeys' | 'binhostKeys' | 'records'>

/** Every key of the hub, those of overlays first, oldest first, with what of its work nodes still get. */
export async function keysJson(hub: Needs): Promise<readonly Key[]> {
  const { config, overlayKeys, binhostKeys, records } = hub
  const url = { overlay: `${config.publicUrl}/keys/hub.asc`, binhost: `${config.publicUrl}/keys/binhost.asc` }
  const packages = await records.binpkgs.countBySigner()
  const signers = await Promise.all(
    config.environments.map(async ({ name }) => ({ name, signer: await signerOfNewest(hub, name) })),
  )
  const signedBy = ({ purpose, key: { fingerprint } }: HubKey) => ({
    overlays: signers.filter(({ signer }) => signer === fingerprint).map(({ name }) => name),
    packages: purpose === 'binhost' ? (packages.get(fingerprint) ?? 0) : 0,
  })
  return [overlayKeys, binhostKeys].flatMap((ring) =>
    ring.keys.map((entry) => ({
      ...keyJson(entry, ring.stateOf(entry)),
      signed: signedBy(entry),
      url: url[entry.purpose],
    })),
  )
}

function keyJson({ purpose, key, signsFromSec, retiredAt, revoked }: HubKey, state: KeyState) {
  const at = (timeSec: number): string => timestamp(new Date(timeSec * 1000))
  return {
    id: key.fingerprint,
    fingerprint: key.fingerprint,
    purpose,
    state,
    createdAt: at(key.createdSec),
    signsFrom: at(signsFromSec),
    expiresAt: key.expiresSec === null ? null : at(key.expiresSec),
    retiredAt,
    revokedAt: revoked?.at ?? null,
    reason: revoked?.reason ?? null,
    note: revoked?.note ?? null,
  }
}
