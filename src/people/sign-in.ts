/** Signing in with a name and a password. */
import { recordChange } from '../audit/record-change.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import type { PersonRow } from '../records/people.ts'
import { notSignedIn, openSession } from './session.ts'
import type { Entrance, OpenedSession } from './session.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'config' | 'passwords' | 'signInAttempts'>

/** Whom the audit names for attempts with a name that nobody has: the name itself may be a password in the wrong field. */
const NOBODY = 'nobody'

/**
 * Signs in by name and password. The answer and the work are the same whether there is such an account or not; after some
 * failures in a row the next attempt with that name has to wait.
 * @throws {HubError} `auth.sign_in_failed`; `auth.too_many` with `retryAfterSec`.
 */
export async function signIn(
  hub: Needs,
  { name: given, password }: { readonly name: string; readonly password: string },
  entrance: Omit<Entrance, 'way'>,
): Promise<OpenedSession> {
  const name = given.trim().toLowerCase()
  const retryAfterSec = hub.signInAttempts.waitSec(name)
  if (retryAfterSec > 0)
    throw new HubError(
      'auth.too_many',
      `too many attempts with this name: try again in ${String(retryAfterSec)} seconds, or ask an administrator for a link`,
      { retryAfterSec },
    )
  hub.signInAttempts.begin(name)
  const person = await hub.records.people.findByName(name)
  const isRight = await hub.passwords.matches(password, person?.password ?? null)
  if (!person || !isRight || person.disabledAt !== null) {
    await recordFailure(hub, person)
    throw notSignedIn()
  }
  const opened = await openSession(hub, person, { ...entrance, way: 'password' })
  hub.signInAttempts.succeeded(name)
  return opened
}

async function recordFailure(hub: Needs, person: PersonRow | undefined): Promise<void> {
  const subject = person?.id ?? NOBODY
  const failures = hub.signInAttempts.untold(subject)
  if (failures === 0) return
  await hub.records.transaction(async (records) => {
    await recordChange(records, hub.clock, { type: 'person.sign_in_failed', subject, after: { failures } })
  })
}
