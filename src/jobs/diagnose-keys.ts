/** Whether the keys that sign are there, are their owner's alone, and are believed for a while yet. */
import { stat } from 'node:fs/promises'
import { timestamp, unixSeconds } from '../clock.ts'
import { HubKeys } from '../storage/hub-keys.ts'
import { KEY_PURPOSES } from '../storage/key-ring.ts'
import type { KeyPurpose, KeyRing } from '../storage/key-ring.ts'
import type { Paths } from '../storage/paths.ts'
import { fail, ok, warn } from './diagnosis.ts'
import type { Diagnosis } from './diagnosis.ts'

/** Nodes need the next key before this one ends, and somebody must find the time to make it. */
const SOON_SEC = 30 * 86_400

/** One line for each purpose. */
export async function* diagnoseKeys(
  { paths }: { readonly paths: Paths },
  now: Date,
): AsyncGenerator<Diagnosis> {
  let keys: HubKeys | null
  try {
    keys = await HubKeys.read(paths.keys, { now: () => now })
  } catch (error) {
    yield fail('signing keys', (error as Error).message, 'put the folder of keys back as it was')
    return
  }
  if (keys === null) {
    const toDo = 'restore them from a backup: the next start makes others, which nodes do not trust'
    yield fail('signing keys', `${paths.keys} lacks keys`, toDo)
    return
  }
  for (const purpose of KEY_PURPOSES)
    yield await diagnoseRing(purpose, keys[purpose], keys.filesOf(purpose), now)
}

async function diagnoseRing(
  purpose: KeyPurpose,
  ring: KeyRing,
  files: readonly string[],
  now: Date,
): Promise<Diagnosis> {
  const check = `${purpose} key`
  for (const path of files) {
    const { mode } = await stat(path)
    if ((mode & 0o077) === 0) continue
    const shown = (mode & 0o777).toString(8).padStart(4, '0')
    return fail(check, `${path} has mode ${shown}: others can read it`, `chmod 600 ${path}`)
  }
  const { fingerprint, expiresSec } = ring.current
  if (expiresSec === null) return ok(check, `${fingerprint}, does not end`)
  const detail = `${fingerprint} ends at ${timestamp(new Date(expiresSec * 1000))}`
  const leftSec = expiresSec - unixSeconds(now)
  if (leftSec > SOON_SEC) return ok(check, detail)
  const toDo = `portage-hub key rotate ${purpose}`
  return leftSec > 0 ? warn(check, detail, toDo) : fail(check, `${detail}: nodes refuse what it signs`, toDo)
}
