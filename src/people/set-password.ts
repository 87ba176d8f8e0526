/** One's own password: set for the first time, or changed. */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { PersonRow } from '../records/people.ts'
import type { SessionRow } from '../records/sessions.ts'
import { refuseUnfit } from './password-rules.ts'
import { addSession } from './session.ts'
import type { Entrance, OpenedSession } from './session.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'config' | 'passwords' | 'signInAttempts'>

export interface WantedPassword {
  readonly person: PersonRow
  /** With which it is asked for. Whoever came by a link need not know the password that is replaced. */
  readonly session: SessionRow
  readonly current: string | null
  readonly password: string
  readonly entrance: Omit<Entrance, 'way' | 'former'>
  readonly dryRun: boolean
}

/**
 * Sets a password. All sessions end by that, and the one that asks goes on under a new secret.
 * @throws {HubError} `password.unfit`; `password.wrong`; `auth.too_many`; `auth.forbidden` for who comes by the OpenID provider.
 */
export async function setPassword(hub: Needs, wanted: WantedPassword): Promise<OpenedSession | null> {
  const { person, session, current, password, entrance, dryRun } = wanted
  refuseBesideProvider(person, session)
  refuseUnfit(password, person, hub.config.publicUrl)
  if (session.way !== 'link' && person.password !== null) await refuseWrong(hub, person, current)
  if (dryRun) return null
  const kept = await hub.passwords.hash(password)
  return await hub.records.transaction(async (records) => {
    await records.people.update(person.id, { password: kept })
    await records.sessions.removeOf(person.id)
    await records.signInLinks.removeOf(person.id)
    await recordChange(records, hub.clock, {
      type: 'person.password_set',
      subject: person.id,
      after: { name: person.name },
    })
    const way = session.way === 'link' ? 'password' : session.way
    return await addSession({ ...hub, records }, person, { ...entrance, way, former: null })
  })
}

/** A first password would open the account still when the provider, or its groups, do not let them in any more. */
function refuseBesideProvider({ password }: PersonRow, { way }: SessionRow): void {
  if (way === 'openid' && password === null)
    throw new HubError(
      'auth.forbidden',
      'you sign in with the OpenID provider and need no password here; an administrator can make a link by which one is set',
    )
}

/** A browser that was left open guesses as slowly as anybody else. */
async function refuseWrong(hub: Needs, person: PersonRow, current: string | null): Promise<void> {
  const retryAfterSec = hub.signInAttempts.waitSec(person.name)
  if (retryAfterSec > 0)
    throw new HubError('auth.too_many', `too many attempts: try again in ${String(retryAfterSec)} seconds`, {
      retryAfterSec,
    })
  hub.signInAttempts.begin(person.name)
  if (!(await hub.passwords.matches(current ?? '', person.password)))
    throw new HubError('password.wrong', 'the password that you have now is another one')
  hub.signInAttempts.succeeded(person.name)
}
