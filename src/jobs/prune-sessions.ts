/** Sessions and links that ended by themselves are forgotten: the audit has what was done with them. */
import { timestamp } from '../clock.ts'
import type { Hub } from '../hub.ts'
import { idleSince } from '../people/session.ts'

export async function pruneSessions(hub: Pick<Hub, 'records' | 'clock' | 'config'>): Promise<void> {
  const now = hub.clock.now()
  await hub.records.sessions.prune(timestamp(now), idleSince(hub, now))
  await hub.records.signInLinks.prune(timestamp(now))
}
