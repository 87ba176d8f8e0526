/**
 * Sessions: a secret of 256 random bits that the browser keeps in a cookie, and the hub as a digest. One ends when it was not
 * used for a while, at its last hour, when its owner says so, is disabled or gets another password.
 */
import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { recordChange } from '../audit/record-change.ts'
import { timestamp } from '../clock.ts'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { newId } from '../ids.ts'
import type { PersonRow } from '../records/people.ts'
import type { Records } from '../records/records.ts'
import type { SessionRow } from '../records/sessions.ts'
import { actingAsPerson } from './person.ts'

type Needs = Pick<Hub, 'records' | 'clock' | 'config'>

/** How somebody signs in, and from where. */
export interface Entrance {
  readonly way: SessionRow['way']
  readonly address: string | null
  readonly userAgent: string | null
  /** The secret of a session that the browser has already: this one takes its place. */
  readonly former: string | null
}

export interface OpenedSession {
  readonly person: PersonRow
  readonly session: SessionRow
  /** For the cookie: its only copy. */
  readonly secret: string
}

/** Not every request is worth a write. */
const SEEN_EVERY_SEC = 60
const MOST_USER_AGENT = 200

/**
 * Signs somebody in who has shown who they are. Always with a new secret: one that somebody else put into the browser before
 * opens nothing.
 * @throws {HubError} `auth.sign_in_failed` for who is disabled.
 */
export async function openSession(hub: Needs, person: PersonRow, entrance: Entrance): Promise<OpenedSession> {
  return await hub.records.transaction(
    async (records) => await addSession({ ...hub, records }, person, entrance),
  )
}

/** The same within a transaction that does more. */
export async function addSession(
  { records, clock, config }: Needs,
  { id }: Pick<PersonRow, 'id'>,
  { way, address, userAgent, former }: Entrance,
): Promise<OpenedSession> {
  const person = await records.people.find(id)
  if (person?.disabledAt !== null) throw notSignedIn()
  if (former !== null) await removeBySecret(records, former)
  const now = clock.now()
  const secret = randomBytes(32).toString('base64url')
  const session: SessionRow = {
    ...{ id: newId('ses', now), person: person.id, secretSha256: digest(secret), way, address },
    userAgent: userAgent?.slice(0, MOST_USER_AGENT) ?? null,
    ...{ createdAt: timestamp(now), seenAt: timestamp(now) },
    expiresAt: timestamp(new Date(now.getTime() + config.sessionMaxSec * 1000)),
  }
  await records.sessions.add(session)
  await records.people.update(person.id, { signedInAt: session.createdAt })
  const change = {
    type: 'person.signed_in',
    subject: person.id,
    after: { name: person.name, way, session: session.id },
  } as const
  await actingAsPerson(person, async () => await recordChange(records, clock, change))
  return { person: { ...person, signedInAt: session.createdAt }, session, secret }
}

/** The same words whatever was wrong: who asks learns of nobody whether there is such an account. */
export function notSignedIn(): HubError {
  return new HubError(
    'auth.sign_in_failed',
    'the name or the password is not right, or the account is disabled',
  )
}

/** Whose session has this secret, if it still holds. That it was used is noted once a minute. */
export async function sessionOf(
  { records, clock, config }: Needs,
  secret: string,
): Promise<{ readonly session: SessionRow; readonly person: PersonRow } | null> {
  const session = await records.sessions.findBySecret(digest(secret))
  if (!session) return null
  const now = clock.now()
  if (session.expiresAt <= timestamp(now) || session.seenAt <= idleSince({ config }, now)) return null
  const person = await records.people.find(session.person)
  if (person?.disabledAt !== null) return null
  if (session.seenAt <= timestamp(new Date(now.getTime() - SEEN_EVERY_SEC * 1000)))
    await records.sessions.touch(session.id, timestamp(now))
  return { session, person }
}

/** A session that was not used since then has ended. */
export function idleSince({ config }: Pick<Hub, 'config'>, now: Date): string {
  return timestamp(new Date(now.getTime() - config.sessionIdleSec * 1000))
}

/** Those of somebody that hold, newest first. */
export async function sessionsOf(hub: Needs, person: string): Promise<readonly SessionRow[]> {
  const now = hub.clock.now()
  const since = idleSince(hub, now)
  return (await hub.records.sessions.of(person)).filter(
    ({ expiresAt, seenAt }) => expiresAt > timestamp(now) && seenAt > since,
  )
}

/** Ends one session of somebody. @throws {HubError} `session.unknown`, also for one of somebody else. */
export async function endSession(
  hub: Pick<Hub, 'records' | 'clock'>,
  { person, id, dryRun }: { readonly person: string; readonly id: string; readonly dryRun: boolean },
): Promise<SessionRow> {
  return await hub.records.transaction(async (records) => {
    const session = (await records.sessions.of(person)).find((one) => one.id === id)
    if (!session)
      throw new HubError('session.unknown', `you have no session ${JSON.stringify(id.slice(0, 100))}`)
    if (dryRun) return session
    await records.sessions.remove(id)
    await recordSignOut({ ...hub, records }, person, { session: id })
    return session
  })
}

/** Ends all sessions of somebody and gives how many they were. */
export async function endSessions(
  hub: Pick<Hub, 'records' | 'clock'>,
  person: string,
  dryRun: boolean,
): Promise<number> {
  return await hub.records.transaction(async (records) => {
    const open = (await records.sessions.of(person)).length
    if (dryRun || open === 0) return open
    await records.sessions.removeOf(person)
    await recordSignOut({ ...hub, records }, person, { sessions: open })
    return open
  })
}

async function recordSignOut(
  { records, clock }: Pick<Hub, 'records' | 'clock'>,
  subject: string,
  after: Readonly<Record<string, unknown>>,
): Promise<void> {
  await recordChange(records, clock, { type: 'person.signed_out', subject, after })
}

async function removeBySecret(records: Records, secret: string): Promise<void> {
  const session = await records.sessions.findBySecret(digest(secret))
  if (session) await records.sessions.remove(session.id)
}

/**
 * What a page or a script of the hub shows with every change, and another site cannot know. It needs no row of its own, and
 * is another one each time: of a page that is compressed, its length would tell letter by letter one that stays (BREACH).
 */
export function csrfToken(secret: string): string {
  const nonce = randomBytes(CSRF_NONCE_BYTES)
  return Buffer.concat([nonce, csrfMac(secret, nonce)]).toString('base64url')
}

export function isCsrfToken(secret: string, given: string): boolean {
  const bytes = Buffer.from(given, 'base64url')
  const [nonce, got] = [bytes.subarray(0, CSRF_NONCE_BYTES), bytes.subarray(CSRF_NONCE_BYTES)]
  const expected = csrfMac(secret, nonce)
  return expected.length === got.length && timingSafeEqual(expected, got)
}

const CSRF_NONCE_BYTES = 16

function csrfMac(secret: string, nonce: Buffer): Buffer {
  return createHmac('sha256', secret).update('portage-hub csrf').update(nonce).digest()
}

function digest(secret: string): string {
  return hash('sha256', secret)
}
